#pragma once
// Token look-up with optional added positions, and the scatter-add of its gradient. Rows are packed sequences; those
// that belong to none are 0 in forward and contribute nothing in backward.
//   tokens      i32 [N]
//   table       [V, d], f32 or bf16
//   positions   [T, d] of the same type, or absent
//   out         [N, d] of the same type

#include "kernels/op.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels {

/// out[n] = table[tokens[n]] + positions[t] for row n, token t of its sequence.
inline constinit Op<void(Queue& queue, const Tensor& tokens, const PackedRows& rows, const Tensor& table,
                         const Tensor& positions, const Tensor& out)>
    embedding_forward("embedding_forward");

/// dtable[tokens[n]] += dout[n], f32 [V, d], in the order of rows: the same bits each time.
/// dpositions[t] += sum over sequences of dout, f32 [T, d] or absent.
inline constinit Op<void(Queue& queue, const Tensor& tokens, const PackedRows& rows, const Tensor& dout,
                         const Tensor& dtable, const Tensor& dpositions)>
    embedding_backward("embedding_backward");

/// x[n] += positions[t]. x: [N, d].
inline constinit Op<void(Queue& queue, const PackedRows& rows, const Tensor& positions, const Tensor& x)>
    positions_forward("positions_forward");
/// dpositions[t] += sum over sequences of dx, f32 [T, d].
inline constinit Op<void(Queue& queue, const PackedRows& rows, const Tensor& dx, const Tensor& dpositions)>
    positions_backward("positions_backward");

}  // namespace tenfold::kernels
