#pragma once
// PackedRows as kernels read them.

#include "kernels/cuda/detail/device.cuh"
#include "kernels/detail/operands.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::cuda {

struct PackedView {
  const std::int32_t* offsets = nullptr;
  const std::int32_t* sequence = nullptr;
  const std::int64_t* samples = nullptr;
  int sequences = 0;

  PackedView() = default;
  /// For an op over `count` rows; `name` says which: "dropout_forward: rows".
  PackedView(const kernels::PackedRows& packed, std::int64_t count, const char* name)
      : sequences(packed.samples ? static_cast<int>(packed.samples[0]) : 0) {
    TENFOLD_VERIFY(packed.samples && packed.sequence.shape().rank() == 1 && packed.sequence[0] >= count, name,
                   " tell of ", packed.sequence.shape().describe(), " rows, wanted ", count);
    kernels::detail::expect(packed.offsets, DType::i32, {sequences + 1}, name);
    offsets = packed.offsets.data<std::int32_t>();
    sequence = packed.sequence.data<std::int32_t>();
    samples = packed.samples.data<std::int64_t>();
  }
};

}  // namespace tenfold::cuda
