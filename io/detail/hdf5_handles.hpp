#pragma once
// Small HDF5 objects that the wrappers are made of.

#include <span>
#include <string>
#include <vector>

#include "io/detail/hdf5_error.hpp"
#include "io/hdf5.hpp"

namespace tenfold::hdf5::detail {

/// A data space of these extents; a scalar when there are none.
inline Handle space_of(std::span<const Size> extents, const std::string& label) {
  const std::vector<hsize_t> size(extents.begin(), extents.end());
  const int rank = static_cast<int>(size.size());
  return {check(rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, size.data(), nullptr), label,
                "describe a data space"),
          H5Sclose};
}

/// An empty property list of a class (H5P_DATASET_CREATE, ...).
inline Handle properties(hid_t kind, const std::string& label) {
  return {check(H5Pcreate(kind), label, "create properties"), H5Pclose};
}

/// How a file is opened, whoever opens it.
Handle file_access(const std::string& path);

/// Creates and opens.
Handle create_file(const std::string& path, const CreateOptions& options, const Handle& access);
Handle open_file(const std::string& path, Access access, const Handle& options);

}  // namespace tenfold::hdf5::detail
