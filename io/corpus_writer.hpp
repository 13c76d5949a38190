#pragma once
// The corpus file (FORMATS.md, "Corpus") as many processes write it together: each holds a contiguous part of every
// data set. In chunks of at most 64 KiB with checksums, so all transfers are collective (io/hdf5_parallel.hpp).

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "io/corpus.hpp"

namespace tenfold {

/// One process's elements of a data set, written piece by piece from where they begin.
template <class T>
class Column {
 public:
  /// Creates the data set, of `total` elements, in the group; this process's begin at `begin`. Collective.
  Column(hdf5::Location& group, const std::string& name, std::int64_t total, std::int64_t begin);

  template <class Value>
  void push(std::span<const Value> values) {
    for (const Value value : values) pending_.push_back(static_cast<T>(value));
  }
  void push(T value) { pending_.push_back(value); }

  /// Writes what all processes have pushed. Collective.
  void flush();

 private:
  hdf5::Dataset data_;
  std::int64_t total_;
  std::int64_t position_;
  std::vector<T> pending_;
};

struct SplitSizes {
  std::int64_t tokens = 0;
  std::int64_t sentences = 0;
  std::int64_t documents = 0;
};

/// Which of the processes this is: the first holds what stands before all sentences, the last what ends them.
struct WriterPlace {
  bool first, last;
};

/// Tokens and offsets of one split.
class SplitWriter {
 public:
  /// `total`: sizes of the split; `before`: of the part of it that processes before this one hold. Collective.
  SplitWriter(hdf5::Location& file, Split split, int vocabulary_size, const SplitSizes& total, const SplitSizes& before,
              WriterPlace place);

  /// The number that the next token will have in the split.
  std::int64_t position() const { return position_; }
  void begin_document() { documents_.push(position_); }
  /// Tokens of whole sentences, whose ends count from the first of them.
  void append(std::span<const std::int32_t> tokens, std::span<const std::int32_t> ends);
  /// Writes what all processes have appended. Collective.
  void flush();
  /// The same, and the end of the last document. Collective.
  void finish();

 private:
  using Tokens = std::variant<Column<std::uint16_t>, Column<std::int32_t>>;

  hdf5::Group group_;
  std::int64_t position_;
  bool last_;
  Tokens tokens_;
  Column<std::int64_t> sentences_;
  Column<std::int64_t> documents_;
};

/// The group /SPLIT/rare.
class RareWriter {
 public:
  /// `total` occurrences, of which this process's begin at `before`. Collective.
  RareWriter(hdf5::Location& file, Split split, std::int64_t total, std::int64_t before);
  void push(const RareOccurrence& one);
  /// Writes what all processes have pushed. Collective.
  void flush();

 private:
  hdf5::Group group_;
  Column<std::int32_t> keys_;
  Column<std::int64_t> begins_;
  Column<std::int64_t> ends_;
};

}  // namespace tenfold
