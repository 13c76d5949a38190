#pragma once
// Selected rows of a matrix. index: i32 [R], distinct rows of x; count: i32 [1] on the device, the first `count` are
// valid.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// out[r] = x[index[r]] for r < count, 0 beyond. x: [N, d], out: [R, d].
inline constinit Op<void(Queue& queue, const Tensor& x, const Tensor& index, const Tensor& count, const Tensor& out)>
    gather_rows("gather_rows");
/// dx[index[r]] = dout[r] for r < count; all other rows of dx become 0.
inline constinit Op<void(Queue& queue, const Tensor& dout, const Tensor& index, const Tensor& count, const Tensor& dx)>
    scatter_rows("scatter_rows");

}  // namespace tenfold::kernels
