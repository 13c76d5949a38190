// How a checkpoint comes to be on the disk.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/check.hpp"
#include "io/checkpoint.hpp"
#include "io/detail/checkpoint_folder.hpp"
#include "io/detail/seal.hpp"
#include "io/posix.hpp"
#include "io/schema.hpp"
#include "parallel/agree.hpp"

namespace tenfold {

namespace {

std::uint64_t payload_bytes(const CheckpointContent& content) {
  std::uint64_t total = 0;
  for (const CheckpointTensor& each : content.tensors) {
    total += static_cast<std::uint64_t>(each.shape.elements()) * size_of(each.type);
  }
  for (const auto& [name, value] : content.texts) total += value.size();
  for (const auto& [name, value] : content.bytes) total += value.size();
  return total;
}

/// Every element of every tensor must come from exactly one rank: what nobody wrote would be whatever the disk held.
void expect_full_cover(const CheckpointContent& content, MpiCommunicator& communicator) {
  std::vector<std::int64_t> covered;
  for (const CheckpointTensor& each : content.tensors) {
    covered.push_back(0);
    for (const TensorPiece& piece : each.pieces) covered.back() += piece.count;
  }
  communicator.all_reduce_sum(std::span(covered));
  for (std::size_t i = 0; i < covered.size(); ++i) {
    const CheckpointTensor& tensor = content.tensors[i];
    TENFOLD_VERIFY(covered[i] == tensor.shape.elements(), "the ranks supply ", covered[i], " elements of ", tensor.name,
                   " ", tensor.shape.describe());
  }
}

/// Rank 0: the file with everything in it but the tensors' elements, for which it has the place.
void write_frame(const std::string& path, std::int64_t step, const CheckpointContent& content) {
  hdf5::File file = hdf5::File::create(path, {.user_block = detail::seal_bytes});
  write_schema(file, "checkpoint", detail::checkpoint_schema);
  file.set_attribute("step", step);
  {
    hdf5::Group integers = file.group("integers");
    for (const auto& [name, value] : content.integers) integers.set_attribute(name, value);
    hdf5::Group texts = file.group("texts");
    for (const auto& [name, value] : content.texts) texts.write_text(name, value);
    hdf5::Group bytes = file.group("bytes");
    for (const auto& [name, value] : content.bytes) {
      const std::span values(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
      bytes.create_dataset<std::uint8_t>(name, {value.size()}).write(values);
    }
    hdf5::Group tensors = file.group("tensors");
    for (const CheckpointTensor& each : content.tensors) {
      tensors.create_dataset(each.name, hdf5::native_type(each.type), hdf5::extents_of(each.shape));
    }
  }
  file.close();
}

/// Room for HDF5's own records of so many tensors, generously.
std::uint64_t frame_bytes(const CheckpointContent& content) {
  return (1U << 20U) + 4096 * content.tensors.size();
}

/// What is wrong with the room in a folder; empty: nothing.
std::string lack_of_room(const std::string& folder, const CheckpointContent& content) {
  const std::uint64_t room = std::filesystem::space(folder).available;
  return room < payload_bytes(content) + frame_bytes(content) ? text("only ", room, " bytes are free") : "";
}

/// Rank 0: is there room at all? HDF5 does not survive a failing write of its own records, so these must not be what
/// meets the end of the disk: their room, and a file of that length, are tried first.
void expect_room(const std::string& folder, const std::string& path, const CheckpointContent& content) {
  const std::string lack = lack_of_room(folder, content);
  if (!lack.empty()) throw Error(lack);
  detail::Descriptor(path, O_RDWR | O_CREAT | O_TRUNC).reserve(payload_bytes(content), frame_bytes(content));
}

/// Rank 0: a disk block for every byte of the file, so that no rank runs out of room while writing.
void reserve_all(const std::string& path) {
  detail::Descriptor file(path, O_RDWR);
  file.reserve(0, file.length());
}

void write_elements(const std::string& path, const CheckpointContent& content, MpiCommunicator& communicator) {
  hdf5::File file = hdf5::File::open(path, communicator, hdf5::Access::read_write);
  agree(communicator, [&] {
    for (const CheckpointTensor& each : content.tensors) {
      if (each.pieces.empty()) continue;
      hdf5::Dataset tensor = file.dataset("tensors/" + each.name);
      for (const TensorPiece& piece : each.pieces) {
        tensor.write_range(each.type, piece.data, static_cast<hsize_t>(piece.offset),
                           static_cast<hsize_t>(piece.count));
        communicator.progress().tick();
      }
    }
  });
  agree(communicator, [&] {
    const Progress::Waiting waiting(communicator.progress(), "HDF5's flush");
    file.flush();
  });
  agree(communicator, [&] {
    const Progress::Waiting waiting(communicator.progress(), "HDF5's close");
    file.close();
  });
}

/// A complete, sealed and checked file under the temporary name.
void write_unnamed(const std::string& folder, const std::string& path, std::int64_t step,
                   const CheckpointContent& content, MpiCommunicator& communicator) {
  expect_full_cover(content, communicator);
  agree_on_root(communicator, [&] {
    expect_room(folder, path, content);
    write_frame(path, step, content);
    reserve_all(path);
  });
  write_elements(path, content, communicator);
  detail::write_seal(path, detail::checkpoint_schema, communicator);
  const detail::SealCheck seal = detail::check_seal(path, communicator);
  TENFOLD_VERIFY(seal.damage.empty(), "what was read back is not what was written: ", seal.damage);
}

/// Newest first: `keep` good ones stay, further good ones are removed, damaged ones are left alone.
void remove_older(const std::string& folder, int keep, SavedCheckpoint& saved, MpiCommunicator& communicator) {
  for (const std::string& path : detail::newest_first(folder, communicator)) {
    const bool just_written = path == saved.path;
    const std::string damage = just_written ? "" : detail::check_seal(path, communicator).damage;
    if (!damage.empty()) {
      saved.damaged.push_back({path, damage});
    } else if (std::ssize(saved.kept) >= keep && !just_written) {
      agree_on_root(communicator, [&] { std::filesystem::remove(path); });
    } else {
      saved.kept.push_back(path);
    }
  }
}

/// A damaged file that has the name of the new one is moved aside, not replaced: it may still be of use to someone.
void set_damaged_aside(const std::string& folder, SavedCheckpoint& saved, MpiCommunicator& communicator) {
  const std::vector<std::string> there = detail::newest_first(folder, communicator);
  if (std::find(there.begin(), there.end(), saved.path) == there.end()) return;
  const std::string damage = detail::check_seal(saved.path, communicator).damage;
  if (damage.empty()) return;
  const std::string aside = saved.path + ".damaged";
  agree_on_root(communicator, [&] { detail::rename_file(saved.path, aside); });
  saved.damaged.push_back({aside, damage});
}

/// InputError on all ranks if one does not see what rank 0 writes there. Collective.
void expect_same_folder(const std::string& folder, MpiCommunicator& communicator) {
  const std::string file = folder + "/seen-by-all-ranks" + detail::unfinished;
  std::string words = text("pid ", ::getpid(), ", ", std::chrono::system_clock::now().time_since_epoch().count(), "\n");
  communicator.broadcast(words);
  agree_on_root(communicator, [&] { detail::replace_file(file, words); });
  agree(communicator, [&] {
    if (!std::filesystem::exists(file) || detail::read_file(file) != words)
      throw InputError(text(folder,
                            ": this rank does not see what rank 0 writes there; give a run.folder that all ranks "
                            "share, by its absolute path"));
  });
  agree_on_root(communicator, [&] { std::filesystem::remove(file); });
}

}  // namespace

void prepare_checkpoint_folder(const std::string& folder, MpiCommunicator& communicator) {
  agree_on_root(communicator, [&] {
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure) throw InputError(text(folder, ": cannot make the folder: ", failure.message()));
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == detail::unfinished) std::filesystem::remove(entry.path());
    }
  });
  expect_same_folder(folder, communicator);
}

