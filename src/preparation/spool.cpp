#include "preparation/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace tenfold {

namespace {
constexpr std::int64_t record = sizeof(RareOccurrence);
}

OccurrenceSpool::OccurrenceSpool(const std::string& path)
    : path_(path), file_(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
  TENFOLD_VERIFY(file_ >= 0, "cannot create ", path_, ": ", std::strerror(errno));
  TENFOLD_VERIFY(unlink(path.c_str()) == 0, "cannot unlink ", path_, ": ", std::strerror(errno));
}

OccurrenceSpool::~OccurrenceSpool() {
  close(file_);  // its content is gone either way
}

void OccurrenceSpool::append(std::span<const RareOccurrence> occurrences) {
  const auto bytes = std::as_bytes(occurrences);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote =
        pwrite(file_, bytes.data() + done, bytes.size() - done, size_ * record + static_cast<std::int64_t>(done));
    TENFOLD_VERIFY(wrote > 0, "cannot write ", path_, ": ", std::strerror(errno));
    done += static_cast<std::size_t>(wrote);
  }
  size_ += static_cast<std::int64_t>(occurrences.size());
}

std::vector<RareOccurrence> OccurrenceSpool::read(std::int64_t begin, std::int64_t count) const {
  std::vector<RareOccurrence> occurrences(static_cast<std::size_t>(std::clamp<std::int64_t>(size_ - begin, 0, count)));
  const auto bytes = std::as_writable_bytes(std::span(occurrences));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        pread(file_, bytes.data() + done, bytes.size() - done, begin * record + static_cast<std::int64_t>(done));
    TENFOLD_VERIFY(got > 0, "cannot read ", path_, ": ", std::strerror(errno));
    done += static_cast<std::size_t>(got);
  }
  return occurrences;
}

}  // namespace tenfold
