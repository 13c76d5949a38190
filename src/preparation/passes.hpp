#pragma once
// The passes over the text after the survey. In each, a rank goes through its share of the batches in rounds, and the
// ranks meet between the rounds.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "io/corpus.hpp"
#include "parallel/mpi_communicator.hpp"
#include "preparation/characters.hpp"
#include "preparation/corpus_writer.hpp"
#include "preparation/survey.hpp"
#include "preparation/text_encoder.hpp"
#include "preparation/word_table.hpp"

namespace tenfold {

/// Visits the units of this rank's share and, after every few batches, calls `meet` on all ranks together. A visit that
/// throws ends all ranks with its message. Shows progress as `phase`. Collective.
void pass_over(const Survey& survey, const std::string& phase, MpiCommunicator& world,
               const std::function<void(const CleanUnit& unit, std::int64_t document)>& visit,
               const std::function<void()>& meet);

/// The split of a unit: by a hash of its cleaned text, so that the same text is always on the same side.
Split split_of(const CleanUnit& unit, double valid_fraction);

struct TextSample {
  /// Cleaned paragraphs, one a line, of training units that a hash of their text chooses: all, or about as many bytes
  /// of a longer text as asked for.
  std::string lines;
  CharacterCounts characters;  ///< of the whole text
};

/// What a tokenizer is trained on. The same on all ranks. Collective.
TextSample sample_text(const Survey& survey, const Settings& settings, std::int64_t bytes, MpiCommunicator& world);

/// Where the tokens of this rank's share go.
struct Places {
  struct Place {
    SplitSizes total;                   ///< of all ranks
    SplitSizes before;                  ///< of the lower ranks
    std::int64_t document_before = -1;  ///< the last one that a lower rank has a token of; -1: none
  };
  std::array<Place, 2> splits;  ///< by Split
};

struct TextCounts {
  Places places;
  std::array<std::int64_t, 2> unknown_tokens{};  ///< by Split, all ranks
  std::vector<CountedCharacter> without_piece;   ///< characters, the most frequent first, all ranks
  std::vector<CountedWord> words;                ///< of the training split, this rank's part (WordTable::take_sorted)
  std::int64_t running_words = 0;                ///< of the training split, all ranks
  CleaningCounts cleaning;                       ///< all ranks
};

/// Sizes and words of the encoded text, by an encoder that has seen nothing yet. Collective.
TextCounts count_text(const Survey& survey, TextEncoder& encoder, double valid_fraction, MpiCommunicator& world);

struct WritePlan {
  double valid_fraction;
  int vocabulary_size;
  Places places;
  std::vector<RareWord> rare;
};

struct WrittenText {
  std::string digest;                              ///< of tokens, sentence ends and rare occurrences, in hexadecimal
  std::array<std::int64_t, 2> rare_occurrences{};  ///< by Split
  std::array<std::int64_t, 2> rare_sentences{};    ///< sentences with at least one
};

/// Writes /train and /validation. `path` is the file's. Collective.
WrittenText write_text(hdf5::File& file, const std::string& path, const Survey& survey, TextEncoder& encoder,
                       const WritePlan& plan, MpiCommunicator& world);

}  // namespace tenfold
