#pragma once
// Validation: the same sequences of the validation split with the same masks each time, whatever the run's seed and
// ranks.

#include <array>

#include "training/trainer.hpp"

namespace tenfold {

class Validator {
 public:
  /// Loss means of selected tokens by where they stand: within the window of a rare word but in none, in a rare word,
  /// anywhere in sequences with one, in sequences without. NaN where there are none.
  struct MaskedLosses {
    double near_rare_word, of_rare_word, with_rare_word, without_rare_word;
  };

  /// Takes the first min(wanted, sequences.count()) sequences of a fixed order; each rank of `data` takes an equal
  /// part.
  Validator(const Sequences& sequences, const Settings& settings, const Vocabulary& vocabulary, Communicator& data,
            Arena& host);

  struct Result {
    std::vector<double> metrics;  ///< as objective().metric_names()
    MaskedLosses masked_losses;   ///< of the masked-LM loss
  };
  /// `with_notes`: as they are now; else as if there were none. Collective over `data`.
  Result run(Trainer& trainer, bool with_notes);

 private:
  void add_split(std::span<const float> losses);

  Communicator& data_;
  BatchBudget budget_;
  BatchBuilder builder_;
  std::vector<Sample> samples_;
  HostBatch batch_;
  std::array<double, 8> split_{};  ///< sums and counts by neighbourhood
};

}  // namespace tenfold
