#pragma once
// A micro-batch of masked sequences, as pre-training objectives see it.

#include <algorithm>

#include "model/encoder_input.hpp"

namespace tenfold {

/// The rows of the tokens to be predicted.
struct SelectedRows {
  Tensor rows;                ///< i32 [R]
  Tensor labels;              ///< i32 [R], their true tokens
  Tensor count;               ///< i32 [1], how many of the R are valid
  std::int64_t computed = 0;  ///< of the R, those that are worked on
};

struct MaskedBatch {
  EncoderInput input;  ///< tokens as the model sees them, masked
  Tensor original;     ///< i32 [N], as they were
  SelectedRows selected;
};

/// Extents of micro-batches that hold for a whole run.
struct BatchBudget : RowBudget {
  std::int64_t selected;  ///< R, room for selected rows
};

/// Global counts of an optimizer step or of a validation, by which losses are divided and FLOPs are known.
struct Counts {
  double sequences = 0;
  double tokens = 0;    ///< real tokens, [CLS] included
  double squares = 0;   ///< sum of squared sequence lengths
  double selected = 0;  ///< tokens to be predicted

  /// What a mean over the selected tokens divides by: the mean over none, in a step of few tokens, is taken for 0.
  double selected_divisor() const { return std::max(selected, 1.0); }
};

}  // namespace tenfold