void expect_checkpoint_room(const std::string& folder, const CheckpointContent& content,
                            MpiCommunicator& communicator) {
  agree_on_root(communicator, [&] {
    const std::string lack = lack_of_room(folder, content);
    if (!lack.empty())
      throw InputError(text(folder, ": ", lack, ", and a checkpoint takes ",
                            payload_bytes(content) + frame_bytes(content), ": make room, or give another run.folder"));
  });
}

SavedCheckpoint save_checkpoint(const std::string& folder, std::int64_t step, const CheckpointContent& content,
                                int keep, MpiCommunicator& communicator) {
  SavedCheckpoint saved;
  saved.path = detail::checkpoint_path(folder, step);
  const std::string temporary = saved.path + detail::unfinished;
  try {
    agree(communicator, [&] {
      write_unnamed(folder, temporary, step, content, communicator);
      set_damaged_aside(folder, saved, communicator);
      agree_on_root(communicator, [&] { detail::rename_file(temporary, saved.path); });
    });
  } catch (const AgreedError& cause) {
    if (communicator.rank() == 0) ::unlink(temporary.c_str());
    throw AgreedError(text("cannot save a checkpoint of ", payload_bytes(content), " bytes in ", folder, ": ",
                           cause.what(), " (checkpoints saved before are intact)"),
                      cause.code(), cause.rank(), cause.group(), cause.host(), cause.source());
  }
  agree(communicator, [&] { saved.bytes = std::filesystem::file_size(saved.path); });
  remove_older(folder, keep, saved, communicator);
  return saved;
}

}  // namespace tenfold
