#pragma once
// Text as units: at most 200 paragraphs of one document. Units are what is dealt to ranks and to the splits; they
// depend on the text alone, never on who reads it or from which unit on.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "preparation/text_file.hpp"

namespace tenfold {

struct UnitLimits {
  std::size_t paragraphs = 200;
  /// A line longer than this is cut after the last white space before (or, without one, between two characters); a unit
  /// that has become as long is complete. A line's end counts as one byte, also when it is CR LF.
  std::size_t bytes = 64U << 10U;
};

/// Consecutive paragraphs (lines that are not blank) of one document.
struct Unit {
  std::string text;               ///< the paragraphs, one after another, each with its line's end (CR LF as LF)
  std::vector<std::size_t> ends;  ///< where in `text` each paragraph ends
  bool starts_document = false;   ///< blank lines, or the file's beginning, stand before it
  std::int64_t end = 0;           ///< byte of the file after the unit: reading may start anew there

  std::string_view paragraph(std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends[index - 1];
    return std::string_view(text).substr(begin, ends[index] - begin);
  }
};

class UnitReader {
 public:
  /// Sees all bytes that are read from the file, before any unit is made of them.
  using Observer = std::function<void(std::string_view bytes)>;

  /// Reads from the file's beginning or, if it can be sought in, from the end of a unit. The file must outlive the
  /// reader.
  explicit UnitReader(TextFile& file, std::int64_t offset = 0, UnitLimits limits = {}, Observer observer = {});

  /// The next unit, or false at the file's end.
  bool next(Unit& unit);

 private:
  std::string_view next_piece();
  std::string_view take(std::size_t bytes);
  bool fill();
  std::size_t cut(std::string_view line) const;

  TextFile* file_;
  UnitLimits limits_;
  Observer observer_;
  std::string buffer_;
  std::size_t begin_ = 0;  ///< of what is unread in the buffer
  std::int64_t offset_;    ///< in the file, of the same byte
  bool mid_line_ = false;  ///< that byte continues a line that was cut
};

}  // namespace tenfold
