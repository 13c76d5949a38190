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

static_assert(std::is_same_v<Id, hid_t> && std::is_same_v<Handle::Closer, herr_t (*)(hid_t)>);
static_assert(sizeof(Size) == sizeof(hsize_t) && no_id == H5I_INVALID_HID);

Id native_u16() {
  return H5T_NATIVE_UINT16;
}

Id native_type(DType type) {
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

Size product(std::span<const Size> extents, std::size_t first = 0) {
  Size elements = 1;
  for (std::size_t i = first; i < extents.size(); ++i) elements *= extents[i];
  return elements;
}

}  // namespace

// Data sets

Extents Dataset::extents() const {
  const Handle space(check(H5Dget_space(handle_.get()), label_, "read the extents"), H5Sclose);
  std::vector<hsize_t> found(
      static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), label_, "read the rank")));
  check(H5Sget_simple_extent_dims(space.get(), found.data(), nullptr), label_, "read the extents");
  return {found.begin(), found.end()};
}

void Dataset::resize(Size rows) {
  const Extents now = extents();
  TENFOLD_VERIFY(!now.empty(), label_, " is a scalar");
  std::vector<hsize_t> size(now.begin(), now.end());
  size[0] = rows;
  check(H5Dset_extent(handle_.get(), size.data()), label_, "resize");
}

void Dataset::flush() {
  check(H5Dflush(handle_.get()), label_, "flush");
}

Size Dataset::one_dimension() const {
  const Extents size = extents();
  TENFOLD_VERIFY(size.size() == 1, label_, " has ", size.size(), " dimensions, not one");
  return size[0];
}

std::optional<Size> Dataset::file_offset() const {
  const haddr_t offset = H5Dget_offset(handle_.get());
  if (offset != HADDR_UNDEF) return offset;
  H5Eclear2(H5E_DEFAULT);
  return {};
}

Size Dataset::stored_bytes() const {
  return H5Dget_storage_size(handle_.get());
}

std::optional<DType> Dataset::element_type() const {
  const Handle stored(check(H5Dget_type(handle_.get()), label_, "read the type"), H5Tclose);
  for (const DType type : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8})
    if (check(H5Tequal(stored.get(), native_type(type)), label_, "compare types") > 0) return type;
  return {};
}

namespace {

/// The elements of a box of rows that may lie apart.
void select(hid_t space, const Slab& slab, const std::string& label) {
  const std::vector<hsize_t> start(slab.start.begin(), slab.start.end());
  std::vector<hsize_t> stride(start.size(), 1);
  stride[0] = slab.row_step;
  const std::vector<hsize_t> count(slab.extent.begin(), slab.extent.end());
  check(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), stride.data(), count.data(), nullptr), label,
        "select a slab");
}

}  // namespace

void Dataset::move_slab(bool writing, Id type, void* values, const Slab& slab, Transfer transfer) const {
  const Handle file_space(check(H5Dget_space(handle_.get()), label_, "read the extents"), H5Sclose);
  const int rank = check(H5Sget_simple_extent_ndims(file_space.get()), label_, "read the rank");
  TENFOLD_VERIFY(rank == static_cast<int>(slab.extent.size()) && slab.start.size() == slab.extent.size(), label_,
                 " has ", rank, " dimensions, got a slab of ", slab.extent.size());
  const Handle memory_space = space_of(slab.extent, label_);
  if (slab.elements() == 0) {
    check(H5Sselect_none(file_space.get()), label_, "select nothing");
    check(H5Sselect_none(memory_space.get()), label_, "select nothing");
  } else if (rank > 0) {
    select(file_space.get(), slab, label_);
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

void Dataset::write_slab(DType type, const void* values, const Slab& slab, Transfer transfer) {
  move_slab(true, native_type(type), const_cast<void*>(values), slab, transfer);
}

void Dataset::write_range(DType type, const void* values, Size offset, Size count) {
  move_range(true, native_type(type), static_cast<std::byte*>(const_cast<void*>(values)), offset, count);
}

void Dataset::read_range(DType type, void* values, Size offset, Size count) const {
  move_range(false, native_type(type), static_cast<std::byte*>(values), offset, count);
}

void Dataset::move_range(bool writing, Id type, std::byte* values, Size offset, Size count) const {
  const Extents size = extents();
  TENFOLD_VERIFY(offset + count <= product(size), label_, ": elements ", offset, " to ", offset + count, " of ",
                 product(size));
  const std::size_t bytes = H5Tget_size(type);
  for (const Slab& slab : slabs_of_range(size, offset, count)) {
    move_slab(writing, type, values, slab, Transfer::independent);
    values += slab.elements() * bytes;
  }
}

// Boxes

Size Slab::elements() const {
  return product(extent);
}

std::vector<Slab> slabs_of_range(const Extents& extents, Size offset, Size count) {
  std::vector<Slab> slabs;
  // Each turn takes the largest box that starts at `offset`: whole sub-blocks of the outermost dimension that allows
  // it.
  while (count > 0) {
    std::size_t dimension = 0;
    while (dimension + 1 < extents.size() &&
           (offset % product(extents, dimension + 1) != 0 || count < product(extents, dimension + 1))) {
      ++dimension;
    }
    Slab slab{Extents(extents.size()), Extents(extents.size(), 1)};
    for (std::size_t i = 0; i < extents.size(); ++i) slab.start[i] = offset / product(extents, i + 1) % extents[i];
    for (std::size_t i = dimension + 1; i < extents.size(); ++i) slab.extent[i] = extents[i];
    if (!extents.empty())
      slab.extent[dimension] =
          std::min(extents[dimension] - slab.start[dimension], count / product(extents, dimension + 1));
    offset += slab.elements();
    count -= slab.elements();
    slabs.push_back(std::move(slab));
  }
  return slabs;
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

Dataset Location::create_dataset(const std::string& name, Id type, const Extents& extents, const Layout& layout) {
  const std::string label = label_ + "/" + name;
  const Handle options = properties(H5P_DATASET_CREATE, label);
  // Times of creation would make two files of the same content differ.
  check(H5Pset_obj_track_times(options.get(), false), label, "leave times out");
  if (layout.chunk.empty()) {
    check(H5Pset_alloc_time(options.get(), H5D_ALLOC_TIME_EARLY), label, "allocate early");
    check(H5Pset_fill_time(options.get(), H5D_FILL_TIME_NEVER), label, "leave out filling");
  } else {
    const std::vector<hsize_t> chunk(layout.chunk.begin(), layout.chunk.end());
    check(H5Pset_chunk(options.get(), static_cast<int>(chunk.size()), chunk.data()), label, "set chunks");
  }
  if (layout.fletcher32) check(H5Pset_fletcher32(options.get()), label, "ask for checksums");
  Handle space = space_of(extents, label);
  if (layout.extendible) {
    const std::vector<hsize_t> now(extents.begin(), extents.end());
    std::vector<hsize_t> most = now;
    most.at(0) = H5S_UNLIMITED;
    check(H5Sset_extent_simple(space.get(), static_cast<int>(now.size()), now.data(), most.data()), label,
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
