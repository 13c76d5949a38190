#pragma once
// The window around a rare word over which its note is averaged.

#include <algorithm>
#include <cstdint>

namespace tenfold {

/// Tokens [begin, end) of a sequence.
struct NoteWindow {
  std::int32_t begin;
  std::int32_t end;

  /// [begin - k, end + k) within a sequence of `length` tokens without padding; [CLS], [SEP] and selected tokens count.
  /// The true count, end - begin of the result, divides the mean.
  static constexpr NoteWindow clip(std::int32_t begin, std::int32_t end, std::int32_t k, std::int32_t length) {
    return {std::max(begin - k, 0), std::min(end + k, length)};
  }

  bool operator==(const NoteWindow&) const = default;
};

}  // namespace tenfold
