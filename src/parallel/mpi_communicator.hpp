#pragma once
// Communicator over MPI, for host memory; StagedCommunicator adds sums of device memory. Blocking calls mark the rank
// as waiting, for the watchdog.

#include <mpi.h>

#include "base/progress.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

class MpiCommunicator : public Communicator {
 public:
  /// What one MPI call carries at most, in elements; longer reductions and broadcasts are cut.
  static constexpr std::size_t longest_call = std::size_t{1} << 30U;

  /// Duplicates `comm` (collective), with errors returned instead of fatal. `progress` must outlive the communicator.
  MpiCommunicator(MPI_Comm comm, Progress& progress, std::size_t chunk = longest_call);
  /// Frees the communicator (collective), but not while an exception unwinds: other ranks may not come.
  ~MpiCommunicator() override;
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  /// Ranks of equal colour form a group, ordered by key.
  MpiCommunicator split(int color, int key) const;
  /// The ranks that share this node's memory.
  MpiCommunicator split_node() const;

  /// For libraries that take an MPI communicator (HDF5); remains owned here.
  MPI_Comm native() const { return comm_; }
  Progress& progress() const { return *progress_; }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void barrier() override;
  std::unique_ptr<Communicator> duplicate() override;
  /// What an MPI library copies of a sum under way lies in host memory: a few of 4 MiB bound it.
  Buckets buckets() const override { return {}; }
  /// The queue is one of the host, on which work is done when it is issued.
  Request start_all_reduce_sum(Queue& queue, const Tensor& values) override;
  void poll() override;
  bool test(Request request) override;
  void wait(Request request) override;
  std::int64_t exclusive_scan_sum(std::int64_t value) override;

 protected:
  void all_reduce(void* values, std::size_t count, DType type, Reduction reduction) override;
  void broadcast_bytes(void* data, std::size_t bytes, int root) override;
  void all_gather_bytes(const void* mine, std::size_t bytes, void* all) override;
  void all_gather_v_bytes(const void* mine, std::span<const std::int64_t> counts, void* all,
                          std::size_t element_bytes) override;
  void all_to_all_bytes(const void* send, void* receive, std::size_t block_bytes) override;
  void all_to_all_v_bytes(const void* send, std::span<const std::int64_t> send_counts, void* receive,
                          std::span<const std::int64_t> receive_counts, std::size_t element_bytes) override;
  Request start_all_to_all_words(const void* send, void* receive, std::size_t block_words,
                                 std::size_t word_bytes) override;
  Request start_all_to_all_v_words(const void* send, std::span<const std::int64_t> send_counts, void* receive,
                                   std::span<const std::int64_t> receive_counts, std::size_t word_bytes) override;

 private:
  struct Owned {
    MPI_Comm comm;
  };
  MpiCommunicator(Owned owned, Progress& progress, std::size_t chunk);

  /// Counts and displacements of one direction of a variable-sized exchange, as MPI takes them.
  struct Layout {
    std::vector<int> counts, offsets;
    void assign(std::span<const std::int64_t> sizes, int ranks);
  };
  struct Exchange {
    Layout sent, received;
  };

  /// A slot for one more outstanding request.
  Request take_slot();
  MPI_Request& request_of(Request request) { return requests_.at(static_cast<std::size_t>(request.slot)); }

  MPI_Comm comm_ = MPI_COMM_NULL;
  Progress* progress_;
  std::size_t chunk_;
  int rank_ = 0;
  int size_ = 1;
  Exchange exchange_;                  ///< of blocking calls
  std::vector<MPI_Request> requests_;  ///< by slot; null when complete or free
  std::vector<Exchange> exchanges_;    ///< by slot: MPI reads them until the request is complete
  std::vector<std::int32_t> free_slots_;
  std::vector<int> completed_;  ///< where MPI_Testsome writes
};

}  // namespace tenfold
