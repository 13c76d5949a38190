#include "model/encoder.hpp"

namespace tenfold {

Encoder::Encoder(Parameters& parameters, const std::string& prefix, const TokenTable& tokens, const EncoderShape& shape,
                 const PositionShape& position, std::uint64_t seed)
    : shape_(shape),
      embedding_(parameters, prefix, tokens, position.length, position.absolute, shape.dropout, seed),
      position_(parameters, prefix, position, shape.width, shape.heads) {
  layers_.reserve(static_cast<std::size_t>(shape.layers));
  for (int i = 0; i < shape.layers; ++i)
    layers_.emplace_back(parameters, prefix + "encoder.layer." + std::to_string(i), shape, seed);
}

void Encoder::allocate(Arena& arena, const BatchShape& batch, DType type) {
  embedding_.allocate(arena, batch, type);
  position_.allocate(arena);
  for (EncoderLayer& layer : layers_) layer.allocate(arena, batch, type);
  scratch_ = LayerScratch(arena, shape_, batch, type);
  gradient_ = arena.allocate(type, {batch.rows(), shape_.width});
}

const Tensor& Encoder::forward(const Pass& pass) {
  bias_ = position_.forward(pass.queue);
  const Tensor* hidden = &embedding_.forward(pass);
  for (EncoderLayer& layer : layers_) hidden = &layer.forward(pass, *hidden, bias_, scratch_);
  return *hidden;
}

void Encoder::backward(const Pass& pass) {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    layer->backward(pass, gradient_, bias_, scratch_);
    pass.complete(layer->first_parameter());
  }
  position_.backward(pass.queue);
  embedding_.backward(pass, gradient_);
}

double Encoder::forward_flops(const EncoderShape& shape, double tokens, double squares) {
  const double d = shape.width;
  const double f = shape.feed_forward;
  return shape.layers * (2.0 * tokens * (4.0 * d * d + 2.0 * d * f) + 4.0 * squares * d);
}

}  // namespace tenfold
