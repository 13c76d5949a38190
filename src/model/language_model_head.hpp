#pragma once
// Masked-LM head on selected rows: dense, GELU, layer norm, product with the token table (tied) and a vocabulary bias.
// The loss's scale is known before the forward pass, so that logits turn into their gradient at once, a block of rows
// at a time; [R, V] never exists whole.

#include "base/arena.hpp"
#include "model/parameters.hpp"
#include "model/pass.hpp"

namespace tenfold {

class LanguageModelHead {
 public:
  /// `width`: of the hidden states; `vocabulary_bias`: f32 [V].
  LanguageModelHead(Parameters& parameters, const std::string& prefix, int width, ParameterView vocabulary_bias);
  void allocate(Arena& arena, const BatchShape& batch, DType type);

  /// Losses of the selected rows of `hidden` [B*T, d] against `table` [V, d]. With `gradient` (of the hidden states, [B*T, d], written)
  /// and `table_gradient` (f32 [V, d], added to) also all gradients of weight_mlm x sum of losses; absent: losses only.
  void forward_backward(const Pass& pass, const Tensor& hidden, const Tensor& table, const Tensor& table_gradient,
                        const Tensor& gradient);

  const Tensor& losses() const { return losses_; }    ///< f32 [R], nats; 0 in unused rows
  const Tensor& correct() const { return correct_; }  ///< i32 [R]

  /// First flat element of this head's own parameters.
  std::int64_t first_parameter() const { return dense_weight_.offset; }
  static double forward_flops(double width, double vocabulary, double selected) {
    return 2.0 * selected * (width * width + width * vocabulary);
  }

 private:
  void transform(Queue& queue, const Batch& batch, const Tensor& hidden);
  void score_block(const Pass& pass, std::int64_t first, std::int64_t rows, const Tensor& table, const Tensor& table_gradient);
  void transform_backward(Queue& queue, const Batch& batch, const Tensor& gradient);

  const Parameters& parameters_;
  int width_;
  ParameterView dense_weight_, dense_bias_, gain_, bias_, vocabulary_bias_;
  Tensor selected_, dense_, activated_, output_, mean_, rstd_, losses_, correct_;
  Tensor output_gradient_, logits_, logits_gradient_;
};

}  // namespace tenfold
