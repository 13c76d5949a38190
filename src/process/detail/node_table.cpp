#include "process/detail/node_table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "base/host.hpp"
#include "parallel/agree.hpp"
#include "process/detail/system.hpp"

namespace tenfold::detail {

namespace {

/// A name for shared memory that exists until the object goes, on the rank that created it.
class SharedName {
 public:
  ~SharedName() {
    if (created_) check_system(shm_unlink(name_.c_str()), "shm_unlink " + name_);
  }
  SharedName() = default;
  SharedName(const SharedName&) = delete;
  SharedName& operator=(const SharedName&) = delete;

  /// Reserves the space, so that no later store can fail.
  void create(std::size_t bytes) {
    name_ = text("/tenfold-", getpid());
    const int file = open(O_CREAT | O_EXCL);
    created_ = true;
    const int status = posix_fallocate(file, 0, static_cast<off_t>(bytes));
    close(file);
    if (status != 0)
      throw Error(
          text("no shared memory (/dev/shm) for ", bytes, " bytes on ", host_name(), ": ", std::strerror(status)));
  }

  void* map(std::size_t bytes) const {
    const int file = open(0);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    const int failure = errno;
    close(file);
    TENFOLD_VERIFY(memory != MAP_FAILED, "shared memory ", name_, ": ", std::strerror(failure));
    return memory;
  }

  std::string& name() { return name_; }

 private:
  int open(int flags) const {
    const int file = shm_open(name_.c_str(), O_RDWR | flags, S_IRUSR | S_IWUSR);
    if (file < 0)
      throw Error(text("cannot open shared memory ", name_, " on ", host_name(), ": ", std::strerror(errno)));
    return file;
  }

  std::string name_;
  bool created_ = false;
};

}  // namespace

NodeTable::NodeTable(MpiCommunicator& world) {
  MpiCommunicator node = world.split_node();
  my_slot_ = node.rank();
  const auto ranks = static_cast<std::size_t>(node.size());
  static_assert(sizeof(NodeReport) % alignof(NodeSlot) == 0);
  bytes_ = sizeof(NodeReport) + ranks * sizeof(NodeSlot);

  SharedName shared;
  agree(world, [&] {
    if (my_slot_ == 0) shared.create(bytes_);
  });
  node.broadcast(shared.name());
  agree(world, [&] { memory_ = shared.map(bytes_); });
  auto* first = static_cast<std::byte*>(memory_) + sizeof(NodeReport);
  if (my_slot_ == 0) {
    new (memory_) NodeReport;
    for (std::size_t i = 0; i < ranks; ++i) new (first + i * sizeof(NodeSlot)) NodeSlot;
  }
  node.barrier();
  report_ = std::launder(reinterpret_cast<NodeReport*>(memory_));
  slots_ = {std::launder(reinterpret_cast<NodeSlot*>(first)), ranks};
  mine().rank.store(world.rank());
  mine().pid.store(getpid());
  node.barrier();
  agree(world, [&] {
    for (const NodeSlot& slot : slots_)
      if (process_state(slot.pid.load()) == 0)
        throw Error(text("rank ", slot.rank.load(), " runs on this host but its process ", slot.pid.load(),
                         " cannot be seen; start the ranks of a node in one process namespace"));
  });
}

NodeTable::~NodeTable() {
  check_system(munmap(memory_, bytes_), "munmap");
}

}  // namespace tenfold::detail
