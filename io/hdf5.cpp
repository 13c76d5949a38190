// Groups and data sets; hdf5_file.cpp has the files, hdf5_text.cpp attributes and texts.
#include "io/hdf5.hpp"

#include <algorithm>
#include <cstddef>

#include "base/check.hpp"
#include "io/detail/hdf5_handles.hpp"

namespace tenfold::hdf5 {

std::string version() {
  detail::initialise();
  unsigned major = 0, minor = 0, release = 0;
  TENFOLD_VERIFY(H5get_libversion(&major, &minor, &release) >= 0, "HDF5 does not tell its version");
  return tenfold::text("HDF5 ", major, '.', minor, '.', release);
}

using detail::check;
using detail::properties;
using detail::space_of;

hid_t native_type(DType type) {
  switch (type) {
    case DType::f32:
      return H5T_NATIVE_FLOAT;
    case DType::f64:
      return H5T_NATIVE_DOUBLE;
    case DType::i32:
      return H5T_NATIVE_INT32;
    case DType::i64:
      return H5T_NATIVE_INT64;
    case DType::u8:
      return H5T_NATIVE_UINT8;
    case DType::bf16:
      break;
  }
  throw Error(text("HDF5 has no element type for ", name_of(type)));
}

Handle::~Handle() {
  // Nothing can be done about a failing close here; File::close reports what matters.
  if (id_ >= 0) closer_(id_);
}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(closer_, other.closer_);
  return *this;
}

namespace {

hsize_t product(std::span<const hsize_t> extents, std::size_t first = 0) {
  hsize_t elements = 1;
  for (std::size_t i = first; i < extents.size(); ++i) elements *= extents[i];
  return elements;
}

}  // namespace

// Data sets

Extents Dataset::extents() const {
  const Handle space(check(H5Dget_space(handle_.get()), label_, "read the extents"), H5Sclose);
  Extents extents(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), label_, "read the rank")));
  check(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), label_, "read the extents");
  return extents;
}

void Dataset::resize(hsize_t rows) {
  Extents size = extents();
  TENFOLD_VERIFY(!size.empty(), label_, " is a scalar");
  size[0] = rows;
  check(H5Dset_extent(handle_.get(), size.data()), label_, "resize");
}

void Dataset::flush() {
  check(H5Dflush(handle_.get()), label_, "flush");
}

hsize_t Dataset::one_dimension() const {
  const Extents size = extents();
  TENFOLD_VERIFY(size.size() == 1, label_, " has ", size.size(), " dimensions, not one");
  return size[0];
}

void Dataset::move_elements(bool writing, hid_t type, void* values, std::span<const hsize_t> offsets,
                            std::span<const hsize_t> counts, Transfer transfer) const {
  const Handle file_space(check(H5Dget_space(handle_.get()), label_, "read the extents"), H5Sclose);
  const int rank = check(H5Sget_simple_extent_ndims(file_space.get()), label_, "read the rank");
  TENFOLD_VERIFY(rank == static_cast<int>(counts.size()) && offsets.size() == counts.size(), label_, " has ", rank,
                 " dimensions, got a slab of ", counts.size());
  const Handle memory_space = space_of(counts, label_);
  if (product(counts) == 0) {
    check(H5Sselect_none(file_space.get()), label_, "select nothing");
    check(H5Sselect_none(memory_space.get()), label_, "select nothing");
  } else if (rank > 0) {
    check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, offsets.data(), nullptr, counts.data(), nullptr),
          label_, "select a slab");
  }
  Handle options = properties(H5P_DATASET_XFER, label_);
  if (transfer == Transfer::collective) {
    check(H5Pset_dxpl_mpio(options.get(), H5FD_MPIO_COLLECTIVE), label_, "ask for a collective transfer");
  }
  if (writing) {
    check(H5Dwrite(handle_.get(), type, memory_space.get(), file_space.get(), options.get(), values), label_, "write");
  } else {
    check(H5Dread(handle_.get(), type, memory_space.get(), file_space.get(), options.get(), values), label_, "read");
  }
}

void Dataset::write_range(DType type, const void* values, hsize_t offset, hsize_t count) {
  move_range(true, native_type(type), static_cast<std::byte*>(const_cast<void*>(values)), offset, count);
}

void Dataset::read_range(DType type, void* values, hsize_t offset, hsize_t count) const {
  move_range(false, native_type(type), static_cast<std::byte*>(values), offset, count);
}

