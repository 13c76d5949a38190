#pragma once
// Sums the flat gradient buffer over the data ranks in buckets, from its end to its beginning, while the backward pass
// still runs: backward completes parameters in reverse order.

#include <cstdint>
#include <vector>

#include "parallel/communicator.hpp"

namespace tenfold {

class GradientReducer {
 public:
  /// `gradients`: [n] f32, written by work on `queue`. Bucket borders depend on n and `buckets` alone, so that the same
  /// number of ranks gives the same bits however `ready` is called. All arguments must outlive the reducer. Nothing
  /// else may use the communicator between begin_step() and the end of finish().
  GradientReducer(Communicator& communicator, Queue& queue, const Tensor& gradients,
                  const Communicator::Buckets& buckets);

  /// What the communicator's library holds at most of these gradients: a copy of every bucket under way.
  std::int64_t bytes_under_way() const;

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
  void start_buckets();

  Communicator& communicator_;
  Queue& queue_;
  Tensor gradients_;
  std::int64_t bucket_;  ///< elements
  std::size_t most_under_way_;
  std::int64_t begin_;  ///< of the bucket started last; n when none was
  std::int64_t final_;  ///< elements from here on will not change
  std::vector<Request> requests_;
  std::size_t done_ = 0;  ///< of the requests, from the first on
};

}  // namespace tenfold
