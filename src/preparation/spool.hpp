#pragma once
// A rank's own scratch file: what is too much for memory and goes to the corpus later. It has no name on the disk, so
// that nothing of it is ever left behind.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/corpus.hpp"
#include "io/posix.hpp"

namespace tenfold {

class OccurrenceSpool {
 public:
  /// `path` is taken for a moment and must be this rank's alone.
  explicit OccurrenceSpool(const std::string& path);

  void append(std::span<const RareOccurrence> occurrences);
  std::int64_t size() const { return size_; }
  /// Occurrences [begin, begin + count), as many as there are.
  std::vector<RareOccurrence> read(std::int64_t begin, std::int64_t count) const;

 private:
  detail::Descriptor file_;
  std::int64_t size_ = 0;
};

}  // namespace tenfold
