#pragma once
// What every part of a model is told about the micro-batch at hand.

#include <cstdint>
#include <functional>

#include "base/queue.hpp"
#include "kernels/dropout.hpp"

namespace tenfold {

/// Fixed extents of a micro-batch: B sequences padded to T tokens, of which at most `selected` are predicted.
struct BatchShape {
  std::int64_t sequences;  ///< B
  std::int64_t length;     ///< T
  std::int64_t selected;   ///< R, capacity for selected rows
  std::int64_t rows() const { return sequences * length; }
};

/// A micro-batch in device memory. Real counts live there too; unused rows weigh nothing.
struct Batch {
  Tensor tokens;         ///< i32 [B*T], as the model sees them (masked)
  Tensor original;       ///< i32 [B*T], as they were
  Tensor lengths;        ///< i32 [B], real tokens of each sequence, [CLS] included
  Tensor samples;        ///< i64 [B], global sample indices
  Tensor selected_rows;  ///< i32 [R], rows b*T + t of the selected tokens
  Tensor labels;         ///< i32 [R], their true tokens
  Tensor selected;       ///< i32 [1], how many of the R are valid
  Tensor step;           ///< i64 [1], optimizer step
  Tensor weight_mlm;     ///< f32 [1], 1 / selected tokens of the whole step
};

/// Told during backward that the flat gradient from this element to the end of the buffer is complete.
using GradientReady = std::function<void(std::int64_t from)>;

/// One pass over a micro-batch. Without training nothing is dropped.
struct Pass {
  Queue& queue;
  const Batch& batch;
  bool training = true;
  const GradientReady* ready = nullptr;  ///< set on the last micro-batch of a step

  void complete(std::int64_t from) const {
    if (ready != nullptr) (*ready)(from);
  }

  kernels::Dropout dropout(double rate, std::uint64_t key) const {
    if (!training) return {};
    return {static_cast<float>(rate), key, batch.step, batch.samples};
  }
};

}  // namespace tenfold
