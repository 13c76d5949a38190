#pragma once
// One post-LN transformer layer: self-attention and feed-forward, each added to its input, dropped out and normalised
// (Vaswani et al. 2017; Devlin et al. 2019).

#include "base/arena.hpp"
#include "kernels/attention.hpp"
#include "model/parameters.hpp"
#include "model/pass.hpp"

namespace tenfold {

/// Sizes and rates of an encoder.
struct EncoderShape {
  int layers, width, heads, feed_forward;
  double dropout, attention_dropout;
  int head_width() const { return width / heads; }
};

/// Gradient buffers that all layers share, each written by one layer at a time.
struct LayerScratch {
  Tensor branch;   ///< [N, d]
  Tensor context;  ///< [N, d]
  Tensor qkv;      ///< [N, 3d]
  Tensor hidden;   ///< [N, F]
  Tensor attention;
  LayerScratch() = default;
  LayerScratch(Arena& arena, const EncoderShape& shape, const BatchShape& batch, DType type);
};

/// The additive position bias of attention and where its gradient goes; both f32 [H, T, T] or absent.
struct AttentionBias {
  Tensor value, gradient;
  float scale;  ///< of q . k
};

class EncoderLayer {
 public:
  EncoderLayer(Parameters& parameters, const std::string& name, const EncoderShape& shape, std::uint64_t seed);
  void allocate(Arena& arena, const BatchShape& batch, DType type);

  /// x: [N, d] is kept by reference for backward. Returns the output, [N, d].
  const Tensor& forward(const Pass& pass, const Tensor& x, const AttentionBias& bias, const LayerScratch& scratch);
  /// gradient: in the gradient of the output, out that of the input, [N, d].
  void backward(const Pass& pass, const Tensor& gradient, const AttentionBias& bias, const LayerScratch& scratch);

  /// First flat element of this layer's parameters.
  std::int64_t first_parameter() const { return qkv_weight_.offset; }

 private:
  const Parameters& parameters_;
  EncoderShape shape_;
  std::uint64_t attention_key_, attention_output_key_, feed_forward_key_;
  ParameterView qkv_weight_, qkv_bias_, output_weight_, output_bias_, norm1_gain_, norm1_bias_;
  ParameterView in_weight_, in_bias_, out_weight_, out_bias_, norm2_gain_, norm2_bias_;
  // hidden_: the inputs of GELU, then its derivative there.
  Tensor input_, qkv_, probabilities_, context_, sum1_, mean1_, rstd1_, middle_, hidden_, activated_, sum2_, mean2_,
      rstd2_, output_;
};

}  // namespace tenfold
