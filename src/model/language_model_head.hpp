#pragma once
// Masked-LM head on selected rows: dense, GELU, layer norm, product with the token table (tied) and a vocabulary bias.
// The loss's scale is known before the forward pass, so that logits turn into their gradient at once, a block of rows
// at a time; [R, V] never exists whole.

#include "kernels/sample_tokens.hpp"
#include "model/head_transform.hpp"
#include "model/pass.hpp"

namespace tenfold {

/// Tokens drawn from the head's softmax at the selected rows, while the logits are there.
struct TokenSampling {
  kernels::Draws draws;
  Tensor excluded;  ///< i32 [X], ids that are never drawn
  Tensor tokens;    ///< i32 [R], the draws
  Tensor rank_sum;  ///< f64 [1], added to: rank of the true token
};

class LanguageModelHead {
 public:
  /// `width`: of the hidden states; `vocabulary_bias`: f32 [V].
  LanguageModelHead(Parameters& parameters, const std::string& prefix, int width, ParameterView vocabulary_bias);
  void allocate(Arena& arena, const BatchShape& batch, DType type);

  /// Losses of the selected rows of `hidden` [B*T, d] against `table` [V, d]. With `gradient` (of the hidden states,
  /// [B*T, d], written) and `table_gradient` (f32 [V, d], added to) also all gradients of weight_mlm x sum of losses;
  /// absent: losses only.
  void forward_backward(const Pass& pass, const Tensor& hidden, const Tensor& table, const Tensor& table_gradient,
                        const Tensor& gradient, const TokenSampling* sampling = nullptr);

  const Tensor& losses() const { return losses_; }    ///< f32 [R], nats; 0 in unused rows
  const Tensor& correct() const { return correct_; }  ///< i32 [R]

  const HeadTransform& transform() const { return transform_; }
  static double forward_flops(double width, double vocabulary, double selected) {
    return 2.0 * selected * (width * width + width * vocabulary);
  }

 private:
  void score_block(const Pass& pass, std::int64_t first, std::int64_t rows, const Tensor& table,
                   const Tensor& table_gradient, const TokenSampling* sampling);

  const Parameters& parameters_;
  int width_;
  HeadTransform transform_;
  ParameterView vocabulary_bias_;
  HeadTransform::Rows rows_;
  Tensor selected_, losses_, correct_, output_gradient_, logits_, logits_gradient_;
};

}  // namespace tenfold
