#pragma once
// Sums the flat gradient buffer over the data ranks in buckets, from its end to its beginning, while the backward pass
// still runs: backward completes parameters in reverse order.

#include <cstdint>
#include <vector>

#include "parallel/communicator.hpp"

namespace tenfold {

class GradientReducer {
 public:
  /// `gradients`: [n] f32. Bucket borders depend on n and `bucket_bytes` alone, so that the same number of ranks gives
  /// the same bits however `ready` is called. Both arguments must outlive the reducer.
  GradientReducer(Communicator& communicator, const Tensor& gradients, std::int64_t bucket_bytes = 4 << 20);

  void begin_step();
  /// Elements [from, n) are final; starts the sums of all buckets that are complete. `from` never grows within a step.
  void ready(std::int64_t from);
  /// Lets outstanding sums advance; returns at once. To be called between kernels.
  void poll();
  /// Sums what is left and waits for all: afterwards the buffer holds the sums.
  void finish();

 private:
  void start_bucket();

  Communicator* communicator_;
  Tensor gradients_;
  std::int64_t bucket_;  ///< elements
  std::int64_t begin_;   ///< of the bucket started last; n when none was
  std::vector<Request> requests_;
};

}  // namespace tenfold
