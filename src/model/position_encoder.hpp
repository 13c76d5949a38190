#pragma once
// How an encoder knows the order of its tokens: `absolute` (in the embedding only), `relative` (absolute and a T5
// bias), `tupe-a`, `tupe-r` (untied positions, Ke et al., arXiv 2006.15595). All parts but the embedding are one bias
// [H, T, T] on the attention scores, computed in f32 once a forward pass and shared by all layers.

#include "base/arena.hpp"
#include "kernels/position_bias.hpp"
#include "model/encoder_layer.hpp"
#include "model/parameters.hpp"

namespace tenfold {

struct PositionShape {
  bool absolute;  ///< positions are added to the embedding
  bool untied;    ///< TUPE: projected positions have their own attention term
  bool relative;  ///< T5 buckets
  bool untie_cls;
  int buckets, max_distance;
  std::int64_t length;  ///< T
};

class PositionEncoder {
 public:
  PositionEncoder(Parameters& parameters, const std::string& prefix, const PositionShape& shape,
                  const EncoderShape& encoder);
  void allocate(Arena& arena);
  /// Copies the bucket table to the device; before the first forward.
  void prepare(Queue& queue);

  /// The bias for all layers of this pass, its gradient buffer cleared.
  AttentionBias forward(Queue& queue);
  /// After all layers have added to the bias gradient.
  void backward(Queue& queue);

  /// Matrix-product FLOPs of one forward.
  double forward_flops() const;

 private:
  kernels::PositionBias weights() const;

  const Parameters& parameters_;
  PositionShape shape_;
  int width_, heads_;
  float epsilon_;
  ParameterView table_, gain_, bias_, query_weight_, query_bias_, key_weight_, key_bias_, relative_, cls_;
  Tensor normalised_, mean_, rstd_, query_, key_, query_gradient_, key_gradient_, normalised_gradient_, buckets_;
  Tensor value_, gradient_;
};

}  // namespace tenfold
