#pragma once
// What draw_candidates asks of its operands, on any device.

#include "kernels/detail/operands.hpp"
#include "kernels/draw_candidates.hpp"

namespace tenfold::kernels::detail {

inline void expect_draw_candidates(const Tensor& hidden, const Tensor& table, const Tensor& bias, const Tensor& truth,
                                   const Tensor& excluded, const CandidateDraws& law, const Tensor& temperature,
                                   const Tensor& count, const Tensor& negatives) {
  TENFOLD_VERIFY(table.shape().rank() == 2 && hidden.shape().rank() == 2 && table[0] > 0 && table[1] > 0, "hidden ",
                 hidden.shape().describe(), ", table ", table.shape().describe());
  TENFOLD_VERIFY(negatives.shape().rank() == 2 && excluded.shape().rank() == 1, "negatives ",
                 negatives.shape().describe(), ", excluded ", excluded.shape().describe());
  const std::int64_t rows = hidden[0];
  expect(hidden, table.dtype(), {rows, table[1]}, "draw_candidates: hidden");
  expect(bias, DType::f32, {table[0]}, "draw_candidates: bias");
  expect(truth, DType::i32, {rows}, "draw_candidates: truth");
  expect(excluded, DType::i32, excluded.shape(), "draw_candidates: excluded");
  expect(law.draws.step, DType::i64, {1}, "draw_candidates: step");
  expect(temperature, DType::f32, {1}, "draw_candidates: temperature");
  expect(count, DType::i32, {1}, "draw_candidates: count");
  expect(negatives, DType::i32, {rows, negatives[1]}, "draw_candidates: negatives");
}

}  // namespace tenfold::kernels::detail
