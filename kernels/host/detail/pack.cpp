#include "kernels/host/detail/pack.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/host/detail/bfloat16.hpp"

namespace tenfold::kernels::detail {
namespace {

constexpr std::int64_t lanes = 16;
using Words = std::uint32_t __attribute__((vector_size(4 * lanes)));
using Halves = std::uint16_t __attribute__((vector_size(2 * lanes)));
using Floats = float __attribute__((vector_size(4 * lanes)));

/// One of the four stages of a transposition of 16 x 16 words: exchanges index bits of row and lane.
template <int distance, int... lane>
void exchange(Words (&rows)[lanes], std::integer_sequence<int, lane...>) {
#pragma GCC unroll 16
  for (int row = 0; row < lanes; ++row) {
    if ((row & distance) != 0) continue;
    const Words low = rows[row], high = rows[row + distance];
    rows[row] = __builtin_shufflevector(low, high, ((lane & distance) == 0 ? lane : lane - distance + 16)...);
    rows[row + distance] =
        __builtin_shufflevector(low, high, ((lane & distance) == 0 ? lane + distance : lane + 16)...);
  }
}

using Lanes = std::make_integer_sequence<int, lanes>;

void transpose(Words (&rows)[lanes]) {
  exchange<1>(rows, Lanes{});
  exchange<2>(rows, Lanes{});
  exchange<4>(rows, Lanes{});
  exchange<8>(rows, Lanes{});
}

template <class Vector>
Vector load_vector(const void* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store(const Words& value, void* to) {
  std::memcpy(to, &value, sizeof value);
}

/// Words of 16 neighbouring elements of a line: the elements themselves (f32), or each with its neighbour on the next
/// line in the upper half (bf16).
Words load_words(const float* line, std::int64_t) {
  return load_vector<Words>(line);
}
Words load_words(const BFloat16* line, std::int64_t next) {
  const Words low = __builtin_convertvector(load_vector<Halves>(line), Words);
  const Words high = __builtin_convertvector(load_vector<Halves>(line + next), Words);
  return low | (high << 16);
}

template <class T>
constexpr std::int64_t per_word = 4 / sizeof(T);

/// Words of 32 neighbouring columns of a line: in order (f32), or each with its neighbour on the next line in the upper
/// half (bf16), interleaved four by four as one instruction does it.
void load_line(const float* line, std::int64_t, Words& first, Words& second) {
  first = load_vector<Words>(line);
  second = load_vector<Words>(line + lanes);
}
using Pairs = std::uint16_t __attribute__((vector_size(4 * lanes)));

/// Words of columns `first` to first + 3 and every eighth after: of the lower halves those of `low`, of the upper ones
/// those of `high`.
template <int first, int... i>
Words interleave(Pairs low, Pairs high, std::integer_sequence<int, i...>) {
  return reinterpret_cast<Words>(__builtin_shufflevector(low, high, (first + i / 8 * 8 + i % 8 / 2 + i % 2 * 32)...));
}

void load_line(const BFloat16* line, std::int64_t next, Words& first, Words& second) {
  using Columns = std::make_integer_sequence<int, 2 * lanes>;
  const auto low = load_vector<Pairs>(line), high = load_vector<Pairs>(line + next);
  first = interleave<0>(low, high, Columns{});
  second = interleave<4>(low, high, Columns{});
}

/// Where load_line puts a column, counting through both vectors.
constexpr int place_of(float, int column) {
  return column;
}
constexpr int place_of(BFloat16, int column) {
  return column / 8 * 4 + column % 4 + column % 8 / 4 * static_cast<int>(lanes);
}

Floats sum_of_elements(float, Words words) {
  return reinterpret_cast<Floats>(words);
}
Floats sum_of_elements(BFloat16, Words words) {
  return reinterpret_cast<Floats>(words << 16) + reinterpret_cast<Floats>(words & 0xFFFF0000U);
}

/// row_sums[0 .. 15] += the sums of columns `first` to first + 15, which lie where load_line put them.
template <class T, int first, int... lane>
void add_in_order(Floats front, Floats back, float* row_sums, std::integer_sequence<int, lane...>) {
  const Floats total =
      load_vector<Floats>(row_sums) + __builtin_shufflevector(front, back, place_of(T{}, first + lane)...);
  std::memcpy(row_sums, &total, sizeof total);
}

/// row_sums[0 .. 31] += sums over the lines of what load_line made of them.
template <class T>
void add_sums(const Words (&words)[2][lanes], float* row_sums) {
  Floats sums[2] = {};
  for (int half = 0; half < 2; ++half)
    for (const Words& word : words[half]) sums[half] += sum_of_elements(T{}, word);
  add_in_order<T, 0>(sums[0], sums[1], row_sums, Lanes{});
  add_in_order<T, lanes>(sums[0], sums[1], row_sums + lanes, Lanes{});
}

/// One tile of a transposition: `parts` times 32 rows by a cache line of columns. Whole cache lines of the source are
/// read at once: they would not survive in the cache until their other half is wanted.
template <class T, int parts>
void transpose_tile(const T* source, std::int64_t stride, T* dense, std::int64_t columns, float* row_sums) {
  Words words[parts][2][lanes];
  for (int i = 0; i < lanes; ++i)
    for (int part = 0; part < parts; ++part)
      load_line(source + per_word<T> * i * stride + part * 2 * lanes, stride, words[part][0][i], words[part][1][i]);
  for (int part = 0; part < parts; ++part) {
    const std::int64_t first = part * 2 * lanes;
    if (row_sums != nullptr) add_sums<T>(words[part], row_sums + first);
    for (Words(&half)[lanes] : words[part]) transpose(half);
#pragma GCC unroll 32
    for (int row = 0; row < 2 * lanes; ++row) {
      const int place = place_of(T{}, row);
      store(words[part][place / lanes][place % lanes], dense + (first + row) * columns);
    }
  }
}

/// Tiles of rows [row, end), then narrower ones; the first row not done is returned.
template <class T, int parts>
std::int64_t transpose_tiles(const T* source, std::int64_t stride, std::int64_t row, std::int64_t end, T* dense,
                             std::int64_t columns, float* row_sums) {
  constexpr std::int64_t rows = parts * 2 * lanes;
  for (; row + rows <= end; row += rows)
    transpose_tile<T, parts>(source + row, stride, dense + row * columns, columns,
                             row_sums == nullptr ? nullptr : row_sums + row);
  if constexpr (parts > 1) return transpose_tiles<T, parts / 2>(source, stride, row, end, dense, columns, row_sums);
  return row;
}

template <class T>
void copy_elements(const Matrix& source, std::int64_t row, std::int64_t row_end, std::int64_t column, T* dense,
                   float* row_sums) {
  const T* elements = static_cast<const T*>(source.data);
  for (std::int64_t r = row; r < row_end; ++r) {
    const T* from = elements + r * source.row_stride;
    T* to = dense + r * source.columns;
    if (source.column_stride == 1)
      std::copy(from + column, from + source.columns, to + column);
    else
      for (std::int64_t c = column; c < source.columns; ++c) to[c] = from[c * source.column_stride];
    if (row_sums == nullptr) continue;
    float sum = 0;
    for (std::int64_t c = column; c < source.columns; ++c) sum += to_float(to[c]);
    row_sums[r] += sum;
  }
}

template <class T>
void copy_dense_as(const Matrix& source, std::int64_t begin, std::int64_t end, T* out, float* row_sums) {
  constexpr int parts = 128 / (2 * lanes * sizeof(T));
  constexpr std::int64_t tile = lanes * per_word<T>;
  std::int64_t row = begin, column = 0;
  if (source.row_stride == 1)
    for (; column + tile <= source.columns; column += tile)
      row = transpose_tiles<T, parts>(static_cast<const T*>(source.data) + column * source.column_stride,
                                      source.column_stride, begin, end, out + column, source.columns, row_sums);
  copy_elements(source, begin, row, column, out, row_sums);
  copy_elements(source, row, end, 0, out, row_sums);
}

/// The family of layouts of matrix kernels: [row block][column block][columns / v][rows][v] with v elements to a word.
template <class T>
bool is_matrix_kernel_layout(const BlockedLayout& layout) {
  const auto& inner = layout.inner;
  const bool elements_of_word =
      per_word<T> == 1 ? layout.inner_count == 2
                       : layout.inner_count == 3 && inner[2].dimension == 1 && inner[2].size == per_word<T>;
  return elements_of_word && inner[0].dimension == 1 && inner[1].dimension == 0 && inner[0].size == lanes &&
         inner[1].size % lanes == 0;
}

/// 16 rows by 16 words of a block in such a layout, from a source with neighbouring columns or neighbouring rows.
template <class T>
void pack_tile(const T* from, const Matrix& source, std::int64_t block_rows, T* to) {
  const std::int64_t line = block_rows * per_word<T>;
  if (source.row_stride == 1) {
    for (int i = 0; i < lanes; ++i)
      store(load_words(from + per_word<T> * i * source.column_stride, source.column_stride), to + i * line);
    return;
  }
  Words words[lanes];
  for (int i = 0; i < lanes; ++i) words[i] = load_vector<Words>(from + i * source.row_stride);
  transpose(words);
  for (int i = 0; i < lanes; ++i) store(words[i], to + i * line);
}

template <class T>
void pack_elements(const Matrix& source, const BlockedLayout& layout, std::int64_t row, std::int64_t row_end,
                   std::int64_t column, std::int64_t column_end, T* out) {
  const T* elements = static_cast<const T*>(source.data);
  for (std::int64_t r = row; r < row_end; ++r)
    for (std::int64_t c = column; c < column_end; ++c)
      out[layout.offset(r, c)] =
          r < source.rows && c < source.columns ? elements[r * source.row_stride + c * source.column_stride] : T{};
}

/// The dimension along which neighbours lie farthest apart: packing goes along it, so that it reads in order of memory.
int outer_dimension(const Matrix& source) {
  return source.row_stride == 1 ? 1 : 0;
}

template <class T>
void pack_as(const Matrix& source, const BlockedLayout& layout, std::int64_t begin, std::int64_t end, T* out) {
  const T* elements = static_cast<const T*>(source.data);
  const bool fast = is_matrix_kernel_layout<T>(layout) && (source.row_stride == 1 || source.column_stride == 1);
  const int outer = outer_dimension(source), inner = 1 - outer;
  const std::array<std::int64_t, 2> block = {layout.block(0), layout.block(1)};
  std::array<std::int64_t, 2> at{};  // row and column of a block
  for (at[outer] = begin * block[outer]; at[outer] < end * block[outer]; at[outer] += block[outer])
    for (at[inner] = 0; at[inner] < layout.padded[inner]; at[inner] += block[inner])
      for (std::int64_t row = at[0]; row < at[0] + block[0]; row += lanes) {
        const std::int64_t column = at[1], row_end = std::min(row + lanes, at[0] + block[0]);
        if (fast && row_end <= source.rows && column + block[1] <= source.columns)
          pack_tile(elements + row * source.row_stride + column * source.column_stride, source, block[0],
                    out + layout.offset(row, column));
        else
          pack_elements(source, layout, row, row_end, column, column + block[1], out);
      }
}

}  // namespace

Lines::Lines(const Matrix& matrix) : count(matrix.rows), length(matrix.columns), stride(matrix.row_stride) {
  if (matrix.column_stride == 1) return;
  TENFOLD_VERIFY(matrix.row_stride == 1, "a matrix with strides ", matrix.row_stride, " and ", matrix.column_stride);
  std::swap(count, length);
  stride = matrix.column_stride;
}

std::int64_t BlockedLayout::block(int dimension) const {
  std::int64_t size = 1;
  for (int i = 0; i < inner_count; ++i)
    if (inner[i].dimension == dimension) size *= inner[i].size;
  return size;
}

std::int64_t BlockedLayout::offset(std::int64_t row, std::int64_t column) const {
  std::array<std::int64_t, 2> index{row, column};
  std::int64_t position = 0, extent = 1;
  for (int i = inner_count - 1; i >= 0; --i) {
    position += index[inner[i].dimension] % inner[i].size * extent;
    index[inner[i].dimension] /= inner[i].size;
    extent *= inner[i].size;
  }
  return position + index[0] * outer_stride[0] + index[1] * outer_stride[1];
}

std::int64_t pack_steps(const Matrix& source, const BlockedLayout& layout) {
  const int outer = outer_dimension(source);
  return layout.padded[outer] / layout.block(outer);
}

void pack(const Matrix& source, const BlockedLayout& layout, std::int64_t begin, std::int64_t end, void* out) {
  if (source.type == DType::f32) return pack_as(source, layout, begin, end, static_cast<float*>(out));
  pack_as(source, layout, begin, end, static_cast<BFloat16*>(out));
}

void copy_dense(const Matrix& source, std::int64_t begin, std::int64_t end, void* out, float* row_sums) {
  if (source.type == DType::f32) return copy_dense_as(source, begin, end, static_cast<float*>(out), row_sums);
  copy_dense_as(source, begin, end, static_cast<BFloat16*>(out), row_sums);
}

Matrix widen(const Matrix& source, float* out) {
  const Lines lines(source);
  const auto* from = static_cast<const BFloat16*>(source.data);
  for (std::int64_t line = 0; line < lines.count; ++line)
    load(from + line * lines.stride, lines.length, out + line * lines.length);
  const bool by_rows = source.column_stride == 1;
  return {out, DType::f32, source.rows, source.columns, by_rows ? lines.length : 1, by_rows ? 1 : lines.length};
}

}  // namespace tenfold::kernels::detail