void Dataset::move_range(bool writing, hid_t type, std::byte* values, hsize_t offset, hsize_t count) const {
  const Extents size = extents();
  TENFOLD_VERIFY(offset + count <= product(size), label_, ": elements ", offset, " to ", offset + count, " of ",
                 product(size));
  const std::size_t bytes = H5Tget_size(type);
  // Each turn takes the largest slab that starts at `offset`: whole sub-blocks of the outermost dimension that allows
  // it.
  while (count > 0) {
    std::size_t dimension = 0;
    while (dimension + 1 < size.size() &&
           (offset % product(size, dimension + 1) != 0 || count < product(size, dimension + 1))) {
      ++dimension;
    }
    Extents start(size.size());
    Extents slab(size.size(), 1);
    for (std::size_t i = 0; i < size.size(); ++i) start[i] = offset / product(size, i + 1) % size[i];
    for (std::size_t i = dimension + 1; i < size.size(); ++i) slab[i] = size[i];
    if (!size.empty())
      slab[dimension] = std::min(size[dimension] - start[dimension], count / product(size, dimension + 1));
    move_elements(writing, type, values, start, slab, Transfer::independent);
    values += product(slab) * bytes;
    offset += product(slab);
    count -= product(slab);
  }
}

// Groups

bool Location::has(const std::string& name) const {
  // H5Lexists fails, rather than saying no, when a group on the way is missing.
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    if (check(H5Lexists(handle_.get(), name.substr(0, end).c_str(), H5P_DEFAULT), label_, "look a name up") == 0) {
      return false;
    }
    if (end == std::string::npos) return true;
  }
}

bool Location::is_group(const std::string& name) const {
  const Handle object(check(H5Oopen(handle_.get(), name.c_str(), H5P_DEFAULT), label_ + "/" + name, "open the object"),
                      H5Oclose);
  return H5Iget_type(object.get()) == H5I_GROUP;
}

std::vector<std::string> Location::names() const {
  std::vector<std::string> found;
  const H5L_iterate_t visit = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Literate(handle_.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &found), label_, "list the members");
  return found;
}

namespace {

Handle missing_groups_too(const std::string& label) {
  Handle links = properties(H5P_LINK_CREATE, label);
  check(H5Pset_create_intermediate_group(links.get(), 1), label, "ask for groups on the way");
  return links;
}

}  // namespace

Group Location::group(const std::string& name) {
  if (has(name)) return open_group(name);
  const Handle links = missing_groups_too(label_);
  return {Handle(check(H5Gcreate2(handle_.get(), name.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT),
                       label_ + "/" + name, "create the group"),
                 H5Gclose),
          label_ + "/" + name};
}

Group Location::open_group(const std::string& name) const {
  const std::string label = label_ + "/" + name;
  return {Handle(check(H5Gopen2(handle_.get(), name.c_str(), H5P_DEFAULT), label, "open the group"), H5Gclose), label};
}

Dataset Location::create_dataset(const std::string& name, hid_t type, const Extents& extents, const Layout& layout) {
  const std::string label = label_ + "/" + name;
  const Handle options = properties(H5P_DATASET_CREATE, label);
  // Times of creation would make two files of the same content differ.
  check(H5Pset_obj_track_times(options.get(), false), label, "leave times out");
  if (layout.chunk.empty()) {
    check(H5Pset_alloc_time(options.get(), H5D_ALLOC_TIME_EARLY), label, "allocate early");
    check(H5Pset_fill_time(options.get(), H5D_FILL_TIME_NEVER), label, "leave out filling");
  } else {
    check(H5Pset_chunk(options.get(), static_cast<int>(layout.chunk.size()), layout.chunk.data()), label, "set chunks");
  }
  if (layout.fletcher32) check(H5Pset_fletcher32(options.get()), label, "ask for checksums");
  Handle space = space_of(extents, label);
  if (layout.extendible) {
    Extents most = extents;
    most.at(0) = H5S_UNLIMITED;
    check(H5Sset_extent_simple(space.get(), static_cast<int>(extents.size()), extents.data(), most.data()), label,
          "make the data space extendible");
  }
  const Handle links = missing_groups_too(label);
  const hid_t id = H5Dcreate2(handle_.get(), name.c_str(), type, space.get(), links.get(), options.get(), H5P_DEFAULT);
  return {Handle(check(id, label, "create the data set"), H5Dclose), label};
}

Dataset Location::dataset(const std::string& name) const {
  const std::string label = label_ + "/" + name;
  return {Handle(check(H5Dopen2(handle_.get(), name.c_str(), H5P_DEFAULT), label, "open the data set"), H5Dclose),
          label};
}

}  // namespace tenfold::hdf5
