#pragma once
// The checkpoints of a run, which all ranks save and load together (io/checkpoint.hpp has the file). A file under its
// final name is complete and was read back; any damage since shows in its digest.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/checkpoint.hpp"
#include "parallel/mpi_communicator.hpp"
#include "training/loaded_checkpoint.hpp"

namespace tenfold {

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
  std::unique_ptr<LoadedCheckpoint> checkpoint;  ///< none: the folder holds no checkpoint at all
  std::vector<DamagedCheckpoint> damaged;        ///< newer ones that were passed over
  std::uint64_t bytes_read = 0;                  ///< from the disk by all ranks; HDF5's records not counted
};

/// Every call is collective over `world`: its ranks return, or throw, alike. Where a comment names InputError, it is an
/// AgreedError with its exit code.
class Checkpoints {
 public:
  /// Makes the folder if it is not there and removes what a killed run left half-written. Only the run that holds the
  /// folder's lock may do this. InputError if the folder cannot be made, or is not seen by all ranks. `world` must
  /// outlive this.
  Checkpoints(std::string folder, int keep, MpiCommunicator& world);
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  /// InputError if there is no room for as many checkpoints of this content as will ever lie there: those that are
  /// kept, and the one that is being written.
  void expect_room(const CheckpointContent& content);

  /// Writes `step-00001000.h5`: space is reserved, then the file is written under a temporary name, synced, sealed,
  /// read back and renamed. Then the newest `keep` good ones stay and older good ones go; a file is read for that only
  /// if this object has not verified it before. On failure (no space left, ...) the temporary file is removed, what was
  /// there before is intact, and Error names folder, size and cause.
  SavedCheckpoint save(std::int64_t step, const CheckpointContent& content);

  /// Loads the newest checkpoint whose digest holds; an older one is read only if a newer one is damaged. InputError if
  /// there are checkpoints but all are damaged or unreadable, and if the newest good one was written by a newer
  /// version.
  FoundCheckpoint open_newest();

 private:
  std::vector<std::string> newest_first();
  std::string damage(const std::string& path);
  void write_unnamed(const std::string& path, std::int64_t step, const CheckpointContent& content);
  void set_damaged_aside(SavedCheckpoint& saved);
  void remove_older(SavedCheckpoint& saved);
  void expect_same_folder();

  std::string folder_;
  int keep_;
  MpiCommunicator& world_;
  std::set<std::string> verified_;
};

}  // namespace tenfold
