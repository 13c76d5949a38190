#pragma once
// The order of an epoch: a keyed permutation of [0, n) computed on the fly, so that no rank holds a shuffled list and
// any position of any epoch can be asked for (Black and Rogaway 2002: a Feistel network with cycle walking).

#include <cstdint>

namespace tenfold {

class EpochOrder {
 public:
  /// n >= 1; the same seed gives the same orders.
  EpochOrder(std::int64_t n, std::uint64_t seed);

  /// The sequence at a position of an epoch, a bijection of [0, n) for each epoch.
  std::int64_t at(std::int64_t epoch, std::int64_t position) const;

 private:
  std::uint64_t key_;
  std::int64_t n_;
  int half_bits_;
};

}  // namespace tenfold
