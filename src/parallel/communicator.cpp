#include "parallel/communicator.hpp"

#include <numeric>

namespace tenfold {

void Communicator::broadcast(std::string& value, int root) {
  std::uint64_t length = value.size();
  broadcast(std::span(&length, 1), root);
  value.resize(length);
  broadcast(std::span<char>(value), root);
}

std::vector<std::string> Communicator::all_gather(const std::string& value) {
  const Received<char> all = all_gather_v(std::span<const char>(value));
  std::vector<std::string> strings;
  auto begin = all.values.begin();
  for (std::int64_t length : all.counts) {
    strings.emplace_back(begin, begin + length);
    begin += length;
  }
  return strings;
}

std::int64_t Communicator::total(std::span<const std::int64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

void Communicator::verify_fit(std::size_t sent, std::span<const std::int64_t> send_counts, std::size_t received,
                              std::span<const std::int64_t> receive_counts) {
  TENFOLD_VERIFY(total(send_counts) <= static_cast<std::int64_t>(sent) &&
                     total(receive_counts) <= static_cast<std::int64_t>(received),
                 "counts of ", total(send_counts), " and ", total(receive_counts), " over buffers of ", sent, " and ",
                 received);
}

}  // namespace tenfold
