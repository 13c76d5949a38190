#pragma once
// One pass of a micro-batch through a model.

#include "base/queue.hpp"
#include "kernels/dropout.hpp"
#include "model/encoder_input.hpp"

namespace tenfold {

/// Without training nothing is dropped and nothing is kept for a backward pass.
struct Pass {
  Queue& queue;
  const EncoderInput& input;
  bool training = true;

  /// The rows of a tensor [N, ...] that are worked on.
  Tensor rows(const Tensor& tensor) const { return tensor ? tensor.rows(0, input.computed) : tensor; }

  kernels::Dropout dropout(double rate, std::uint64_t key) const {
    return {input.rows, training ? static_cast<float>(rate) : 0.0F, key, input.step};
  }
};

}  // namespace tenfold
