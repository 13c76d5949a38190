#include "parallel/node_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/host.hpp"
#include "parallel/agree.hpp"

namespace tenfold {

namespace {

/// An open file, closed with the object.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int number) : number_(number) {}
  OpenFile(OpenFile&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);  // memory has no data that a close could lose
  }
  int number() const { return number_; }

 private:
  int number_ = -1;
};

/// A file without a name, which no limit of /dev/shm holds for and which nothing can leave behind.
OpenFile make_file(std::size_t bytes) {
  OpenFile file(::memfd_create("tenfold", MFD_CLOEXEC));
  if (file.number() < 0) throw Error(text("no shared memory on ", host_name(), ": ", std::strerror(errno)));
  const int status = ::posix_fallocate(file.number(), 0, static_cast<off_t>(bytes));
  if (status != 0)
    throw Error(text("no shared memory for ", bytes, " bytes on ", host_name(), ": ", std::strerror(status)));
  return file;
}

OpenFile open_file_of(int process, int number) {
  const std::string path = text("/proc/", process, "/fd/", number);
  OpenFile file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file.number() < 0)
    throw Error(text("cannot open the shared memory of process ", process, " on ", host_name(), ": ",
                     std::strerror(errno), "; start the ranks of a node in one process namespace, as one user"));
  return file;
}

}  // namespace

NodeMemory::NodeMemory(MpiCommunicator& world, MpiCommunicator& node, std::size_t bytes)
    : size_(bytes == 0 ? 1 : bytes) {
  const bool makes = node.rank() == 0;
  OpenFile file = agree(world, [&] { return makes ? make_file(size_) : OpenFile(); });
  std::array<int, 2> place = {::getpid(), file.number()};
  node.broadcast(std::span<int>(place));
  agree(world, [&] {
    if (!makes) file = open_file_of(place[0], place[1]);
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (memory == MAP_FAILED) throw Error(text("cannot map ", size_, " bytes: ", std::strerror(errno)));
    data_ = memory;
  });
}

NodeMemory::~NodeMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);  // which fails for wrong arguments only
}

}  // namespace tenfold
