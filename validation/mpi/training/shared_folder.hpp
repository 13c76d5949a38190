#pragma once
// A folder that all ranks of a test see, gone with it, and what stands in it.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "world.hpp"

namespace tenfold::testing {

inline void barrier() {
  world().barrier();
}

class SharedFolder {
 public:
  SharedFolder() : path_((std::filesystem::temp_directory_path() / "tenfold_mpi_io_XXXXXX").string()) {
    if (world().rank() == 0 && ::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
    world().broadcast(path_);
  }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  ~SharedFolder() {
    barrier();
    if (world().rank() == 0) std::filesystem::remove_all(path_);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Exit status of the error that `work` throws; `done` if it throws none.
template <class Work>
ExitCode code_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::done;
}

inline std::string contents(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

/// Rank 0 writes a file while the others wait.
inline void put(const std::string& path, const std::string& bytes) {
  barrier();
  if (world().rank() == 0) std::ofstream(path, std::ios::binary) << bytes;
  barrier();
}

inline std::vector<std::string> listing(const std::string& folder) {
  barrier();
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  barrier();
  return names;
}

}  // namespace tenfold::testing
