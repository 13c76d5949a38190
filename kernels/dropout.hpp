#pragma once
// Dropout (Srivastava et al. 2014), inverted: kept elements are divided by (1 - rate). Which elements are kept is a
// function of (key, step, global sample, position in the sample), so that it does not depend on rank, device or
// micro-batch, and backward draws it again instead of storing it.

#include <cstdint>

#include "kernels/op.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels {

/// One dropout site. A Philox block decides on eight elements, 16 bits each: element e of a sample is kept if
///   half-word e % 8 of block(key, e / 8, step, sample) >= round(rate * 65536)
/// Element t*d + c of a sample is column c of its token t in a [N, d] matrix.
struct Dropout {
  PackedRows rows;
  float rate = 0;         ///< 0: nothing is dropped, what follows is not read
  std::uint64_t key = 0;  ///< stream_key(seed, site name)
  Tensor step;            ///< i64 [1]
};

/// y = dropout(x), and 0 in rows that belong to no sequence, whatever stands there in x. x, y: [N, d], f32 or bf16. In
/// place allowed.
inline constinit Op<void(Queue& queue, const Tensor& x, const Dropout& dropout, const Tensor& y)> dropout_forward(
    "dropout_forward");
/// dx = the same mask and scale on dy. In place allowed.
inline constinit Op<void(Queue& queue, const Tensor& dy, const Dropout& dropout, const Tensor& dx)> dropout_backward(
    "dropout_backward");

}  // namespace tenfold::kernels
