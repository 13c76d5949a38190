#include "parallel/process_grid.hpp"

namespace tenfold {

namespace {
MpiCommunicator& checked(MpiCommunicator& world, int data, int tensor) {
  if (data < 1 || tensor < 1 || data * tensor != world.size())
    throw InputError(text("parallel.data = ", data, " times parallel.tensor = ", tensor,
                          " is not the number of ranks, ", world.size(),
                          "; start as many ranks, or leave parallel.data unset"));
  return world;
}
}  // namespace

ProcessGrid::ProcessGrid(MpiCommunicator& world, int data, int tensor)
    : world_(&checked(world, data, tensor)),
      tensor_(world.split(world.rank() / tensor, world.rank())),
      data_(world.split(world.rank() % tensor, world.rank())) {}

}  // namespace tenfold
