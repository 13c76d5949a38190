#pragma once
// Replicas that drift are an error, not a mystery.

#include <cstdint>

#include "parallel/communicator.hpp"

namespace tenfold {

/// 64-bit hash of the bytes of a host tensor.
std::uint64_t hash_of(const Tensor& tensor);

/// Collective: throws AgreedError, naming the ranks and the step, unless the tensor has the same bytes on every rank.
void check_replicas(Communicator& communicator, const Tensor& weights, std::int64_t step);

}  // namespace tenfold
