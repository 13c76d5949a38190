#pragma once
// The corpus file (FORMATS.md, "Corpus"), written by all ranks: each holds a contiguous part of every data set.

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "io/corpus.hpp"
#include "parallel/communicator.hpp"
#include "preparation/spool.hpp"

namespace tenfold {

/// One rank's elements of a data set, written piece by piece from where they begin. In chunks of at most 64 KiB with
/// checksums, so all transfers are collective.
template <class T>
class Column {
 public:
  /// Creates the data set, of `total` elements, in the group; this rank's begin at `begin`. Collective.
  Column(hdf5::Location& group, const std::string& name, std::int64_t total, std::int64_t begin);

  template <class Value>
  void push(std::span<const Value> values) {
    for (const Value value : values) pending_.push_back(static_cast<T>(value));
  }
  void push(T value) { pending_.push_back(value); }

  /// Writes what all ranks have pushed. Collective.
  void flush();

 private:
  hdf5::Dataset data_;
  std::int64_t total_;
  std::int64_t position_;
  std::vector<T> pending_;
};

/// A data set of all ranks' elements, one rank after another. Collective.
template <class T>
void write_all(hdf5::Location& group, const std::string& name, std::span<const T> mine, Communicator& world);

struct SplitSizes {
  std::int64_t tokens = 0;
  std::int64_t sentences = 0;
  std::int64_t documents = 0;
};

/// Tokens and offsets of one split.
class SplitWriter {
 public:
  /// `total`: sizes of the split; `before`: of the part of it that lower ranks hold. Collective.
  SplitWriter(hdf5::Location& file, Split split, int vocabulary_size, const SplitSizes& total, const SplitSizes& before,
              Communicator& world);

  /// The number that the next token will have in the split.
  std::int64_t position() const { return position_; }
  void begin_document() { documents_.push(position_); }
  /// Tokens of whole sentences, whose ends count from the first of them.
  void append(std::span<const std::int32_t> tokens, std::span<const std::int32_t> ends);
  /// Writes what all ranks have appended. Collective.
  void flush();
  /// The same, and the end of the last document. Collective.
  void finish();

 private:
  using Tokens = std::variant<Column<std::uint16_t>, Column<std::int32_t>>;

  hdf5::Group group_;
  std::int64_t position_;
  bool last_rank_;
  Tokens tokens_;
  Column<std::int64_t> sentences_;
  Column<std::int64_t> documents_;
};

/// The group /SPLIT/rare, from what each rank has spooled. Collective.
void write_rare_occurrences(hdf5::Location& file, Split split, const OccurrenceSpool& mine, Communicator& world);

}  // namespace tenfold
