#include "training/checkpoints.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/check.hpp"
#include "io/posix.hpp"
#include "parallel/agree.hpp"
#include "training/checkpoint_elements.hpp"
#include "training/sealing.hpp"

namespace tenfold {

Checkpoints::Checkpoints(std::string folder, int keep, MpiCommunicator& world)
    : folder_(std::move(folder)), keep_(keep), world_(world) {
  agree_on_root(world_, [&] {
    std::error_code failure;
    std::filesystem::create_directories(folder_, failure);
    if (failure) throw InputError(text(folder_, ": cannot make the folder: ", failure.message()));
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == detail::unfinished) std::filesystem::remove(entry.path());
    }
  });
  expect_same_folder();
}

/// InputError on all ranks if one does not see what rank 0 writes there.
void Checkpoints::expect_same_folder() {
  const std::string file = folder_ + "/seen-by-all-ranks" + detail::unfinished;
  std::string words = text("pid ", ::getpid(), ", ", std::chrono::system_clock::now().time_since_epoch().count(), "\n");
  world_.broadcast(words);
  agree_on_root(world_, [&] { detail::replace_file(file, words); });
  agree(world_, [&] {
    if (!std::filesystem::exists(file) || detail::read_file(file) != words)
      throw InputError(text(folder_,
                            ": this rank does not see what rank 0 writes there; give a run.folder that all ranks "
                            "share, by its absolute path"));
  });
  agree_on_root(world_, [&] { std::filesystem::remove(file); });
}

void Checkpoints::expect_room(const CheckpointContent& content) {
  agree_on_root(world_, [&] {
    const std::uint64_t one = checkpoint_bytes(content);
    const std::vector<std::string> there = tenfold::newest_first(folder_);
    const std::uint64_t wanted = static_cast<std::uint64_t>(keep_) + 1;
    const std::uint64_t missing = wanted - std::min<std::uint64_t>(there.size(), static_cast<std::uint64_t>(keep_));
    const std::uint64_t room = std::filesystem::space(folder_).available;
    if (room < missing * one)
      throw InputError(text(folder_, ": only ", room, " bytes are free, and ", missing, " more ",
                            missing == 1 ? "checkpoint takes " : "checkpoints take ", missing * one,
                            " (checkpoint.keep = ", keep_,
                            " and the one being written): make room, lower checkpoint.keep, or give another "
                            "run.folder"));
  });
}

std::vector<std::string> Checkpoints::newest_first() {
  std::string lines;
  agree_on_root(world_, [&] {
    for (const std::string& path : tenfold::newest_first(folder_)) lines += path + '\n';
  });
  world_.broadcast(lines);
  std::vector<std::string> paths;
  for (std::size_t begin = 0, end = 0; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1)
    paths.push_back(lines.substr(begin, end - begin));
  return paths;
}

FoundCheckpoint Checkpoints::open_newest() {
  FoundCheckpoint found;
  for (const std::string& path : newest_first()) {
    LoadedCheckpoint::Opened opened = LoadedCheckpoint::open(path, world_);
    found.bytes_read += opened.bytes_read;
    if (opened.checkpoint) {
      verified_.insert(path);
      found.checkpoint = std::move(opened.checkpoint);
      return found;
    }
    found.damaged.push_back({path, opened.damage});
  }
  agree(world_, [&] {
    std::string list;
    for (const DamagedCheckpoint& each : found.damaged) list += "\n  " + each.path + ": " + each.reason;
    if (!list.empty())
      throw InputError("all checkpoints are damaged; move them away to start over, or put a good copy in place:" +
                       list);
  });
  return found;
}

/// A complete, sealed and checked file under the temporary name.
void Checkpoints::write_unnamed(const std::string& path, std::int64_t step, const CheckpointContent& content) {
  expect_full_cover(content, world_);
  agree_on_root(world_, [&] { write_checkpoint_frame(path, step, content, world_.progress()); });
  write_elements(path, content, world_);
  write_seal(path, checkpoint_schema, world_);
  const std::string damage = damage_of(path, world_);
  TENFOLD_VERIFY(damage.empty(), "what was read back is not what was written: ", damage);
}

/// What is wrong with a file that is there; it is read only if that is not known yet.
std::string Checkpoints::damage(const std::string& path) {
  if (verified_.contains(path)) return "";
  std::string found = damage_of(path, world_);
  if (found.empty()) verified_.insert(path);
  return found;
}

/// Newest first: `keep` good ones stay, further good ones are removed, damaged ones are left alone.
void Checkpoints::remove_older(SavedCheckpoint& saved) {
  for (const std::string& path : newest_first()) {
    if (const std::string found = damage(path); !found.empty()) {
      saved.damaged.push_back({path, found});
    } else if (std::ssize(saved.kept) >= keep_ && path != saved.path) {
      agree_on_root(world_, [&] { std::filesystem::remove(path); });
      verified_.erase(path);
    } else {
      saved.kept.push_back(path);
    }
  }
}

/// A damaged file that has the name of the new one is moved aside, not replaced: it may still be of use to someone.
void Checkpoints::set_damaged_aside(SavedCheckpoint& saved) {
  const std::vector<std::string> there = newest_first();
  if (std::find(there.begin(), there.end(), saved.path) == there.end()) return;
  const std::string found = damage(saved.path);
  if (found.empty()) return;
  const std::string aside = saved.path + ".damaged";
  agree_on_root(world_, [&] { detail::rename_file(saved.path, aside); });
  saved.damaged.push_back({aside, found});
}

SavedCheckpoint Checkpoints::save(std::int64_t step, const CheckpointContent& content) {
  SavedCheckpoint saved;
  saved.path = checkpoint_path(folder_, step);
  const std::string temporary = saved.path + detail::unfinished;
  try {
    agree(world_, [&] {
      write_unnamed(temporary, step, content);
      set_damaged_aside(saved);
      agree_on_root(world_, [&] { detail::rename_file(temporary, saved.path); });
    });
  } catch (const AgreedError& cause) {
    if (world_.rank() == 0) ::unlink(temporary.c_str());
    throw AgreedError(text("cannot save a checkpoint of ", checkpoint_bytes(content), " bytes in ", folder_, ": ",
                           cause.what(), " (checkpoints saved before are intact)"),
                      cause.code(), cause.rank(), cause.group(), cause.host(), cause.source());
  }
  verified_.insert(saved.path);
  agree(world_, [&] { saved.bytes = std::filesystem::file_size(saved.path); });
  remove_older(saved);
  return saved;
}

}  // namespace tenfold
