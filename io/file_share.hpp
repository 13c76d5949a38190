#pragma once
// One process's share of a sealed file: some of its leaves, read once, hashed and held in memory, so that what is
// judged by its digest is what is used.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/seal.hpp"

namespace tenfold {

class FileShare {
 public:
  /// Reads leaves [first, last) of a file of that length, with a tick a leaf. Throws Error when it cannot.
  FileShare(const std::string& path, std::uint64_t length, std::uint64_t first, std::uint64_t last, Progress& progress);

  /// The bytes of the file that it holds: [begin, end).
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return begin_ + size_; }
  const std::vector<seal::Hash>& hashes() const { return hashes_; }

  /// Bytes [offset, offset + count) of the file, all of which it holds and none of which was forgotten.
  std::span<std::byte> bytes(std::uint64_t offset, std::uint64_t count) const;
  /// Gives the whole pages of memory that hold these bytes back to the system.
  void forget(std::uint64_t offset, std::uint64_t count);

 private:
  struct Unmap {
    std::uint64_t size;
    void operator()(std::byte* memory) const;
  };
  std::uint64_t begin_;
  std::uint64_t size_;
  std::unique_ptr<std::byte, Unmap> memory_;  ///< pages of its own; none where the share is empty
  std::vector<bool> forgotten_;               ///< by page
  std::vector<seal::Hash> hashes_;
};

}  // namespace tenfold
