#pragma once
// How the rows of a micro-batch are filled: whole sequences, one after another, without padding between them.

#include "base/tensor.hpp"

namespace tenfold::kernels {

/// Sequence b fills the rows offsets[b] .. offsets[b + 1] - 1; row offsets[b] + t holds its token t. Sequences may be
/// empty. The rows of `sequence` that come after the last sequence belong to none: they are computed, since products
/// take whole blocks of rows, and weigh nothing.
struct PackedRows {
  Tensor offsets;   ///< i32 [B + 1], from 0 on, ascending
  Tensor sequence;  ///< i32 [N], the sequence of each row; -1: none
  Tensor samples;   ///< i64 [B], global sample index of each sequence, by which random numbers are drawn
};

}  // namespace tenfold::kernels
