#include "preparation/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace tenfold {

namespace {
constexpr std::int64_t record = sizeof(RareOccurrence);
}

OccurrenceSpool::OccurrenceSpool(const std::string& path) : file_(path, O_RDWR | O_CREAT | O_TRUNC) {
  if (unlink(path.c_str()) != 0) detail::throw_errno(path, "unlink the file");
}

void OccurrenceSpool::append(std::span<const RareOccurrence> occurrences) {
  file_.write_at(std::as_bytes(occurrences), static_cast<std::uint64_t>(size_ * record));
  size_ += static_cast<std::int64_t>(occurrences.size());
}

std::vector<RareOccurrence> OccurrenceSpool::read(std::int64_t begin, std::int64_t count) const {
  std::vector<RareOccurrence> occurrences(static_cast<std::size_t>(std::clamp<std::int64_t>(size_ - begin, 0, count)));
  file_.read_at(std::as_writable_bytes(std::span(occurrences)), static_cast<std::uint64_t>(begin * record));
  return occurrences;
}

}  // namespace tenfold
