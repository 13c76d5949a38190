#include "training/loaded_checkpoint.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "parallel/agree.hpp"
#include "training/sealing.hpp"

namespace tenfold {

namespace {

/// What a rank may not read is not damaged.
void expect_readable(const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0)
    throw InputError(text(path, " cannot be read: ", std::strerror(errno), "; make it readable on all hosts"));
}

}  // namespace

LoadedCheckpoint::Opened LoadedCheckpoint::open(const std::string& path, MpiCommunicator& ranks) {
  agree(ranks, [&] { expect_readable(path); });
  Opened opened;
  seal::Beginning beginning;
  std::unique_ptr<FileShare> share;
  try {
    beginning = read_beginning(path, ranks);
    opened.damage = seal::damage_of(beginning);
    if (!opened.damage.empty()) return opened;
    const std::uint64_t leaves = seal::leaves_of(beginning.length);
    const LeafRange mine = share_of(leaves, 0, ranks);
    share = agree(ranks, [&] {
      return std::make_unique<FileShare>(path, beginning.length, mine.first, mine.last, ranks.progress());
    });
    opened.bytes_read =
        static_cast<std::uint64_t>(ranks.all_reduce_sum(static_cast<std::int64_t>(share->end() - share->begin())));
    opened.damage = seal::damage_of(beginning, gather_leaves(share->hashes(), leaves, 0, ranks));
  } catch (const Error& error) {
    opened.damage = error.what();  // thrown by all ranks alike (agreed)
  }
  if (!opened.damage.empty()) return opened;
  agree(ranks, [&] { expect_known_schema(path, seal::schema_of(beginning.block)); });
  opened.checkpoint.reset(new LoadedCheckpoint(path, beginning.length, std::move(share), ranks));
  return opened;
}

LoadedCheckpoint::LoadedCheckpoint(const std::string& path, std::uint64_t length, std::unique_ptr<FileShare> share,
                                   MpiCommunicator& ranks)
    : path_(path),
      length_(length),
      ranks_(ranks),
      share_(std::move(share)),
      borders_(ranks.all_gather(share_->begin())) {
  borders_.push_back(length);
  std::string words;
  agree_on_root(ranks, [&] { words = to_text(Checkpoint::of_verified(path).directory()); });
  ranks.broadcast(words);
  directory_ = directory_from(words);
  for (const StoredData& each : directory_.data) places_[each.name] = &each;
}

const StoredData& LoadedCheckpoint::place(const std::string& name) const {
  const auto found = places_.find(name);
  if (found == places_.end()) throw Error(tenfold::text(path_, ": there is no ", name));
  return *found->second;
}

std::int64_t LoadedCheckpoint::integer(const std::string& name) const {
  const auto found = directory_.integers.find(name);
  if (found == directory_.integers.end()) throw Error(tenfold::text(path_, ": there is no integer ", name));
  return found->second;
}

Shape LoadedCheckpoint::shape(const std::string& name) const {
  return Shape(place("tensors/" + name).extents);
}

std::string LoadedCheckpoint::bytes(const std::string& name) {
  const StoredData& stored = place("bytes/" + name);
  std::string value(stored.bytes, '\0');
  take(stored.offset, std::as_writable_bytes(std::span(value)));
  return value;
}

std::string LoadedCheckpoint::text(const std::string& name) {
  const StoredData& stored = place("texts/" + name);
  std::string value(stored.bytes, '\0');
  take(stored.offset, std::as_writable_bytes(std::span(value)));
  value.resize(value.find_last_not_of('\0') + 1);  // padded with them
  return value;
}

void LoadedCheckpoint::read_elements(const std::string& name, DType type, std::int64_t offset,
                                     std::span<std::byte> values) {
  const StoredData& stored = place("tensors/" + name);
  TENFOLD_VERIFY(stored.type == type, name, " in ", path_, " does not hold elements of ", name_of(type),
                 " in this machine's byte order");
  const std::uint64_t begin = static_cast<std::uint64_t>(offset) * size_of(type);
  TENFOLD_VERIFY(offset >= 0 && begin + values.size() <= stored.bytes, name, ": bytes ", begin, " to ",
                 begin + values.size(), " of ", stored.bytes);
  take(stored.offset + begin, values);
  const std::uint64_t first = std::max(stored.offset + begin, share_->begin());
  const std::uint64_t last = std::min(stored.offset + begin + values.size(), share_->end());
  if (first < last) share_->forget(first, last - first);
}

void LoadedCheckpoint::take(std::uint64_t offset, std::span<std::byte> bytes) {
  // The part of each rank that holds some of it goes to all, in the order of the file.
  while (!bytes.empty()) {
    const auto next = std::upper_bound(borders_.begin(), borders_.end(), offset);
    const auto holder = static_cast<int>(next - borders_.begin()) - 1;
    const std::span<std::byte> part = bytes.first(std::min<std::uint64_t>(bytes.size(), *next - offset));
    if (holder == ranks_.rank()) {
      std::ranges::copy(share_->bytes(offset, part.size()), part.begin());
    }
    ranks_.broadcast(part, holder);
    offset += part.size();
    bytes = bytes.subspan(part.size());
  }
}

}  // namespace tenfold
