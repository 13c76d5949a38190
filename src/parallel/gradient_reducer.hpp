#pragma once
// Sums the flat gradient buffer over the data ranks in buckets, from its end to its beginning, while the backward pass
// still runs: backward completes parameters in reverse order.

#include <cstdint>
#include <vector>

#include "parallel/communicator.hpp"

namespace tenfold {

class GradientReducer {
 public:
  static constexpr std::int64_t default_bucket_bytes = 4 << 20;

  /// `gradients`: [n] f32. Bucket borders depend on n and `bucket_bytes` alone, so that the same number of ranks gives
  /// the same bits however `ready` is called. Both arguments must outlive the reducer. Nothing else may use the
  /// communicator between begin_step() and the end of finish().
  GradientReducer(Communicator& communicator, const Tensor& gradients,
                  std::int64_t bucket_bytes = default_bucket_bytes);

  /// What the library holds at most of `gradients` elements that `ranks` sum: a copy of every bucket under way.
  static std::int64_t bytes_under_way(std::int64_t gradients, int ranks);

  void begin_step();
  /// Elements [from, n) are final: the buckets that are complete are summed, a few at a time. `from` never grows within
  /// a step.
  void ready(std::int64_t from);
  /// Lets outstanding sums advance and starts those that have waited for them; returns at once. To be called between
  /// kernels.
  void poll();
  /// Sums what is left and waits for all: afterwards the buffer holds the sums.
  void finish();

 private:
  static constexpr std::size_t most_under_way = 4;

  void start_buckets();

  Communicator* communicator_;
  Tensor gradients_;
  std::int64_t bucket_;  ///< elements
  std::int64_t begin_;   ///< of the bucket started last; n when none was
  std::int64_t final_;   ///< elements from here on will not change
  std::vector<Request> requests_;
  std::size_t done_ = 0;  ///< of the requests, from the first on
};

}  // namespace tenfold
