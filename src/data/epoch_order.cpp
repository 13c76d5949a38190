#include "data/epoch_order.hpp"

#include <bit>

#include "base/check.hpp"
#include "base/random.hpp"

namespace tenfold {

namespace {
constexpr std::uint32_t rounds = 6;
}

EpochOrder::EpochOrder(std::int64_t n, std::uint64_t seed) : key_(stream_key(seed, "epoch.order")), n_(n) {
  TENFOLD_VERIFY(n >= 1, "an epoch of ", n, " sequences");
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n - 1)));
  half_bits_ = bits < 2 ? 1 : (bits + 1) / 2;
  TENFOLD_VERIFY(half_bits_ <= 32, n, " sequences");
}

std::int64_t EpochOrder::at(std::int64_t epoch, std::int64_t position) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<std::uint64_t>(position);
  do {
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (std::uint32_t round = 0; round < rounds; ++round) {
      const std::uint32_t noise = philox(key_, round, static_cast<std::uint32_t>(epoch), right)[0];
      const std::uint64_t next = left ^ (noise & mask);
      left = right;
      right = next;
    }
    value = left << half_bits_ | right;
  } while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<std::int64_t>(value);
}

}  // namespace tenfold
