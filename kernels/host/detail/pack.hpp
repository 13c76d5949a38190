#pragma once
// Rearranging matrices for products: transposition, and the blocked layouts in which oneDNN's fastest kernels read
// their second operand. Done here because oneDNN's own reorders take two to eight times as long.

#include <array>
#include <cstdint>

#include "base/tensor.hpp"

namespace tenfold::kernels::detail {

/// Any strided view of f32 or bf16: element (r, c) lies at r * row_stride + c * column_stride.
struct Matrix {
  const void* data;
  DType type;
  std::int64_t rows, columns, row_stride, column_stride;

  bool dense() const { return column_stride == 1 && (row_stride == columns || rows == 1); }
  Matrix transposed() const { return {data, type, columns, rows, column_stride, row_stride}; }
  /// Rows [begin, begin + count).
  Matrix row_range(std::int64_t begin, std::int64_t count) const {
    return transposed().column_range(begin, count).transposed();
  }
  /// Columns [begin, begin + count).
  Matrix column_range(std::int64_t begin, std::int64_t count) const {
    const auto offset = static_cast<std::int64_t>(size_of(type)) * begin * column_stride;
    return {static_cast<const char*>(data) + offset, type, rows, count, row_stride, column_stride};
  }
};

/// A matrix with a stride of 1 as its lines of neighbouring elements: rows or columns.
struct Lines {
  std::int64_t count, length, stride;
  explicit Lines(const Matrix& matrix);
};

/// A blocked layout of a matrix: up to three inner blocks, outermost first, each over rows (0) or columns (1); strides
/// of the outer indices in elements.
struct BlockedLayout {
  struct Inner {
    std::int64_t size;
    int dimension;
  };
  std::array<std::int64_t, 2> padded{}, outer_stride{};
  std::array<Inner, 3> inner{};
  int inner_count = 0;

  std::int64_t block(int dimension) const;                           ///< elements of a whole block along a dimension
  std::int64_t offset(std::int64_t row, std::int64_t column) const;  ///< in elements
};

/// Into how many independent steps packing can be cut.
std::int64_t pack_steps(const Matrix& source, const BlockedLayout& layout);

/// Steps [begin, end) of bringing `source` into `layout`, padding set to zero.
void pack(const Matrix& source, const BlockedLayout& layout, std::int64_t begin, std::int64_t end, void* out);

/// Rows [begin, end) of `source` as a dense row-major matrix, written to those rows of `out`. Where row_sums is given,
/// row_sums[r] += the sum of row r in f32, columns in order of a fixed tree.
void copy_dense(const Matrix& source, std::int64_t begin, std::int64_t end, void* out, float* row_sums = nullptr);

/// A bf16 matrix, one of whose strides is 1, in f32: its lines one after another in `out`.
Matrix widen(const Matrix& source, float* out);

}  // namespace tenfold::kernels::detail
