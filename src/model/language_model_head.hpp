#pragma once
// Masked-LM head on selected rows: dense, GELU, layer norm, product with the token table (tied) and a vocabulary bias:
//
//   logits = LN(gelu(h W^T + b)) E^T + b_v,  loss = sum of -log softmax(logits)[label]
//
// The loss's weight is known before the forward pass, so that logits turn into their gradient at once, a block of rows
// at a time; [R, V] never exists whole.

#include "kernels/sample_tokens.hpp"
#include "model/head_transform.hpp"
#include "model/masked_batch.hpp"
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
  /// What the head reads and where its gradients go, in training.
  struct Targets {
    Tensor table;           ///< [V, d]
    Tensor table_gradient;  ///< f32 [V, d], added to
    Tensor weight;          ///< f32 [1], of the sum of losses
  };

  /// `width`: of the hidden states; `vocabulary_bias`: f32 [V].
  LanguageModelHead(Parameters& parameters, const std::string& prefix, int width, float epsilon,
                    ParameterView vocabulary_bias);
  void allocate(Arena& arena, std::int64_t most_selected, DType type);

  /// Losses of the selected rows of `hidden`, [n, d]; in training also the gradients of table and vocabulary bias.
  void forward(const Pass& pass, const SelectedRows& selected, const Tensor& hidden, const Targets& targets,
               const TokenSampling* sampling = nullptr);
  /// The rest of the backward pass: writes the gradient of the hidden states, [n, d].
  void backward(const Pass& pass, const SelectedRows& selected, const Tensor& gradient);

  const Tensor& losses() const { return losses_; }    ///< f32 [R], nats; 0 in unused rows
  const Tensor& correct() const { return correct_; }  ///< i32 [R]

  const HeadTransform& transform() const { return transform_; }
  static double forward_flops(double width, double vocabulary, double selected) {
    return 2.0 * selected * (width * width + width * vocabulary);
  }

 private:
  void score_block(const Pass& pass, const SelectedRows& selected, std::int64_t first, std::int64_t count,
                   const Targets& targets, const TokenSampling* sampling);

  Parameters& parameters_;
  int width_;
  HeadTransform transform_;
  ParameterView vocabulary_bias_;
  HeadTransform::Rows rows_;
  Tensor selected_, losses_, correct_, output_gradient_, logits_, logits_gradient_;
};

}  // namespace tenfold
