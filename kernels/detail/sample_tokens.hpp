#pragma once
// What sample_tokens asks of its operands, on any device.

#include "kernels/detail/operands.hpp"
#include "kernels/sample_tokens.hpp"

namespace tenfold::kernels::detail {

inline void expect_sample_tokens(const Tensor& logits, const Tensor& places, const Tensor& count,
                                 const Tensor& excluded, const Draws& draws, const Tensor& tokens) {
  TENFOLD_VERIFY(logits.shape().rank() == 2 && logits[1] > 0 && excluded.shape().rank() == 1, "logits ",
                 logits.shape().describe(), ", excluded ", excluded.shape().describe());
  expect(logits, DType::f32, logits.shape(), "sample_tokens: logits");
  expect(places, DType::i32, {logits[0]}, "sample_tokens: places");
  expect(count, DType::i32, {1}, "sample_tokens: count");
  expect(excluded, DType::i32, excluded.shape(), "sample_tokens: excluded");
  expect(draws.step, DType::i64, {1}, "sample_tokens: step");
  expect(tokens, DType::i32, {logits[0]}, "sample_tokens: tokens");
}

}  // namespace tenfold::kernels::detail
