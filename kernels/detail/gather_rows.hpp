#pragma once
// What a selection of rows asks of its operands, on any device.

#include "kernels/detail/operands.hpp"

namespace tenfold::kernels::detail {

/// all: [N, d]; selected: [R, d] of the same type; index: i32 [R]; count: i32 [1].
inline void expect_selection(const Tensor& all, const Tensor& selected, const Tensor& index, const Tensor& count) {
  TENFOLD_VERIFY(all.shape().rank() == 2 && selected.shape().rank() == 2 && all[1] == selected[1], "rows of ",
                 all.shape().describe(), " and ", selected.shape().describe());
  expect(selected, all.dtype(), selected.shape(), "gather_rows: selected rows");
  expect(index, DType::i32, {selected[0]}, "gather_rows: index");
  expect(count, DType::i32, {1}, "gather_rows: count");
}

}  // namespace tenfold::kernels::detail
