#pragma once
// Elements in the order of the ranks that own their keys, as an exchange sends them.

#include <cstdint>
#include <span>
#include <vector>

namespace tenfold::detail {

class OwnerOrder {
 public:
  OwnerOrder(int ranks, std::int64_t capacity);

  /// Keys in [0, end), in any order.
  void assign(std::span<const std::int32_t> keys, std::int64_t end);

  /// Elements for each rank.
  std::span<const std::int64_t> counts() const { return counts_; }
  /// Where element i is among all that are sent.
  std::size_t slot(std::size_t i) const { return slots_[i]; }
  std::size_t size() const { return slots_.size(); }

 private:
  std::vector<std::int64_t> counts_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> slots_;
};

}  // namespace tenfold::detail
