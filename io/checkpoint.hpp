#pragma once
// A checkpoint is one HDF5 file of logical tensors, whatever the ranks: it is written by any number of them and read by
// any other. FORMATS.md has the layout. Here is what one process does to such a file; how the ranks of a run save and
// load it together is above (training/checkpoints.hpp).

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.hpp"
#include "base/tensor.hpp"
#include "io/hdf5.hpp"

namespace tenfold {

/// Newest schema version of a checkpoint's content that this code writes and reads.
constexpr std::uint32_t checkpoint_schema = 1;

/// A box of a logical tensor, which this rank holds in host memory: its elements in row-major order.
struct TensorPiece {
  hdf5::Slab slab;
  const void* data;
};

/// A logical tensor. Name (a path: `weights/encoder.layer.0...`), shape and type are the same on all ranks; the pieces
/// of all ranks together cover every element once.
struct CheckpointTensor {
  std::string name;
  Shape shape;
  std::vector<TensorPiece> pieces;  ///< this rank's
  DType type = DType::f32;
  bool interleaved = false;  ///< one piece a rank, of rows that lie apart: the ranks write them together
};

struct CheckpointContent {
  std::vector<CheckpointTensor> tensors;
  // Of rank 0; what other ranks have here is not looked at.
  std::map<std::string, std::int64_t> integers;  ///< counters
  std::map<std::string, std::string> texts;      ///< UTF-8: configuration
  std::map<std::string, std::string> bytes;      ///< any bytes: tokenizer
  std::vector<std::vector<float>> copies;        ///< where pieces lie that are no host memory themselves
};

/// Elements [offset, offset + count) in row-major order of a rank's part of a tensor as pieces of the whole: the part
/// has shape `local` and its first element is element `start` of the logical tensor. `data` is where those elements,
/// of that type, lie one after another.
std::vector<TensorPiece> pieces_of(const Shape& local, std::span<const std::int64_t> start, std::int64_t offset,
                                   std::int64_t count, const void* data, DType type);

/// What keeps the boxes from covering every element of a shape exactly once; empty: nothing.
std::string cover_fault(const Shape& shape, std::vector<hdf5::Slab> slabs);

// The folder.

/// "FOLDER/step-00001000.h5"
std::string checkpoint_path(const std::string& folder, std::int64_t step);
/// Paths of the checkpoints in a folder, highest step first; none if there is no folder.
std::vector<std::string> newest_first(const std::string& folder);

// Writing.

/// Bytes that a checkpoint of this content takes at most.
std::uint64_t checkpoint_bytes(const CheckpointContent& content);

/// Makes the file with everything in it but the tensors' elements, for which it takes the room on the disk. Throws
/// Error when there is no room, before HDF5 meets the end of the disk, which it does not survive.
void write_checkpoint_frame(const std::string& path, std::int64_t step, const CheckpointContent& content,
                            Progress& progress);

// Reading.

/// A data set of a checkpoint and where its bytes lie, so that they can be had without HDF5.
struct StoredData {
  std::string name;                   ///< "tensors/weights/...", "texts/...", "bytes/..."
  std::vector<std::int64_t> extents;  ///< of a text: none
  std::optional<DType> type;          ///< of a text: none
  std::uint64_t offset = 0;           ///< in the file
  std::uint64_t bytes = 0;
};

struct CheckpointDirectory {
  std::int64_t step = 0;
  std::map<std::string, std::int64_t> integers;
  std::vector<StoredData> data;
};
/// As text and back, to be handed from rank to rank.
std::string to_text(const CheckpointDirectory& directory);
CheckpointDirectory directory_from(const std::string& text);

/// InputError if a checkpoint's content is of a newer schema version.
void expect_known_schema(const std::string& path, std::uint32_t schema);

/// An open checkpoint.
class Checkpoint {
 public:
  /// Checks the digest first. InputError if the file is missing, damaged, of another kind or of a newer version.
  explicit Checkpoint(const std::string& path);
  /// A file whose digest was checked already.
  static Checkpoint of_verified(const std::string& path) { return Checkpoint(hdf5::File::open(path)); }

  // A name that is not there is an Error.

  std::int64_t step() const;
  std::int64_t integer(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::string bytes(const std::string& name) const;
  bool has_tensor(const std::string& name) const;
  /// Names of all tensors, in alphabetical order.
  std::vector<std::string> tensors() const;
  Shape shape(const std::string& name) const;
  CheckpointDirectory directory() const;

  /// Elements [offset, offset + values.size()) of a tensor in row-major order, converted to T where stored otherwise.
  template <class T>
  void read(const std::string& name, std::int64_t offset, std::span<T> values) const {
    read_elements(name, offset, dtype_of<T>(), values.data(), static_cast<std::int64_t>(values.size()));
  }

  /// Sizes and norms, for people and programs; `configuration` as INI text.
  nlohmann::ordered_json describe() const;

 private:
  explicit Checkpoint(hdf5::File file);
  void read_elements(const std::string& name, std::int64_t offset, DType type, void* values, std::int64_t count) const;
  hdf5::File file_;
};

}  // namespace tenfold
