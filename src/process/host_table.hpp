#pragma once
// Which rank runs where, and how many threads it may use.

#include <span>
#include <string>
#include <vector>

#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// Processors by number, ascending.
using CpuSet = std::vector<int>;

/// "0-3,8" for {0, 1, 2, 3, 8}.
std::string describe(const CpuSet& cpus);

/// A text table, one line a rank: rank, host, process id, processors it is bound to, and the rank's `device` if that
/// has a name. The same on all ranks. Collective.
std::string host_table(Communicator& world, const std::string& device);

/// Threads of the rank `me` among the ranks of one node, given the processors that each is bound to: ranks with the
/// same set share it evenly (at least one thread each). InputError when sets overlap in part, or when some ranks of the
/// node are bound elsewhere and a shared set has fewer processors than ranks.
int threads_of(std::span<const CpuSet> bindings, int me);

/// threads_of for this rank, from the affinity masks of its node's ranks. Collective; the ranks agree on a refusal.
int default_threads(MpiCommunicator& world);

/// Ranks of one thread each that do what the ranks of a node do with so many threads each: one a thread, but no more
/// than processors that any of them may run on, and no fewer than ranks.
int ranks_instead(std::span<const CpuSet> bindings, int threads);

/// Where ranks with several threads leave a node fewer ranks than processors: how many to start instead, since a rank
/// makes more of a processor than a thread does. Otherwise empty. Collective.
std::string remark_on_threads(MpiCommunicator& world, int threads);

}  // namespace tenfold
