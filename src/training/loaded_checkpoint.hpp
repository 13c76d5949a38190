#pragma once
// A checkpoint that all ranks load together. Each reads a share of the file from the disk, once: the digest is checked
// over what was read, and what is loaded comes from there too, from rank to rank.

#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/tensor.hpp"
#include "io/checkpoint.hpp"
#include "io/file_share.hpp"
#include "parallel/mpi_communicator.hpp"

namespace tenfold {

class LoadedCheckpoint {
 public:
  struct Opened {
    std::unique_ptr<LoadedCheckpoint> checkpoint;  ///< null where the file is not what was sealed
    std::string damage;                            ///< and why
    std::uint64_t bytes_read = 0;                  ///< from the disk, by all ranks
  };
  /// Reads the file, of which a rank holds its share until that is loaded. InputError if a rank may not read it, or if
  /// it is of a newer version. Collective; `ranks` must outlive the checkpoint.
  static Opened open(const std::string& path, MpiCommunicator& ranks);

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return length_; }  ///< of the file

  // A name that is not there is an Error.

  std::int64_t step() const { return directory_.step; }
  std::int64_t integer(const std::string& name) const;
  bool has_tensor(const std::string& name) const { return places_.contains("tensors/" + name); }
  Shape shape(const std::string& name) const;

  // Collective: all ranks ask for the same, and each gets all of it.

  std::string text(const std::string& name);
  std::string bytes(const std::string& name);
  /// Elements [offset, offset + values.size()) of a tensor of T, in row-major order. To be asked for once: the memory
  /// that held them is given back.
  template <class T>
  void read(const std::string& name, std::int64_t offset, std::span<T> values) {
    read_elements(name, dtype_of<T>(), offset, std::as_writable_bytes(values));
  }

 private:
  LoadedCheckpoint(const std::string& path, std::uint64_t length, std::unique_ptr<FileShare> share,
                   MpiCommunicator& ranks);
  const StoredData& place(const std::string& name) const;
  void read_elements(const std::string& name, DType type, std::int64_t offset, std::span<std::byte> values);
  void take(std::uint64_t offset, std::span<std::byte> bytes);

  std::string path_;
  std::uint64_t length_;
  MpiCommunicator& ranks_;
  std::unique_ptr<FileShare> share_;
  std::vector<std::uint64_t> borders_;  ///< rank r holds the bytes from border r to border r + 1
  CheckpointDirectory directory_;
  std::map<std::string, const StoredData*> places_;
};

}  // namespace tenfold
