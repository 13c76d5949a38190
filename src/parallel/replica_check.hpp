#pragma once
// Replicas that drift are an error, not a mystery.

#include <cstdint>

#include "base/queue.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

/// 64-bit hash of the bytes of a host tensor.
std::uint64_t hash_of(const Tensor& tensor);

/// Of a tensor wherever it lies.
std::uint64_t hash_of(Queue& queue, const Tensor& values);

/// Collective: throws AgreedError, naming the ranks and the step, unless the hash of the weights is the same on every
/// rank.
void check_replicas(Communicator& communicator, std::uint64_t hash, std::int64_t step);

}  // namespace tenfold
