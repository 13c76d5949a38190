#pragma once
// All that an encoder sees of a micro-batch.

#include <cstdint>

#include "kernels/packed_rows.hpp"

namespace tenfold {

/// Extents that hold for a whole run: whole sequences fill a fixed budget of rows, one after another.
struct RowBudget {
  std::int64_t rows;       ///< N
  std::int64_t sequences;  ///< B, the most that may share the rows
  std::int64_t length;     ///< T, the longest sequence
};

/// Notes on the rare words of a micro-batch; all tensors are empty in a run without notes.
struct NoteInput {
  Tensor begin, end;     ///< i32 [O], rows of the occurrences that get a note
  Tensor count;          ///< i32 [1], how many of the O are valid
  Tensor vectors;        ///< f32 [O, d], their notes
  float mix = 0;         ///< share of the note
  bool rescale = false;  ///< to the norm of the embedding it joins
  explicit operator bool() const { return static_cast<bool>(begin); }
};

/// In device memory, but for `computed`.
struct EncoderInput {
  Tensor tokens;             ///< i32 [N]
  kernels::PackedRows rows;  ///< where the sequences lie among the N rows
  Tensor step;               ///< i64 [1], optimizer step, by which random numbers are drawn
  NoteInput notes;
  std::int64_t computed = 0;  ///< rows that are worked on: all that sequences fill, up to a whole block
};

}  // namespace tenfold
