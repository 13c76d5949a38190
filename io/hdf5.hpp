#pragma once
// HDF5's C API behind RAII. Every return code is read; what fails throws Error with the file's name and the library's
// own reason. The library prints nothing itself. Objects must be destroyed before their File. This header needs neither
// hdf5.h nor mpi.h; hdf5_parallel.hpp has what ranks do to one file together.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.hpp"

namespace tenfold::hdf5 {

/// "HDF5 1.10.8", of the library that runs.
std::string version();

using Id = std::int64_t;     ///< HDF5's hid_t
using Size = std::uint64_t;  ///< a number of elements or bytes
inline constexpr Id no_id = -1;

/// HDF5's name of a native element type; bf16 has none and throws.
Id native_type(DType type);
Id native_u16();
template <class T>
Id native_type() {
  if constexpr (std::is_same_v<T, std::uint16_t>)  // tokens of a corpus: no tensor has them
    return native_u16();
  else
    return native_type(dtype_of<T>());
}

/// Owns one HDF5 identifier.
class Handle {
 public:
  using Closer = int (*)(Id);
  Handle() = default;
  Handle(Id id, Closer closer) : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, no_id)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();
  Id get() const { return id_; }
  /// Gives the identifier up without closing it.
  Id release() { return std::exchange(id_, no_id); }

 private:
  Id id_ = no_id;
  Closer closer_ = nullptr;
};

/// How the ranks of a parallel file move data: each alone, or all of them in one call (also those with nothing to
/// move).
enum class Transfer { independent, collective };

using Extents = std::vector<Size>;
inline Extents extents_of(const Shape& shape) {
  return {shape.extents().begin(), shape.extents().end()};
}

/// A box of elements: rows start[0], start[0] + row_step, ... and an interval of each further dimension.
struct Slab {
  Extents start;
  Extents extent;
  Size row_step = 1;
  Size elements() const;
};
/// Elements [offset, offset + count) in row-major order of an array of these extents as boxes, one after another: at
/// most 2 rank - 1 of them.
std::vector<Slab> slabs_of_range(const Extents& extents, Size offset, Size count);

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
  void resize(Size rows);
  /// Pushes this data set's buffers out, so that an SWMR reader sees them.
  void flush();

  /// One-dimensional elements [begin, begin + values.size()).
  template <class T>
  void write(std::span<const T> values, Size begin = 0, Transfer transfer = Transfer::independent) {
    move_row(true, native_type<T>(), const_cast<T*>(values.data()), begin, values.size(), transfer);
  }
  template <class T>
  void read(std::span<T> values, Size begin = 0) const {
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
  void write_range(DType type, const void* values, Size offset, Size count);
  /// The elements of a box, in row-major order. A collective transfer is made by all ranks, of empty boxes where they
  /// have none.
  void write_slab(DType type, const void* values, const Slab& slab, Transfer transfer = Transfer::independent);
  void read_range(DType type, void* values, Size offset, Size count) const;

  /// Where the elements of a contiguous data set begin in the file; none where it has no elements.
  std::optional<Size> file_offset() const;
  Size stored_bytes() const;
  /// The native type that the elements are stored as; none for texts and types of other machines.
  std::optional<DType> element_type() const;

 private:
  friend class Location;
  Size one_dimension() const;
  void move_slab(bool writing, Id type, void* values, const Slab& slab, Transfer transfer) const;
  void move_row(bool writing, Id type, void* values, Size begin, Size count, Transfer transfer) const {
    move_slab(writing, type, values, {{begin}, {count}}, transfer);
  }
  void move_range(bool writing, Id type, std::byte* values, Size offset, Size count) const;

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
  Dataset create_dataset(const std::string& name, Id type, const Extents& extents, const Layout& layout = {});
  Dataset dataset(const std::string& name) const;

  /// Scalar attributes (writes are collective in a parallel file); setting one again replaces it.
  void set_attribute(const std::string& name, std::int64_t value);
  void set_attribute(const std::string& name, double value);
  void set_attribute(const std::string& name, const std::string& value);
  bool has_attribute(const std::string& name) const;
  /// In alphabetical order.
  std::vector<std::string> attribute_names() const;
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
  Size user_block = 0;  ///< bytes before the HDF5 part: 0 or a power of two from 512 up
  bool swmr = false;    ///< the file will be written in SWMR mode (newer file format)
  Size alignment = 1;   ///< large data sets begin at multiples of so many bytes
};

/// InputError unless the path leads to an HDF5 file with these rights.
void expect_hdf5(const std::string& path, Access access);

/// An HDF5 file, which an existing file is overwritten by or opened as. A path that is missing, unreadable or no HDF5
/// file is an InputError. Flush, close and destruction of a file that ranks share (hdf5_parallel.hpp) are collective;
/// while an exception unwinds the destructor of such a file does nothing, so that no rank waits for the others.
class File : public Location {
 public:
  static File create(const std::string& path, const CreateOptions& options = {});
  static File open(const std::string& path, Access access = Access::read);
  /// Takes over an open file; `shared`: by ranks.
  File(Handle handle, const std::string& path, bool shared);
  File(File&&) noexcept = default;
  File& operator=(File&&) = delete;
  ~File();

  /// From here on readers may open the file with swmr_read; no object may be created any more.
  void start_swmr();
  void flush();
  /// Closes now and reports errors, which the destructor cannot.
  void close();

 private:
  bool shared_;
  int exceptions_;
};

}  // namespace tenfold::hdf5
