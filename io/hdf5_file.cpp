// Files: how they are created, opened and closed.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>

#include "base/check.hpp"
#include "io/detail/hdf5_handles.hpp"
#include "io/hdf5.hpp"

namespace tenfold::hdf5 {

using detail::check;

namespace detail {

Handle file_access(const std::string& path) {
  initialise();
  Handle options = properties(H5P_FILE_ACCESS, path);
  // An object still open when its file closes is a mistake of ours that must show, not a file that stays open.
  check(H5Pset_fclose_degree(options.get(), H5F_CLOSE_SEMI), path, "set how to close");
  return options;
}

Handle create_file(const std::string& path, const CreateOptions& options, const Handle& access) {
  constexpr hsize_t large = 64 << 10;
  const Handle creation = properties(H5P_FILE_CREATE, path);
  check(H5Pset_userblock(creation.get(), options.user_block), path, "set the user block");
  check(H5Pset_obj_track_times(creation.get(), false), path, "leave times out");
  check(H5Pset_alignment(access.get(), large, options.alignment), path, "set the alignment");
  if (options.swmr)
    check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST), path, "choose the file format");
  return {check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), path, "create the file"),
          H5Fclose};
}

Handle open_file(const std::string& path, Access access, const Handle& options) {
  unsigned flags = H5F_ACC_RDONLY;
  if (access == Access::read_write) flags = H5F_ACC_RDWR;
  if (access == Access::swmr_read) flags |= H5F_ACC_SWMR_READ;
  return {check(H5Fopen(path.c_str(), flags, options.get()), path, "open the file"), H5Fclose};
}

}  // namespace detail

// What is wrong with the user's path is told apart from what is wrong inside the file.
void expect_hdf5(const std::string& path, Access access) {
  detail::initialise();
  const int wanted = access == Access::read_write ? R_OK | W_OK : R_OK;
  if (::access(path.c_str(), wanted) != 0) throw InputError(text(path, ": ", std::strerror(errno)));
  if (!std::filesystem::is_regular_file(path)) throw InputError(text(path, " is not a file"));
  if (H5Fis_hdf5(path.c_str()) <= 0) {
    H5Eclear2(H5E_DEFAULT);
    throw InputError(text(path, " is not an HDF5 file, or its beginning is damaged"));
  }
}

File::File(Handle handle, const std::string& path, bool shared)
    : Location(std::move(handle), path), shared_(shared), exceptions_(std::uncaught_exceptions()) {}

File File::create(const std::string& path, const CreateOptions& options) {
  return {detail::create_file(path, options, detail::file_access(path)), path, false};
}

File File::open(const std::string& path, Access access) {
  // HDF5 doubles its pause from one attempt at a torn read to the next: its usual 100 never end on a damaged file.
  constexpr unsigned attempts = 26;  // over a tenth of a second
  const Handle options = detail::file_access(path);
  if (access == Access::swmr_read)
    check(H5Pset_metadata_read_attempts(options.get(), attempts), path, "set how often to read");
  expect_hdf5(path, access);
  try {
    return {detail::open_file(path, access, options), path, false};
  } catch (const Error& error) {
    throw InputError(text(error.what(), "; the file is damaged, or not complete"));
  }
}

File::~File() {
  if (shared_ && std::uncaught_exceptions() > exceptions_) handle_.release();
}

void File::start_swmr() {
  check(H5Fstart_swmr_write(handle_.get()), label_, "begin SWMR writing");
}

void File::flush() {
  check(H5Fflush(handle_.get(), H5F_SCOPE_GLOBAL), label_, "flush the file");
}

void File::close() {
  check(H5Fclose(handle_.release()), label_, "close the file");
}

}  // namespace tenfold::hdf5
