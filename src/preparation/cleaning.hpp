#pragma once
// What is taken out of the text before anything else looks at it.

#include <cstdint>
#include <string>
#include <string_view>

namespace tenfold {

struct CleaningCounts {
  std::int64_t invalid = 0;  ///< ill-formed UTF-8 sequences (maximal subparts, Unicode 3.9) and U+FFFD, left out
  std::int64_t control = 0;  ///< control and invisible format characters and noncharacters, left out
  bool operator==(const CleaningCounts&) const = default;

  CleaningCounts& operator+=(const CleaningCounts& other) {
    invalid += other.invalid;
    control += other.control;
    return *this;
  }
};

/// Replaces `clean` by `raw` as valid UTF-8 whose only white space is single spaces between other characters. Every run
/// of Unicode white space, of U+200B (a space without width) and of U+2581, which SentencePiece writes for a space,
/// counts as one space; what `counts` names leaves no trace (as in _clean_text of BERT's tokenization.py). Format
/// characters are those that steer lines and directions and show nothing: soft hyphens, word joiners, direction marks,
/// byte order marks. The joiners U+200C and U+200D and tags stay: they make other words and pictures.
void clean_text(std::string_view raw, std::string& clean, CleaningCounts& counts);

}  // namespace tenfold
