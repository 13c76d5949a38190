#pragma once
// PackedRows as host kernels read them.

#include "kernels/detail/operands.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels::detail {

struct PackedView {
  const std::int32_t *offsets, *sequence;
  const std::int64_t* samples;
  std::int64_t rows, sequences;

  /// For an op over `count` rows; `name` says which: "dropout_forward: rows".
  PackedView(const PackedRows& packed, std::int64_t count, const char* name)
      : rows(count), sequences(packed.samples ? packed.samples[0] : 0) {
    TENFOLD_VERIFY(packed.samples && packed.sequence.shape().rank() == 1 && packed.sequence[0] >= count, name,
                   " tell of ", packed.sequence.shape().describe(), " rows, wanted ", count);
    expect(packed.samples, DType::i64, {sequences}, name);
    expect(packed.offsets, DType::i32, {sequences + 1}, name);
    expect(packed.sequence, DType::i32, packed.sequence.shape(), name);
    offsets = packed.offsets.data<std::int32_t>();
    sequence = packed.sequence.data<std::int32_t>();
    samples = packed.samples.data<std::int64_t>();
    TENFOLD_VERIFY(offsets[0] == 0 && offsets[sequences] <= count, name, " end at ", offsets[sequences], " of ", count);
    for (std::int64_t b = 0; b < sequences; ++b)
      TENFOLD_VERIFY(offsets[b] <= offsets[b + 1], name, ": sequence ", b, " has length ", length(b));
  }

  std::int64_t filled() const { return offsets[sequences]; }
  std::int64_t length(std::int64_t b) const { return offsets[b + 1] - offsets[b]; }
  /// Of a row n < filled(): its position in its sequence, and the global index of that.
  std::int64_t position(std::int64_t n) const { return n - offsets[sequence[n]]; }
  std::int64_t sample(std::int64_t n) const { return samples[sequence[n]]; }
};

}  // namespace tenfold::kernels::detail
