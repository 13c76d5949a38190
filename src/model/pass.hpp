#pragma once
// What every part of a model is told about the micro-batch at hand.

#include <cstdint>
#include <functional>

#include "base/queue.hpp"
#include "kernels/dropout.hpp"
#include "kernels/notes.hpp"

namespace tenfold {

/// Fixed extents of a micro-batch: B sequences padded to T tokens, of which at most `selected` are predicted.
struct BatchShape {
  std::int64_t sequences;  ///< B
  std::int64_t length;     ///< T
  std::int64_t selected;   ///< R, capacity for selected rows
  std::int64_t rows() const { return sequences * length; }
};

/// Notes on the rare words of a micro-batch; all tensors are empty in a run without notes.
struct NoteBatch {
  Tensor begin, end;                ///< i32 [O], rows of the occurrences that get a note
  Tensor count;                     ///< i32 [1], how many of the O are valid
  Tensor slots;                     ///< i32 [O], row of each among the rows looked up for the step
  Tensor vectors;                   ///< f32 [O, d], their notes
  Tensor window_begin, window_end;  ///< i32 [O], rows whose final output makes a new note
  Tensor windows;                   ///< i32 [1]
  Tensor pooled;                    ///< f32 [O, d], the new notes
  float mix = 0;
  bool rescale = false;
  explicit operator bool() const { return static_cast<bool>(begin); }
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
  Tensor weight_mlm;     ///< f32 [1], 1 / selected tokens of the whole step (1 if there is none)
  Tensor weight_second;  ///< f32 [1], objective.loss_weight / real tokens of the whole step
  Tensor candidates;     ///< i32 [1], answers of a multiple-choice question
  Tensor negatives;      ///< i32 [1], one less
  Tensor temperature;    ///< f32 [1], at which wrong answers are drawn
  NoteBatch notes;
};

/// Told during backward that the flat gradient from this element to the end of the buffer is complete.
using GradientReady = std::function<void(std::int64_t from)>;
/// Told that the main model's final outputs have been pooled into new notes.
using NotesPooled = std::function<void()>;

/// One pass over a micro-batch. Without training nothing is dropped.
struct Pass {
  Queue& queue;
  const Batch& batch;
  bool training = true;
  const GradientReady* ready = nullptr;  ///< set on the last micro-batch of a step

  const NotesPooled* pooled = nullptr;

  void complete(std::int64_t from) const {
    if (ready != nullptr) (*ready)(from);
  }

  /// To be called by an objective with the main model's final output, [B*T, d].
  void take_notes(const Tensor& hidden) const {
    if (!training || !batch.notes) return;
    const NoteBatch& notes = batch.notes;
    kernels::pool_windows(queue, hidden, notes.window_begin, notes.window_end, notes.windows, notes.pooled);
    (*pooled)();
  }

  kernels::Dropout dropout(double rate, std::uint64_t key) const {
    if (!training) return {};
    return {static_cast<float>(rate), key, batch.step, batch.samples};
  }
};

}  // namespace tenfold
