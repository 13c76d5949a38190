#pragma once
// One post-LN transformer layer (Vaswani et al. 2017; Devlin et al. 2019):
//
//   Y = LN1(X + dropout(O W_o^T + b_o)),  O = attention(X W_qkv^T + b_qkv)
//   Z = LN2(Y + dropout(gelu(Y W_1^T + b_1) W_2^T + b_2))

#include "base/arena.hpp"
#include "kernels/attention.hpp"
#include "model/parameters.hpp"
#include "model/pass.hpp"

namespace tenfold {

/// Sizes and rates of an encoder.
struct EncoderShape {
  int layers, width, heads, feed_forward;
  double dropout, attention_dropout;
  float layer_norm_epsilon;
  int head_width() const { return width / heads; }
};

/// Gradient buffers that all layers share, each written by one layer at a time.
struct LayerScratch {
  Tensor branch;     ///< [N, d]
  Tensor context;    ///< [N, d]
  Tensor qkv;        ///< [N, 3d]
  Tensor hidden;     ///< [N, F]
  Tensor attention;  ///< workspace
  LayerScratch() = default;
  LayerScratch(Arena& arena, const EncoderShape& shape, const RowBudget& budget, DType type);
};

/// The additive position bias of attention and where its gradient goes; both f32 [H, T, T] or absent.
struct AttentionBias {
  Tensor value, gradient;
  float scale;  ///< of q . k
};

class EncoderLayer {
 public:
  EncoderLayer(Parameters& parameters, const std::string& name, const EncoderShape& shape, std::uint64_t seed);
  void allocate(Arena& arena, const RowBudget& budget, DType type);

  /// x: [n, d], the computed rows, is kept by reference for backward. Returns the output, [n, d].
  Tensor forward(const Pass& pass, const Tensor& x, const AttentionBias& bias, const LayerScratch& scratch);
  /// gradient: in the gradient of the output, out that of the input, [n, d]. Marks its parameters as complete.
  void backward(const Pass& pass, const Tensor& gradient, const AttentionBias& bias, const LayerScratch& scratch);

 private:
  /// What forward keeps. hidden: the inputs of GELU, then what its backward wants.
  struct Activations {
    Tensor qkv, context, sum1, mean1, rstd1, middle, hidden, activated, sum2, mean2, rstd2, output;
    /// The computed rows of each.
    Activations of(const Pass& pass) const;
  };
  void attend(const Pass& pass, const Activations& a, const AttentionBias& bias, const LayerScratch& scratch);
  void attend_backward(const Pass& pass, const Activations& a, const Tensor& gradient, const AttentionBias& bias,
                       const LayerScratch& scratch);
  kernels::AttentionShape attention_shape(std::int64_t rows) const;

  Parameters& parameters_;
  EncoderShape shape_;
  std::int64_t length_ = 0;  ///< T
  std::uint64_t attention_key_, attention_output_key_, feed_forward_key_;
  ParameterView qkv_weight_, qkv_bias_, output_weight_, output_bias_, norm1_gain_, norm1_bias_;
  ParameterView in_weight_, in_bias_, out_weight_, out_bias_, norm2_gain_, norm2_bias_;
  Activations kept_;
  Tensor input_, attention_saved_;
};

}  // namespace tenfold
