#include "io/file_share.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "io/posix.hpp"

namespace tenfold {

namespace {

std::uint64_t page_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

FileShare::FileShare(const std::string& path, std::uint64_t length, std::uint64_t first, std::uint64_t last,
                     Progress& progress)
    : begin_(std::min(seal::seal_bytes + first * seal::leaf_bytes, length)),
      size_(std::min(seal::seal_bytes + last * seal::leaf_bytes, length) - begin_) {
  if (size_ == 0) return;
  const detail::Descriptor file(path, O_RDONLY);
  file.forget_cache();
  void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) detail::throw_errno(path, "take memory for its content");
  memory_ = {static_cast<std::byte*>(memory), Unmap{size_}};
  forgotten_.resize(size_ / page_bytes() + 1);
  for (std::uint64_t offset = begin_; offset < end(); offset += seal::leaf_bytes) {
    const std::span<std::byte> leaf = bytes(offset, std::min(seal::leaf_bytes, end() - offset));
    file.read_at(leaf, offset);
    hashes_.push_back(seal::hash_leaf(leaf));
    progress.tick();
  }
}

void FileShare::Unmap::operator()(std::byte* memory) const {
  // A failing unmap would be a mistake in the arguments, and costs memory only.
  ::munmap(memory, size);
}

std::span<std::byte> FileShare::bytes(std::uint64_t offset, std::uint64_t count) const {
  TENFOLD_VERIFY(offset >= begin_ && offset + count <= end(), "bytes ", offset, " to ", offset + count, " of a share ",
                 begin_, " to ", end());
  if (count == 0) return {};
  for (std::uint64_t page = (offset - begin_) / page_bytes(); page * page_bytes() < offset - begin_ + count; ++page)
    TENFOLD_VERIFY(!forgotten_[page], "byte ", begin_ + page * page_bytes(), " was given back");
  return {memory_.get() + (offset - begin_), count};
}

void FileShare::forget(std::uint64_t offset, std::uint64_t count) {
  const std::uint64_t first = (offset - begin_ + page_bytes() - 1) / page_bytes();
  const std::uint64_t last = (offset - begin_ + count) / page_bytes();
  if (bytes(offset, count).empty() || first >= last) return;
  const int code = ::madvise(memory_.get() + first * page_bytes(), (last - first) * page_bytes(), MADV_DONTNEED);
  TENFOLD_VERIFY(code == 0, "pages ", first, " to ", last);
  std::fill(forgotten_.begin() + static_cast<std::ptrdiff_t>(first),
            forgotten_.begin() + static_cast<std::ptrdiff_t>(last), true);
}

}  // namespace tenfold
