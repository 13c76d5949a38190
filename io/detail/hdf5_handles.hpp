#pragma once
// Small HDF5 objects that the wrappers are made of.

#include "io/detail/hdf5_error.hpp"
#include "io/hdf5.hpp"

namespace tenfold::hdf5::detail {

/// A data space of these extents; a scalar when there are none.
inline Handle space_of(std::span<const hsize_t> extents, const std::string& label) {
  const int rank = static_cast<int>(extents.size());
  return {check(rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, extents.data(), nullptr), label,
                "describe a data space"),
          H5Sclose};
}

/// An empty property list of a class (H5P_DATASET_CREATE, ...).
inline Handle properties(hid_t kind, const std::string& label) {
  return {check(H5Pcreate(kind), label, "create properties"), H5Pclose};
}

}  // namespace tenfold::hdf5::detail
