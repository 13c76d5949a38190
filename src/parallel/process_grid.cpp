#include "parallel/process_grid.hpp"

namespace tenfold {

ProcessGrid::ProcessGrid(MpiCommunicator& world, int data, int tensor)
    : tensor_(world.split(world.rank() / tensor, world.rank())),
      data_(world.split(world.rank() % tensor, world.rank())) {
  TENFOLD_VERIFY(data * tensor == world.size(), "a grid of ", data, " x ", tensor, " for ", world.size(), " ranks");
}

}  // namespace tenfold
