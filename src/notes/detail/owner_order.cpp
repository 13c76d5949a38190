#include "notes/detail/owner_order.hpp"

#include <algorithm>
#include <numeric>

#include "base/check.hpp"

namespace tenfold::detail {

OwnerOrder::OwnerOrder(int ranks, std::int64_t capacity)
    : counts_(static_cast<std::size_t>(ranks)), next_(static_cast<std::size_t>(ranks)) {
  slots_.reserve(static_cast<std::size_t>(capacity));
}

void OwnerOrder::assign(std::span<const std::int32_t> keys, std::int64_t end) {
  std::ranges::fill(counts_, 0);
  for (const std::int32_t key : keys) {
    TENFOLD_VERIFY(key >= 0 && key < end, "key ", key, " of ", end);
    ++counts_[static_cast<std::size_t>(key) % counts_.size()];
  }
  std::exclusive_scan(counts_.begin(), counts_.end(), next_.begin(), std::size_t{0});
  slots_.resize(keys.size());
  std::ranges::transform(keys, slots_.begin(),
                         [&](std::int32_t key) { return next_[static_cast<std::size_t>(key) % next_.size()]++; });
}

}  // namespace tenfold::detail
