#pragma once
// What the multiple-choice head asks of its operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

inline void expect_questions(const Tensor& original, const Tensor& replaced, const Tensor& negatives, const Tensor& k,
                             const Tensor& candidates, const Tensor& labels) {
  TENFOLD_VERIFY(candidates.shape().rank() == 2 && candidates[1] >= 2, "candidates ", candidates.shape().describe());
  const std::int64_t rows = candidates[0], slots = candidates[1];
  expect(original, DType::i32, {rows}, "make_questions: original");
  expect(replaced, DType::i32, {rows}, "make_questions: replaced");
  expect(negatives, DType::i32, {rows, slots - 1}, "make_questions: negatives");
  expect(k, DType::i32, {1}, "make_questions: k");
  expect(candidates, DType::i32, {rows, slots}, "make_questions: candidates");
  expect(labels, DType::i32, {rows}, "make_questions: labels");
}

inline void expect_candidate_loss(const Tensor& hidden, const Tensor& table, const Tensor& bias,
                                  const Tensor& candidates, const Tensor& labels, const Tensor& weight,
                                  const Tensor& losses, const Tensor& choice, const Tensor& dhidden,
                                  const Tensor& dtable, const Tensor& dbias) {
  TENFOLD_VERIFY(table.shape().rank() == 2 && hidden.shape().rank() == 2 && candidates.shape().rank() == 2, "hidden ",
                 hidden.shape().describe(), ", table ", table.shape().describe(), ", candidates ",
                 candidates.shape().describe());
  TENFOLD_VERIFY(bool(dhidden) == bool(dtable) && bool(dhidden) == bool(dbias), "all gradients or none");
  const std::int64_t rows = hidden[0], width = table[1];
  expect(hidden, table.dtype(), {rows, width}, "candidate_loss: hidden");
  expect(bias, DType::f32, {table[0]}, "candidate_loss: bias");
  expect(candidates, DType::i32, {rows, candidates[1]}, "candidate_loss: candidates");
  expect(labels, DType::i32, {rows}, "candidate_loss: labels");
  expect(weight, DType::f32, {1}, "candidate_loss: weight");
  expect(losses, DType::f32, {rows}, "candidate_loss: losses");
  expect(choice, DType::i32, {rows}, "candidate_loss: choice");
  if (!dhidden) return;
  expect(dhidden, hidden.dtype(), {rows, width}, "candidate_loss: dhidden");
  expect(dtable, DType::f32, table.shape(), "candidate_loss: dtable");
  expect(dbias, DType::f32, {table[0]}, "candidate_loss: dbias");
}

}  // namespace tenfold::kernels::detail
