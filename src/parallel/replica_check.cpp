#include "parallel/replica_check.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/host.hpp"
#include "parallel/agree.hpp"

namespace tenfold {

std::uint64_t hash_of(const Tensor& tensor) {
  TENFOLD_VERIFY(tensor.device() == DeviceKind::host, "the bytes of a host tensor are hashed");
  const auto* bytes = static_cast<const std::byte*>(tensor.raw());
  std::uint64_t hash = 0x9e3779b97f4a7c15ULL ^ tensor.bytes();
  for (std::size_t begin = 0; begin < tensor.bytes(); begin += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + begin, std::min(sizeof word, tensor.bytes() - begin));
    hash = (hash ^ word) * 0xff51afd7ed558ccdULL;  // odd: a bijection, so that no difference in one word is lost
    hash ^= hash >> 32U;
  }
  return hash;
}

namespace {

/// The ranks whose hash is not the most frequent one (of equally frequent ones: the one of the lowest rank).
std::vector<std::size_t> outliers(const std::vector<std::uint64_t>& hashes) {
  std::uint64_t common = 0;
  std::ptrdiff_t most = 0;
  for (std::uint64_t hash : hashes) {
    const std::ptrdiff_t count = std::count(hashes.begin(), hashes.end(), hash);
    if (count > most) {
      most = count;
      common = hash;
    }
  }
  std::vector<std::size_t> ranks;
  for (std::size_t rank = 0; rank < hashes.size(); ++rank)
    if (hashes[rank] != common) ranks.push_back(rank);
  return ranks;
}

}  // namespace

std::uint64_t hash_of(Queue& queue, const Tensor& values) {
  if (values.device() == DeviceKind::host) return hash_of(values);
  constexpr std::int64_t slice = 4 << 20;  // elements that are in host memory at a time
  const Tensor flat = values.reshaped({values.elements()});
  std::vector<std::byte> bytes(std::min(values.bytes(), slice * size_of(values.dtype())));
  std::uint64_t hash = 0;
  for (std::int64_t first = 0; first < flat[0]; first += slice) {
    const Tensor part = flat.rows(first, std::min(slice, flat[0] - first));
    queue.copy_out(part, bytes.data());
    hash = std::rotl(hash, 1) ^ hash_of({bytes.data(), part.dtype(), part.shape()});
  }
  return hash;
}

void check_replicas(Communicator& communicator, std::uint64_t hash, std::int64_t step) {
  if (communicator.size() == 1) return;
  const auto mine = static_cast<std::int64_t>(hash);
  if (communicator.all_reduce_min(mine) == communicator.all_reduce_max(mine)) return;

  const std::vector<std::size_t> ranks = outliers(communicator.all_gather(hash));
  const std::vector<std::string> hosts = communicator.all_gather(host_name());
  std::string names;
  for (std::size_t rank : ranks) names += text(names.empty() ? "" : ", ", rank, " (host ", hosts[rank], ")");
  throw AgreedError(
      text("replicas drifted: after step ", step, " the weights of rank", ranks.size() > 1 ? "s " : " ", names,
           " differ from those of the other ranks; resume from a checkpoint, and suspect the host"),
      ExitCode::failure, static_cast<int>(ranks.front()), communicator.size(), hosts[ranks.front()], "");
}

}  // namespace tenfold
