#pragma once
// A post-LN transformer encoder: embedding, position encoding and layers.

#include <vector>

#include "model/embedding.hpp"
#include "model/encoder_layer.hpp"
#include "model/position_encoder.hpp"

namespace tenfold {

class Encoder {
 public:
  /// `prefix` stands before every parameter name ("" for the main model).
  Encoder(Parameters& parameters, const std::string& prefix, const TokenTable& tokens, const EncoderShape& shape,
          const PositionShape& position, std::uint64_t seed);
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  void allocate(Arena& arena, const RowBudget& budget, DType type);
  void prepare(Queue& queue) { position_.prepare(queue); }

  /// Hidden states [n, d] of the last layer, of the computed rows; kept until the next forward.
  Tensor forward(const Pass& pass);
  /// Where a head leaves the gradient of the hidden states, [n, d].
  Tensor gradient(const Pass& pass) const { return pass.rows(gradient_); }
  /// From that gradient, which is used up. Marks the parameters of each layer as complete.
  void backward(const Pass& pass);

  /// Matrix-product FLOPs of one forward over sequences with `tokens` real tokens in all and `squares` = sum of their
  /// squared lengths.
  static double forward_flops(const EncoderShape& shape, double tokens, double squares);
  /// The same of what a forward takes whatever its sequences.
  double fixed_flops() const { return position_.forward_flops(); }

 private:
  EncoderShape shape_;
  Embedding embedding_;
  PositionEncoder position_;
  std::vector<EncoderLayer> layers_;
  LayerScratch scratch_;
  AttentionBias bias_{};
  Tensor gradient_;
};

}  // namespace tenfold
