#pragma once
// Notes within a training step: rows of the rare words of the next step are asked for early, new notes leave after the
// last forward pass, and what they change comes back while the backward pass runs (TNF, Wu et al., arXiv
// 2008.01466).

#include "config/settings.hpp"
#include "data/batches.hpp"
#include "notes/note_dictionary.hpp"

namespace tenfold {

class NoteTaker {
 public:
  /// `keys` rare words; steps of at most `micro_batches`. Collective over `data`.
  NoteTaker(Communicator& data, const Settings& settings, std::int64_t keys, std::size_t micro_batches, Arena& host,
            Arena& device);

  /// Asks for the rows of these micro-batches' rare words and writes their slots. Collective, once a step.
  void request(std::span<HostBatch> batches);
  /// Answers the first request of a job, before any step. Collective.
  void open(std::int64_t steps_done) {
    dictionary_.contribute(steps_done, {}, {});
    dictionary_.take_statistics();  // of a step that the job before has counted
  }
  /// Waits for the rows asked for last. Collective.
  void receive(Queue& queue) { rows_ = dictionary_.wait(queue); }
  /// The rows received last, f32 [rows, d].
  const Tensor& rows() const { return rows_; }
  /// Keeps the new notes of a micro-batch that has gone forward, from the final hidden states [n, d].
  void collect(Queue& queue, const Tensor& hidden, const HostBatch& host, const DeviceBatch& batch);
  /// Sends what was collected in `step`. Collective.
  void contribute(std::int64_t step);

  /// The rows of one micro-batch's rare words as they are now, and their slots: for validation. Collective.
  const Tensor& look_up(Queue& queue, HostBatch& batch);

  const Tensor& pooled() const { return pooled_; }  ///< f32 [O, d], the notes collected last
  NoteDictionary& dictionary() { return dictionary_; }

 private:
  void gather_keys(std::span<HostBatch> batches);

  NoteDictionary dictionary_;
  int width_;
  std::vector<std::int32_t> keys_;  ///< distinct, ascending
  std::vector<NoteSource> sources_;
  std::vector<float> vectors_;
  Tensor rows_, looked_up_, pooled_;
};

}  // namespace tenfold
