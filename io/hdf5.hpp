#pragma once
// HDF5's C API behind RAII. Every return code is read; what fails throws Error with the file's name and the library's
// own reason. The library prints nothing itself. Objects must be destroyed before their File.

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold::hdf5 {

/// "HDF5 1.10.8", of the library that runs.
std::string version();

/// HDF5's name of a native element type; bf16 has none and throws.
hid_t native_type(DType type);
template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, std::uint16_t>)  // tokens of a corpus: no tensor has them
    return H5T_NATIVE_UINT16;
  else
    return native_type(dtype_of<T>());
}

/// Owns one HDF5 identifier.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();
  hid_t get() const { return id_; }
  /// Gives the identifier up without closing it.
  hid_t release() { return std::exchange(id_, H5I_INVALID_HID); }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Closer closer_ = nullptr;
};

/// How the ranks of a parallel file move data: each alone, or all of them in one call (also those with nothing to
/// move).
enum class Transfer { independent, collective };

using Extents = std::vector<hsize_t>;
inline Extents extents_of(const Shape& shape) {
  return {shape.extents().begin(), shape.extents().end()};
}

/// How a data set is laid out. Contiguous unless `chunk` is given; contiguous space is allocated at once, never filled.
struct Layout {
  Extents chunk = {};       ///< elements a dimension; at most 64 KiB in a corpus
  bool extendible = false;  ///< the outermost dimension may grow
  bool fletcher32 = false;  ///< checksum a chunk (parallel writes must then be collective)
};

class Dataset {
 public:
  Dataset(Handle handle, std::string label) : handle_(std::move(handle)), label_(std::move(label)) {}

  Extents extents() const;
  /// Sets the outermost dimension (collective in a parallel file).
  void resize(hsize_t rows);
  /// Pushes this data set's buffers out, so that an SWMR reader sees them.
  void flush();

  /// One-dimensional elements [begin, begin + values.size()).
  template <class T>
  void write(std::span<const T> values, hsize_t begin = 0, Transfer transfer = Transfer::independent) {
    move_row(true, native_type<T>(), const_cast<T*>(values.data()), begin, values.size(), transfer);
  }
  template <class T>
  void read(std::span<T> values, hsize_t begin = 0) const {
    move_row(false, native_type<T>(), values.data(), begin, values.size(), Transfer::independent);
  }
  /// A whole one-dimensional data set.
  template <class T>
  std::vector<T> read_all() const {
    std::vector<T> values(one_dimension());
    read(std::span<T>(values));
    return values;
  }

  /// Elements [offset, offset + count) in row-major order of a data set of any rank, whatever rows they begin and end
  /// in.
  void write_range(DType type, const void* values, hsize_t offset, hsize_t count);
  void read_range(DType type, void* values, hsize_t offset, hsize_t count) const;

 private:
  friend class Location;
  hsize_t one_dimension() const;
  void move_elements(bool writing, hid_t type, void* values, std::span<const hsize_t> offsets,
                     std::span<const hsize_t> counts, Transfer transfer) const;
  void move_row(bool writing, hid_t type, void* values, hsize_t begin, hsize_t count, Transfer transfer) const {
    move_elements(writing, type, values, {&begin, 1}, {&count, 1}, transfer);
  }
  void move_range(bool writing, hid_t type, std::byte* values, hsize_t offset, hsize_t count) const;

  Handle handle_;
  std::string label_;
};

/// What holds named objects: a file (its root group) or a group. Names may be paths; missing groups on the way are
/// made.
class Location {
 public:
  bool has(const std::string& name) const;
  bool is_group(const std::string& name) const;
  /// Names of the members, in alphabetical order.
  std::vector<std::string> names() const;
  class Group group(const std::string& name);             ///< made if it is not there (collective in a parallel file)
  class Group open_group(const std::string& name) const;  ///< throws if it is not there

  /// Collective in a parallel file.
  template <class T>
  Dataset create_dataset(const std::string& name, const Extents& extents, const Layout& layout = {}) {
    return create_dataset(name, native_type<T>(), extents, layout);
  }
  Dataset create_dataset(const std::string& name, hid_t type, const Extents& extents, const Layout& layout = {});
  Dataset dataset(const std::string& name) const;

  /// Scalar attributes (writes are collective in a parallel file); setting one again replaces it.
  void set_attribute(const std::string& name, std::int64_t value);
  void set_attribute(const std::string& name, double value);
  void set_attribute(const std::string& name, const std::string& value);
  bool has_attribute(const std::string& name) const;
  std::int64_t integer_attribute(const std::string& name) const;
  double real_attribute(const std::string& name) const;
  std::string text_attribute(const std::string& name) const;

  /// UTF-8 text of any length as a scalar data set of one fixed-length string, and a list of texts as a 1-D one.
  /// A text may not end in NUL bytes; bytes of any value belong in a uint8 data set. In a parallel file all ranks call
  /// this with the same text.
  void write_text(const std::string& name, std::string_view value);
  void write_texts(const std::string& name, const std::vector<std::string>& values);
  std::string read_text(const std::string& name) const;
  std::vector<std::string> read_texts(const std::string& name) const;

  const std::string& label() const { return label_; }

 protected:
  Location(Handle handle, std::string label) : handle_(std::move(handle)), label_(std::move(label)) {}
  Handle handle_;
  std::string label_;  ///< "file: /group", for messages
};

class Group : public Location {
 public:
  Group(Handle handle, std::string label) : Location(std::move(handle), std::move(label)) {}
};

enum class Access { read, read_write, swmr_read };

struct CreateOptions {
  hsize_t user_block = 0;  ///< bytes before the HDF5 part: 0 or a power of two from 512 up
  bool swmr = false;       ///< the file will be written in SWMR mode (newer file format)
};

/// An HDF5 file, which an existing file is overwritten by or opened as. A path that is missing, unreadable or no HDF5
/// file is an InputError. With a communicator the file is opened by all its ranks through MPI-IO: opening, flush, close
/// and destruction are collective, and all ranks throw if one fails to open. While an exception unwinds the destructor
/// of such a file does nothing, so that no rank waits for the others.
class File : public Location {
 public:
  static File create(const std::string& path, const CreateOptions& options = {});
  static File create(const std::string& path, MpiCommunicator& communicator);
  static File open(const std::string& path, Access access = Access::read);
  static File open(const std::string& path, MpiCommunicator& communicator, Access access = Access::read);
  File(File&&) noexcept = default;
  File& operator=(File&&) = delete;
  ~File();

  /// From here on readers may open the file with swmr_read; no object may be created any more.
  void start_swmr();
  void flush();
  /// Closes now and reports errors, which the destructor cannot.
  void close();

 private:
  File(Handle handle, const std::string& path, bool parallel);
  bool parallel_;
  int exceptions_;
};

}  // namespace tenfold::hdf5
