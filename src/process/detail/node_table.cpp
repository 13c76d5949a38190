#include "process/detail/node_table.hpp"

#include <unistd.h>

#include <new>

#include "base/host.hpp"
#include "parallel/agree.hpp"
#include "process/detail/system.hpp"

namespace tenfold::detail {

namespace {

std::size_t bytes_for(int ranks) {
  static_assert(sizeof(NodeReport) % alignof(NodeSlot) == 0);
  return sizeof(NodeReport) + static_cast<std::size_t>(ranks) * sizeof(NodeSlot);
}

}  // namespace

NodeTable::NodeTable(MpiCommunicator& world) : NodeTable(world, world.split_node()) {}

NodeTable::NodeTable(MpiCommunicator& world, MpiCommunicator node)
    : memory_(world, node, bytes_for(node.size())), my_slot_(node.rank()) {
  const auto ranks = static_cast<std::size_t>(node.size());
  auto* first = static_cast<std::byte*>(memory_.data()) + sizeof(NodeReport);
  if (my_slot_ == 0) {
    new (memory_.data()) NodeReport;
    for (std::size_t i = 0; i < ranks; ++i) new (first + i * sizeof(NodeSlot)) NodeSlot;
  }
  node.barrier();
  report_ = std::launder(static_cast<NodeReport*>(memory_.data()));
  slots_ = {std::launder(reinterpret_cast<NodeSlot*>(first)), ranks};
  mine().rank.store(world.rank());
  mine().pid.store(getpid());
  node.barrier();
  agree(world, [&] {
    for (const NodeSlot& slot : slots_)
      if (process_state(slot.pid.load()) == 0)
        throw Error(text("rank ", slot.rank.load(), " runs on this host but its process ", slot.pid.load(),
                         " cannot be seen; start the ranks of a node in one process namespace"));
  });
}

}  // namespace tenfold::detail
