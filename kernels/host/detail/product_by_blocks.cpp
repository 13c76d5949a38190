// Products of any shape by blocks, and those whose operands lie in the way of the library's fastest form: gradients of
// weights, dW = dy^T x, whose first operand is a transpose and whose sum goes over the rows of a batch.
//
// f32: the library's sgemm, operands as they lie, on tiles of C. Measured on shapes of 128 to 1024 (GFLOP/s, AVX-512):
// 146 to 167, where pieces of A copied for the packed form gave 104 to 137; with AVX2 70 to 79 against 25 to 43.
// bf16: the packed form on copies of pieces.

#include <algorithm>

#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/instruction_set.hpp"
#include "kernels/host/detail/product.hpp"

namespace tenfold::kernels::detail {
namespace {

struct ForOperandA;  // these name scratch
struct ForOperandB;
struct ForPieceOfA;
struct ForPieceOfB;
struct ForRowsOfA;
struct ForRowsOfC;

/// Of the sum are done at a time, while they are in cache.
constexpr std::int64_t k_piece = 256;

std::int64_t row_bytes(const Matrix& a) {
  return a.columns * static_cast<std::int64_t>(size_of(a.type));
}

/// A product of `block` rows of which only the first `rows` are wanted and lie in a and c: the others are zeros.
void multiply_filled(Product& product, std::int64_t block, std::int64_t rows, const std::byte* a, std::int64_t a_bytes,
                     const void* packed, const float* bias, std::byte* c, std::int64_t c_bytes) {
  auto* filled_a = scratch<std::byte, ForRowsOfA>(block * a_bytes);
  auto* filled_c = scratch<std::byte, ForRowsOfC>(block * c_bytes);
  std::copy_n(a, rows * a_bytes, filled_a);
  std::fill(filled_a + rows * a_bytes, filled_a + block * a_bytes, std::byte{0});
  std::copy_n(c, rows * c_bytes, filled_c);  // wanted where it is added to
  product.execute(filled_a, packed, bias, filled_c);
  std::copy_n(filled_c, rows * c_bytes, c);
}

/// Of a dense A, by blocks of its rows.
void product_of_rows(const Matrix& a, const Matrix& b, const float* bias, void* c, DType c_type, bool accumulate) {
  static Label label = "tenfold::matmul::rows";
  const ProductShape shape{row_block, b.rows, a.columns, a.type, c_type, bias != nullptr, accumulate};
  const Product& here = Product::of(shape);
  const void* packed = b.data;
  if (!here.takes(b)) {
    void* memory = scratch<std::byte, ForOperandB>(packed_bytes(b.rows, b.columns, b.type));
    here.pack_in_parallel(b, memory);
    packed = memory;
  }
  const std::int64_t a_bytes = row_bytes(a), c_bytes = b.rows * static_cast<std::int64_t>(size_of(c_type));
  for_blocks(label, a.rows, row_block, [=, from = static_cast<const std::byte*>(a.data)](auto begin, auto end) {
    Product& product = Product::of(shape);
    const std::byte* rows = from + begin * a_bytes;
    std::byte* result = static_cast<std::byte*>(c) + begin * c_bytes;
    if (end - begin == row_block)
      product.execute(rows, packed, bias, result);
    else
      multiply_filled(product, row_block, end - begin, rows, a_bytes, packed, bias, result, c_bytes);
  });
}

/// Into how many tiles an extent is cut, and their extent: small ones stay in cache, few of them waste less.
struct Cut {
  static constexpr std::int64_t most = 384, unit = 16;
  std::int64_t count, step;
  Cut(std::int64_t extent, std::int64_t at_least) {
    const std::int64_t wanted = std::max((extent + most - 1) / most, at_least);
    step = ((extent + wanted - 1) / wanted + unit - 1) / unit * unit;
    count = (extent + step - 1) / step;
  }
};

/// A piece in f32: itself, or a copy in scratch memory.
template <class Purpose>
Matrix in_f32(const Matrix& piece) {
  return piece.type == DType::f32 ? piece : widen(piece, scratch<float, Purpose>(piece.rows * piece.columns));
}

/// sums[r] += the sum of row r, columns in order.
void add_row_sums(const Matrix& a, float* sums) {
  const float* from = static_cast<const float*>(a.data);
  if (a.row_stride != 1) {
    for (std::int64_t r = 0; r < a.rows; ++r)
      for (std::int64_t c = 0; c < a.columns; ++c) sums[r] += from[r * a.row_stride + c * a.column_stride];
    return;
  }
  float part[Cut::most + Cut::unit] = {};
  for (std::int64_t c = 0; c < a.columns; ++c)
#pragma omp simd
    for (std::int64_t r = 0; r < a.rows; ++r) part[r] += from[c * a.column_stride + r];
  for (std::int64_t r = 0; r < a.rows; ++r) sums[r] += part[r];
}

/// By sgemm: tiles of C, for each the pieces of k in order. At least two rows of tiles, for two threads.
void product_of_tiles(const Matrix& a, const Matrix& b, float* c, bool accumulate, float* a_row_sums) {
  static Label label = "tenfold::matmul::tiles";
  const std::int64_t least_to_cut = 128;
  const Cut rows(a.rows, a.rows > least_to_cut ? 2 : 1), columns(b.rows, 1);
  for (std::int64_t begin = 0; begin < a.columns; begin += k_piece) {
    const std::int64_t count = std::min(k_piece, a.columns - begin);
    for_blocks(label, rows.count * columns.count, 1, [=](std::int64_t tile, std::int64_t) {
      const std::int64_t row = tile / columns.count * rows.step, column = tile % columns.count * columns.step;
      const Matrix a_tile =
          in_f32<ForOperandA>(a.row_range(row, std::min(rows.step, a.rows - row)).column_range(begin, count));
      const Matrix b_tile =
          in_f32<ForOperandB>(b.row_range(column, std::min(columns.step, b.rows - column)).column_range(begin, count));
      if (a_row_sums != nullptr && column == 0) add_row_sums(a_tile, a_row_sums + row);
      sgemm(a_tile, b_tile, accumulate || begin > 0, c + row * b.rows + column, b.rows);
    });
  }
}

/// Columns [begin, begin + count) of a matrix, with columns of zeros up to `filled`, in scratch memory if there are
/// any.
template <class Purpose>
Matrix filled_columns(const Matrix& a, std::int64_t begin, std::int64_t count, std::int64_t filled) {
  const Matrix part = a.column_range(begin, count);
  if (filled == count) return part;
  const auto element = static_cast<std::int64_t>(size_of(a.type));
  std::byte* memory = scratch<std::byte, Purpose>(a.rows * filled * element);
  std::fill_n(memory, a.rows * filled * element, std::byte{0});
  const Lines lines(part);
  const bool by_rows = part.column_stride == 1;
  const std::int64_t pitch = by_rows ? filled : part.rows;
  for (std::int64_t line = 0; line < lines.count; ++line)
    std::copy_n(static_cast<const std::byte*>(part.data) + line * lines.stride * element, lines.length * element,
                memory + line * pitch * element);
  return {memory, a.type, a.rows, filled, by_rows ? pitch : 1, by_rows ? 1 : pitch};
}

/// By the packed form, A copied: by pieces of k, filled up to one of two extents, and blocks of rows of A that stay in
/// the cache of a core, at least two of them, for two threads.
void product_of_copies(const Matrix& a, const Matrix& b, float* c, bool accumulate, float* a_row_sums) {
  static Label label = "tenfold::matmul::copies";
  constexpr std::int64_t unit = 64, least = 128, most = 256;
  const std::int64_t block = std::clamp((a.rows + 4 * unit - 1) / (4 * unit) * unit, least, most);
  const std::int64_t a_bytes = k_piece * static_cast<std::int64_t>(size_of(a.type));
  const std::int64_t c_bytes = b.rows * static_cast<std::int64_t>(sizeof(float));
  void* packed = scratch<std::byte, ForOperandB>(packed_bytes(b.rows, k_piece, b.type));
  const auto part = [=](std::int64_t k) -> Product& {
    return Product::of({block, b.rows, k, a.type, DType::f32, false, true});
  };
  if (!accumulate) std::fill_n(c, a.rows * b.rows, 0.0F);
  for (std::int64_t begin = 0; begin < a.columns; begin += k_piece) {
    const std::int64_t count = std::min(k_piece, a.columns - begin), half = k_piece / 2;
    const bool whole = count > half;
    const Matrix a_piece = filled_columns<ForPieceOfA>(a, begin, count, whole ? k_piece : half);
    part(a_piece.columns).pack_in_parallel(filled_columns<ForPieceOfB>(b, begin, count, a_piece.columns), packed);
    for_blocks(label, a.rows, block, [=](std::int64_t row, std::int64_t end) {
      Product &shorter = part(half), &longer = part(k_piece);  // both, lest one be made in a later step
      Product& product = whole ? longer : shorter;
      auto* dense = scratch<std::byte, ForOperandA>(block * a_bytes);
      copy_dense(a_piece.row_range(row, end - row), 0, end - row, dense,
                 a_row_sums == nullptr ? nullptr : a_row_sums + row);
      if (end - row == block) return product.execute(dense, packed, nullptr, c + row * b.rows);
      multiply_filled(product, block, end - row, dense, row_bytes(a_piece), packed, nullptr,
                      reinterpret_cast<std::byte*>(c + row * b.rows), c_bytes);
    });
  }
}

}  // namespace

void product(const Matrix& a, const Matrix& b, const float* bias, void* c, DType c_type, bool accumulate,
             float* a_row_sums) {
  if (a.dense() && a_row_sums == nullptr) return product_of_rows(a, b, bias, c, c_type, accumulate);
  TENFOLD_VERIFY(c_type == DType::f32 && bias == nullptr, "a product by pieces is in f32 and without bias");
  const bool by_copies = a.type == DType::bf16 && multiplies_bf16();
  (by_copies ? product_of_copies : product_of_tiles)(a, b, static_cast<float*>(c), accumulate, a_row_sums);
}

}  // namespace tenfold::kernels::detail
