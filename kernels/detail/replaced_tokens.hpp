#pragma once
// What replaced-token detection asks of its operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

inline void expect_corrupt_tokens(const Tensor& original, const Tensor& rows, const Tensor& drawn, const Tensor& count,
                                  const Tensor& corrupted, const Tensor& replaced) {
  TENFOLD_VERIFY(original.shape().rank() == 1 && rows.shape().rank() == 1, "original ", original.shape().describe(),
                 ", rows ", rows.shape().describe());
  expect(original, DType::i32, original.shape(), "corrupt_tokens: original");
  expect(rows, DType::i32, rows.shape(), "corrupt_tokens: rows");
  expect(drawn, DType::i32, rows.shape(), "corrupt_tokens: drawn");
  expect(count, DType::i32, {1}, "corrupt_tokens: count");
  expect(corrupted, DType::i32, original.shape(), "corrupt_tokens: corrupted");
  expect(replaced, DType::i32, original.shape(), "corrupt_tokens: replaced");
}

inline void expect_replaced_token_loss(const Tensor& hidden, const Tensor& w, const Tensor& b, const Tensor& replaced,
                                       const Tensor& weight, const Tensor& losses, const Tensor& predicted,
                                       const Tensor& dhidden, const Tensor& dw, const Tensor& db) {
  TENFOLD_VERIFY(hidden.shape().rank() == 2, "replaced_token_loss: hidden ", hidden.shape().describe());
  TENFOLD_VERIFY(bool(dhidden) == bool(dw) && bool(dhidden) == bool(db), "all gradients or none");
  const std::int64_t rows = hidden[0], width = hidden[1];
  expect(w, DType::f32, {width}, "replaced_token_loss: w");
  expect(b, DType::f32, {1}, "replaced_token_loss: b");
  expect(replaced, DType::i32, {rows}, "replaced_token_loss: replaced");
  expect(weight, DType::f32, {1}, "replaced_token_loss: weight");
  expect(losses, DType::f32, {rows}, "replaced_token_loss: losses");
  expect(predicted, DType::i32, {rows}, "replaced_token_loss: predicted");
  if (!dhidden) return;
  expect(dhidden, hidden.dtype(), hidden.shape(), "replaced_token_loss: dhidden");
  expect(dw, DType::f32, {width}, "replaced_token_loss: dw");
  expect(db, DType::f32, {1}, "replaced_token_loss: db");
}

}  // namespace tenfold::kernels::detail
