#pragma once
// A checkpoint is one HDF5 file of logical tensors, whatever the ranks: it is written by any number of them and read by
// any other. FORMATS.md has the layout. A file under its final name is complete and was read back; any damage since
// shows in its digest. All functions taking a communicator are collective: its ranks return, or throw, alike;
// where one names InputError, an AgreedError may bear its exit code.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.hpp"
#include "io/hdf5.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

/// Elements [offset, offset + count) of a logical tensor in row-major order, which this rank holds in host memory.
struct TensorPiece {
  std::int64_t offset;
  const void* data;
  std::int64_t count;
};

/// A logical tensor. Name (a path: `weights/encoder.layer.0...`), shape and type are the same on all ranks; the pieces
/// of all ranks together cover every element once.
struct CheckpointTensor {
  std::string name;
  Shape shape;
  std::vector<TensorPiece> pieces;  ///< this rank's
  DType type = DType::f32;
};

struct CheckpointContent {
  std::vector<CheckpointTensor> tensors;
  // Of rank 0; what other ranks have here is not looked at.
  std::map<std::string, std::int64_t> integers;  ///< counters
  std::map<std::string, std::string> texts;      ///< UTF-8: configuration
  std::map<std::string, std::string> bytes;      ///< any bytes: tokenizer
};

/// A checkpoint file that is not what was sealed.
struct DamagedCheckpoint {
  std::string path;
  std::string reason;
};

struct SavedCheckpoint {
  std::string path;
  std::uint64_t bytes = 0;
  std::vector<std::string> kept;           ///< good ones that are there now, newest first
  std::vector<DamagedCheckpoint> damaged;  ///< others found damaged, which stay where they are, except that one of the
                                           ///< same step is set aside under another name
};

struct FoundCheckpoint {
  std::optional<std::string> path;         ///< none: the folder holds no checkpoint at all
  std::vector<DamagedCheckpoint> damaged;  ///< newer ones that were passed over
};

/// Makes the folder if it is not there and removes what a killed run left half-written. Only the run that holds the
/// folder's lock may call this. InputError if the folder cannot be made.
void prepare_checkpoint_folder(const std::string& folder, MpiCommunicator& communicator);

/// Is there room for a checkpoint of this content in the folder? InputError if not. Collective.
void expect_checkpoint_room(const std::string& folder, const CheckpointContent& content, MpiCommunicator& communicator);

/// Writes `step-00001000.h5`: space is reserved, then the file is written under a temporary name, synced, sealed, read
/// back and renamed. Then the newest `keep` good ones stay and older good ones go. On failure (no space left, ...) the
/// temporary file is removed, what was there before is intact, and Error names folder, size and cause.
SavedCheckpoint save_checkpoint(const std::string& folder, std::int64_t step, const CheckpointContent& content,
                                int keep, MpiCommunicator& communicator);

/// The newest checkpoint whose digest holds. InputError if there are checkpoints but all are damaged or
/// unreadable, and if the newest good one was written by a newer version.
FoundCheckpoint find_newest_checkpoint(const std::string& folder, MpiCommunicator& communicator);

/// An open checkpoint.
class Checkpoint {
 public:
  /// Collective: checks the digest over all ranks, then every rank opens the file on its own. InputError if the file is
  /// missing, damaged, of another kind or of a newer version.
  Checkpoint(const std::string& path, MpiCommunicator& communicator);

  // What follows is local to a rank. A name that is not there is an Error.

  std::int64_t step() const;
  std::int64_t integer(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::string bytes(const std::string& name) const;
  bool has_tensor(const std::string& name) const;
  /// Names of all tensors, in alphabetical order.
  std::vector<std::string> tensors() const;
  Shape shape(const std::string& name) const;

  /// Elements [offset, offset + values.size()) of a tensor in row-major order, converted to T where stored otherwise.
  template <class T>
  void read(const std::string& name, std::int64_t offset, std::span<T> values) const {
    read_elements(name, offset, dtype_of<T>(), values.data(), static_cast<std::int64_t>(values.size()));
  }

 private:
  void read_elements(const std::string& name, std::int64_t offset, DType type, void* values, std::int64_t count) const;
  Progress& progress_;
  hdf5::File file_;
};

}  // namespace tenfold
