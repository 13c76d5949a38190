#pragma once
// World = data x tensor grid. Ranks of one tensor group are neighbours in the world, so that they share a node.

#include "parallel/mpi_communicator.hpp"

namespace tenfold {

class ProcessGrid {
 public:
  /// Collective over `world`, which must outlive the grid. data * tensor must be the world's size.
  ProcessGrid(MpiCommunicator& world, int data, int tensor);

  MpiCommunicator& data() { return data_; }      ///< ranks that hold the same slice of the model
  MpiCommunicator& tensor() { return tensor_; }  ///< ranks that hold slices of the same layers

 private:
  MpiCommunicator tensor_;
  MpiCommunicator data_;
};

}  // namespace tenfold
