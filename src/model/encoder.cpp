#include "model/encoder.hpp"

namespace tenfold {

Encoder::Encoder(Parameters& parameters, const std::string& prefix, const TokenTable& tokens, const EncoderShape& shape,
                 const PositionShape& position, std::uint64_t seed)
    : shape_(shape),
      embedding_(parameters, prefix, tokens, position.length, position.absolute, shape, seed),
      position_(parameters, prefix, position, shape) {
  layers_.reserve(static_cast<std::size_t>(shape.layers));
  for (int i = 0; i < shape.layers; ++i)
    layers_.emplace_back(parameters, prefix + "encoder.layer." + std::to_string(i), shape, seed);
}

void Encoder::allocate(Arena& arena, const RowBudget& budget, DType type) {
  embedding_.allocate(arena, budget, type);
  position_.allocate(arena);
  for (EncoderLayer& layer : layers_) layer.allocate(arena, budget, type);
  scratch_ = LayerScratch(arena, shape_, budget, type);
  gradient_ = arena.allocate(type, {budget.rows, shape_.width});
}

Tensor Encoder::forward(const Pass& pass) {
  bias_ = position_.forward(pass.queue);
  Tensor hidden = embedding_.forward(pass);
  for (EncoderLayer& layer : layers_) hidden = layer.forward(pass, hidden, bias_, scratch_);
  return hidden;
}

void Encoder::backward(const Pass& pass) {
  const Tensor hidden_gradient = gradient(pass);
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
    layer->backward(pass, hidden_gradient, bias_, scratch_);
  position_.backward(pass.queue);
  embedding_.backward(pass, hidden_gradient);
}

double Encoder::forward_flops(const EncoderShape& shape, double tokens, double squares) {
  const double d = shape.width;
  const double f = shape.feed_forward;
  return shape.layers * (2.0 * tokens * (4.0 * d * d + 2.0 * d * f) + 4.0 * squares * d);
}

}  // namespace tenfold
