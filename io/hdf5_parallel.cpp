#include "io/hdf5_parallel.hpp"

#include "io/detail/hdf5_handles.hpp"

namespace tenfold::hdf5 {

using detail::check;

namespace {

Handle shared_access(const std::string& path, MPI_Comm ranks) {
  Handle options = detail::file_access(path);
  check(H5Pset_fapl_mpio(options.get(), ranks, MPI_INFO_NULL), path, "ask for MPI-IO");
  // Else every rank reads every record that it needs on its own, which no file system bears from a thousand of them.
  check(H5Pset_all_coll_metadata_ops(options.get(), true), path, "ask for collective reading of records");
  check(H5Pset_coll_metadata_write(options.get(), true), path, "ask for collective writing of records");
  return options;
}

}  // namespace

File create_shared(const std::string& path, MPI_Comm ranks) {
  return {detail::create_file(path, {}, shared_access(path, ranks)), path, true};
}

File open_shared(const std::string& path, MPI_Comm ranks, Access access) {
  return {detail::open_file(path, access, shared_access(path, ranks)), path, true};
}

}  // namespace tenfold::hdf5
