#include "preparation/unit_reader.hpp"

namespace tenfold {

namespace {

constexpr std::size_t read_size = 1U << 20U;
constexpr std::string_view white_space = " \t\n\v\f\r";

bool is_blank(std::string_view line) {
  return line.find_first_not_of(white_space) == std::string_view::npos;
}

/// Bytes of a line without its end; CR LF and LF end it alike.
std::size_t line_length(std::string_view before_newline) {
  return before_newline.size() - (before_newline.ends_with('\r') ? 1 : 0);
}

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

}  // namespace

UnitReader::UnitReader(TextFile& file, std::int64_t offset, UnitLimits limits, Observer observer)
    : file_(&file), limits_(limits), observer_(std::move(observer)), offset_(offset) {
  if (offset == 0) {
    file_->seek(0);
    return;
  }
  file_->seek(offset - 1);
  char before = '\n';
  file_->read({&before, 1});
  mid_line_ = before != '\n';
}

bool UnitReader::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + read_size);
  buffer_.resize(kept + file_->read({buffer_.data() + kept, read_size}));
  if (observer_) observer_(std::string_view(buffer_).substr(kept));
  return buffer_.size() > kept;
}

std::string_view UnitReader::take(std::size_t bytes) {
  const std::string_view piece = std::string_view(buffer_).substr(begin_, bytes);
  begin_ += bytes;
  offset_ += static_cast<std::int64_t>(bytes);
  return piece;
}

std::size_t UnitReader::cut(std::string_view line) const {
  const std::string_view head = line.substr(0, limits_.bytes);
  const std::size_t space = head.find_last_of(white_space);
  if (space != std::string_view::npos) return space + 1;
  std::size_t end = head.size();
  // A character has at most three bytes after its first; more of them are no text, and are cut anywhere.
  for (int i = 0; i < 3 && end < line.size() && continues_character(line[end]); ++i) --end;
  return end;
}

/// The next line or piece of one, its end included; empty at the file's end. Valid until the next call.
std::string_view UnitReader::next_piece() {
  std::size_t searched = begin_;
  while (true) {
    const std::size_t newline = buffer_.find('\n', searched);
    if (newline != std::string::npos &&
        line_length(std::string_view(buffer_).substr(begin_, newline - begin_)) < limits_.bytes)
      return take(newline + 1 - begin_);
    // Without a newline, two bytes more than the limit are needed to know that no line's end follows.
    if (newline != std::string::npos || buffer_.size() - begin_ > limits_.bytes + 1)
      return take(cut(std::string_view(buffer_).substr(begin_)));
    searched = buffer_.size() - begin_;
    if (fill()) continue;
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    return take(rest.size() < limits_.bytes ? rest.size() : cut(rest));
  }
}

bool UnitReader::next(Unit& unit) {
  unit.text.clear();
  unit.ends.clear();
  unit.starts_document = offset_ == 0;
  while (unit.ends.size() < limits_.paragraphs && unit.text.size() < limits_.bytes) {
    const std::string_view piece = next_piece();
    if (piece.empty()) break;
    const bool whole_line = !mid_line_ && piece.back() == '\n';
    if (!is_blank(piece)) {
      mid_line_ = piece.back() != '\n';
      unit.text += piece;
      if (piece.ends_with("\r\n")) unit.text.erase(unit.text.size() - 2, 1);
      unit.ends.push_back(unit.text.size());
      unit.end = offset_;
    } else if (!whole_line) {
      mid_line_ = piece.back() != '\n';  // white space within a cut line ends no document
    } else if (unit.ends.empty()) {
      unit.starts_document = true;
    } else {
      // The blank line belongs to the next unit, which must see it again.
      begin_ -= piece.size();
      offset_ -= static_cast<std::int64_t>(piece.size());
      break;
    }
  }
  return !unit.ends.empty();
}

}  // namespace tenfold
