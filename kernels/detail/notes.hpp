#pragma once
// What the ops on notes ask of their operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

/// Occurrences in the rows of matrix, [N, d]. begin, end: i32 [O]; count: i32 [1].
inline void expect_spans(const Tensor& begin, const Tensor& end, const Tensor& count, const Tensor& matrix) {
  TENFOLD_VERIFY(matrix.shape().rank() == 2 && begin.shape().rank() == 1, "occurrences ", begin.shape().describe(),
                 " in ", matrix.shape().describe());
  expect(begin, DType::i32, begin.shape(), "notes: begin");
  expect(end, DType::i32, begin.shape(), "notes: end");
  expect(count, DType::i32, {1}, "notes: count");
}

inline void verify_mix(float mix) {
  TENFOLD_VERIFY(mix >= 0 && mix <= 1, "mix ", mix);
}

/// row: i32 [U]; first: i32 [U + 1]; values: f32 [C, d]; table: f32 [K, d].
inline void expect_update_notes(const Tensor& row, const Tensor& first, const Tensor& values, float rate,
                                const Tensor& table) {
  TENFOLD_VERIFY(table.shape().rank() == 2 && row.shape().rank() == 1 && values.shape().rank() == 2, "table ",
                 table.shape().describe(), ", row ", row.shape().describe(), ", values ", values.shape().describe());
  TENFOLD_VERIFY(rate >= 0 && rate <= 1, "rate ", rate);
  expect(row, DType::i32, {row[0]}, "update_notes: row");
  expect(first, DType::i32, {row[0] + 1}, "update_notes: first");
  expect(values, DType::f32, {values[0], table[1]}, "update_notes: values");
  expect(table, DType::f32, table.shape(), "update_notes: table");
}

}  // namespace tenfold::kernels::detail
