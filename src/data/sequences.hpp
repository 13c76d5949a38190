#pragma once
// Where token sequences come from: a prepared corpus, or (for benchmarks) random tokens of full length.

#include <cstdint>
#include <span>
#include <vector>

#include "base/vocabulary.hpp"
#include "data/packing.hpp"
#include "io/corpus.hpp"

namespace tenfold {

class Sequences {
 public:
  virtual ~Sequences() = default;
  virtual std::int64_t count() const = 0;
  /// Tokens of sequence `index`, [CLS] included.
  virtual std::int64_t length(std::int64_t index) const = 0;
  /// Writes sequence `index` ([CLS] first) into `tokens`, of its length.
  virtual void read(std::int64_t index, std::span<std::int32_t> tokens) const = 0;
  /// Replaces `words` by the rare words that lie whole in sequence `index`, by position in it ([CLS] is 0), in order.
  virtual void rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const = 0;
};

/// A split of a corpus, packed.
class CorpusSequences : public Sequences {
 public:
  /// `begins`: from pack(). The corpus must outlive this.
  CorpusSequences(const Corpus& corpus, Split split, PackedIndex begins);
  std::int64_t count() const override { return static_cast<std::int64_t>(begins_.size()) - 1; }
  std::int64_t length(std::int64_t index) const override;
  void read(std::int64_t index, std::span<std::int32_t> tokens) const override;
  void rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const override;

 private:
  const Corpus& corpus_;
  PackedIndex begins_;
  Split split_;
};

/// Uniformly random ordinary tokens; every sequence is full. A rare word of two tokens, one of `rare_keys`, stands in
/// every `rare_spacing`.
class RandomSequences : public Sequences {
 public:
  static constexpr std::int64_t rare_keys = 20000;
  static constexpr std::uint32_t rare_spacing = 128;
  RandomSequences(const Vocabulary& vocabulary, int length, std::uint64_t seed)
      : vocabulary_(vocabulary), length_(length), seed_(seed) {}
  std::int64_t count() const override { return std::int64_t{1} << 20; }
  std::int64_t length(std::int64_t /*index*/) const override { return length_; }
  void read(std::int64_t index, std::span<std::int32_t> tokens) const override;
  void rare_words(std::int64_t index, std::vector<RareOccurrence>& words) const override;

 private:
  Vocabulary vocabulary_;
  int length_;
  std::uint64_t seed_;
};

}  // namespace tenfold
