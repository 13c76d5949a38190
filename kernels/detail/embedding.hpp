#pragma once
// What the look-up of tokens and positions asks of its operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

/// rows: [N, d]; positions: [T, d] of this type. `name` says which: "positions_forward: positions".
inline void expect_positions(const Tensor& positions, DType type, const Tensor& rows, const char* name) {
  TENFOLD_VERIFY(positions.shape().rank() == 2 && rows.shape().rank() == 2, name, " are ", positions.shape().describe(),
                 " for rows ", rows.shape().describe());
  expect(positions, type, {positions[0], rows[1]}, name);
}

/// tokens: i32 [N]; table: [V, d]; out: [N, d], positions: [T, d] or absent, both of the table's type.
inline void expect_embedding_forward(const Tensor& tokens, const Tensor& table, const Tensor& positions,
                                     const Tensor& out) {
  TENFOLD_VERIFY(table.shape().rank() == 2 && out.shape().rank() == 2, "table ", table.shape().describe(), ", out ",
                 out.shape().describe());
  expect(out, table.dtype(), {out[0], table[1]}, "embedding_forward: out");
  expect(tokens, DType::i32, {out[0]}, "embedding_forward: tokens");
  if (positions) expect_positions(positions, table.dtype(), out, "embedding_forward: positions");
}

/// tokens: i32 [N]; dout: [N, d]; dtable: f32 [V, d].
inline void expect_embedding_backward(const Tensor& tokens, const Tensor& dout, const Tensor& dtable) {
  TENFOLD_VERIFY(dtable.shape().rank() == 2 && dout.shape().rank() == 2, "dtable ", dtable.shape().describe(),
                 ", dout ", dout.shape().describe());
  expect(dtable, DType::f32, {dtable[0], dout[1]}, "embedding_backward: dtable");
  expect(tokens, DType::i32, {dout[0]}, "embedding_backward: tokens");
}

}  // namespace tenfold::kernels::detail
