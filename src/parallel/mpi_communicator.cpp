#include "parallel/mpi_communicator.hpp"

#include <algorithm>
#include <exception>
#include <limits>

#include "parallel/mpi_check.hpp"

namespace tenfold {

namespace {

MPI_Datatype mpi_type(DType type) {
  switch (type) {
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    case DType::i64:
      return MPI_INT64_T;
    default:
      throw Error(text("ranks reduce f32, f64 and i64, not ", name_of(type)));
  }
}

MPI_Datatype word_type(std::size_t bytes) {
  return bytes == 1 ? MPI_BYTE : bytes == 4 ? MPI_UINT32_T : MPI_UINT64_T;
}

/// An exchange of one rank, complete at once.
Request copy_to_self(const void* send, void* receive, std::size_t bytes) {
  std::copy_n(static_cast<const std::byte*>(send), bytes, static_cast<std::byte*>(receive));
  return {};
}

MPI_Op mpi_op(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::max:
      return MPI_MAX;
    case Reduction::min:
      return MPI_MIN;
  }
  throw Error("no such reduction");
}

int mpi_count(std::uint64_t count) {
  TENFOLD_VERIFY(count <= static_cast<std::uint64_t>(std::numeric_limits<int>::max()), count,
                 " elements in one exchange; MPI takes fewer than 2^31");
  return static_cast<int>(count);
}

MPI_Comm copy_of(MPI_Comm comm) {
  MPI_Comm copy = MPI_COMM_NULL;
  TENFOLD_MPI(MPI_Comm_dup(comm, &copy));
  return copy;
}

/// An element of so many bytes, so that counts and offsets are in elements.
class ElementType {
 public:
  explicit ElementType(std::size_t bytes) {
    TENFOLD_MPI(MPI_Type_contiguous(mpi_count(bytes), MPI_BYTE, &type_));
    TENFOLD_MPI(MPI_Type_commit(&type_));
  }
  ~ElementType() { TENFOLD_MPI_RELEASE(MPI_Type_free(&type_)); }
  ElementType(const ElementType&) = delete;
  ElementType& operator=(const ElementType&) = delete;
  MPI_Datatype get() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

}  // namespace

MpiCommunicator::MpiCommunicator(MPI_Comm comm, Progress& progress, std::size_t chunk)
    : MpiCommunicator(Owned{copy_of(comm)}, progress, chunk) {}

MpiCommunicator::MpiCommunicator(Owned owned, Progress& progress, std::size_t chunk)
    : comm_(owned.comm), progress_(&progress), chunk_(chunk) {
  TENFOLD_MPI(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN));
  TENFOLD_MPI(MPI_Comm_rank(comm_, &rank_));
  TENFOLD_MPI(MPI_Comm_size(comm_, &size_));
}

MpiCommunicator::~MpiCommunicator() {
  if (std::uncaught_exceptions() == 0) TENFOLD_MPI_RELEASE(MPI_Comm_free(&comm_));
}

MpiCommunicator MpiCommunicator::split(int color, int key) const {
  const Progress::Waiting waiting(*progress_, "MPI_Comm_split");
  MPI_Comm group = MPI_COMM_NULL;
  TENFOLD_MPI(MPI_Comm_split(comm_, color, key, &group));
  return {Owned{group}, *progress_, chunk_};
}

MpiCommunicator MpiCommunicator::split_node() const {
  const Progress::Waiting waiting(*progress_, "MPI_Comm_split_type");
  MPI_Comm node = MPI_COMM_NULL;
  TENFOLD_MPI(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node));
  return {Owned{node}, *progress_, chunk_};
}

void MpiCommunicator::barrier() {
  const Progress::Waiting waiting(*progress_, "MPI_Barrier");
  TENFOLD_MPI(MPI_Barrier(comm_));
}

std::unique_ptr<Communicator> MpiCommunicator::duplicate() {
  const Progress::Waiting waiting(*progress_, "MPI_Comm_dup");
  return std::make_unique<MpiCommunicator>(comm_, *progress_, chunk_);
}

void MpiCommunicator::all_reduce(void* values, std::size_t count, DType type, Reduction reduction) {
  const Progress::Waiting waiting(*progress_, "MPI_Allreduce");
  if (size_ == 1) return;
  auto* bytes = static_cast<std::byte*>(values);
  for (std::size_t begin = 0; begin < count; begin += chunk_) {
    const int part = mpi_count(std::min(chunk_, count - begin));
    TENFOLD_MPI(
        MPI_Allreduce(MPI_IN_PLACE, bytes + begin * size_of(type), part, mpi_type(type), mpi_op(reduction), comm_));
  }
}

Request MpiCommunicator::take_slot() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::int32_t>(requests_.size()));
    requests_.push_back(MPI_REQUEST_NULL);
    exchanges_.emplace_back();  // what MPI reads of the others lies on the heap and stays where it is
    completed_.resize(requests_.size());
    free_slots_.reserve(requests_.size());
  }
  const Request request{free_slots_.back()};
  free_slots_.pop_back();
  return request;
}

Request MpiCommunicator::start_all_reduce_sum(Queue& /*queue*/, const Tensor& values) {
  TENFOLD_VERIFY(values.device() == DeviceKind::host, "MPI sums host tensors");
  if (size_ == 1) return {};
  const Request request = take_slot();
  TENFOLD_MPI(MPI_Iallreduce(MPI_IN_PLACE, values.raw(), mpi_count(static_cast<std::uint64_t>(values.elements())),
                             mpi_type(values.dtype()), MPI_SUM, comm_, &request_of(request)));
  return request;
}

void MpiCommunicator::poll() {
  if (free_slots_.size() == requests_.size()) return;
  int count = 0;
  TENFOLD_MPI(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, completed_.data(),
                           MPI_STATUSES_IGNORE));
}

bool MpiCommunicator::test(Request request) {
  if (request.slot < 0) return true;
  MpiCommunicator::poll();  // not what a device's communicator makes of it, which comes here itself
  return request_of(request) == MPI_REQUEST_NULL;
}

void MpiCommunicator::wait(Request request) {
  if (request.slot < 0) return;
  const Progress::Waiting waiting(*progress_, "MPI_Wait");
  TENFOLD_MPI(MPI_Wait(&request_of(request), MPI_STATUS_IGNORE));
  free_slots_.push_back(request.slot);
}

std::int64_t MpiCommunicator::exclusive_scan_sum(std::int64_t value) {
  const Progress::Waiting waiting(*progress_, "MPI_Exscan");
  std::int64_t below = 0;
  TENFOLD_MPI(MPI_Exscan(&value, &below, 1, MPI_INT64_T, MPI_SUM, comm_));
  return rank_ == 0 ? 0 : below;  // MPI leaves rank 0's result undefined
}

void MpiCommunicator::broadcast_bytes(void* data, std::size_t bytes, int root) {
  const Progress::Waiting waiting(*progress_, "MPI_Bcast");
  auto* first = static_cast<std::byte*>(data);
  for (std::size_t begin = 0; begin < bytes; begin += chunk_)
    TENFOLD_MPI(MPI_Bcast(first + begin, mpi_count(std::min(chunk_, bytes - begin)), MPI_BYTE, root, comm_));
}

void MpiCommunicator::all_gather_bytes(const void* mine, std::size_t bytes, void* all) {
  const Progress::Waiting waiting(*progress_, "MPI_Allgather");
  TENFOLD_MPI(MPI_Allgather(mine, mpi_count(bytes), MPI_BYTE, all, mpi_count(bytes), MPI_BYTE, comm_));
}

void MpiCommunicator::all_gather_v_bytes(const void* mine, std::span<const std::int64_t> counts, void* all,
                                         std::size_t element_bytes) {
  const Progress::Waiting waiting(*progress_, "MPI_Allgatherv");
  Layout& received = exchange_.received;
  received.assign(counts, size_);
  const ElementType element(element_bytes);
  TENFOLD_MPI(MPI_Allgatherv(mine, received.counts[static_cast<std::size_t>(rank_)], element.get(), all,
                             received.counts.data(), received.offsets.data(), element.get(), comm_));
}

void MpiCommunicator::all_to_all_bytes(const void* send, void* receive, std::size_t block_bytes) {
  const Progress::Waiting waiting(*progress_, "MPI_Alltoall");
  const int block = mpi_count(block_bytes);
  TENFOLD_MPI(MPI_Alltoall(send, block, MPI_BYTE, receive, block, MPI_BYTE, comm_));
}

void MpiCommunicator::all_to_all_v_bytes(const void* send, std::span<const std::int64_t> send_counts, void* receive,
                                         std::span<const std::int64_t> receive_counts, std::size_t element_bytes) {
  const Progress::Waiting waiting(*progress_, "MPI_Alltoallv");
  auto& [sent, received] = exchange_;
  sent.assign(send_counts, size_);
  received.assign(receive_counts, size_);
  const ElementType element(element_bytes);
  TENFOLD_MPI(MPI_Alltoallv(send, sent.counts.data(), sent.offsets.data(), element.get(), receive,
                            received.counts.data(), received.offsets.data(), element.get(), comm_));
}

Request MpiCommunicator::start_all_to_all_words(const void* send, void* receive, std::size_t block_words,
                                                std::size_t word_bytes) {
  if (size_ == 1) return copy_to_self(send, receive, block_words * word_bytes);
  const Request request = take_slot();
  const int block = mpi_count(block_words);
  const MPI_Datatype word = word_type(word_bytes);
  TENFOLD_MPI(MPI_Ialltoall(send, block, word, receive, block, word, comm_, &request_of(request)));
  return request;
}

Request MpiCommunicator::start_all_to_all_v_words(const void* send, std::span<const std::int64_t> send_counts,
                                                  void* receive, std::span<const std::int64_t> receive_counts,
                                                  std::size_t word_bytes) {
  if (size_ == 1) {
    TENFOLD_VERIFY(send_counts[0] == receive_counts[0], "sends ", send_counts[0], ", receives ", receive_counts[0]);
    return copy_to_self(send, receive, static_cast<std::size_t>(send_counts[0]) * word_bytes);
  }
  const Request request = take_slot();
  auto& [sent, received] = exchanges_[static_cast<std::size_t>(request.slot)];
  sent.assign(send_counts, size_);
  received.assign(receive_counts, size_);
  const MPI_Datatype word = word_type(word_bytes);
  TENFOLD_MPI(MPI_Ialltoallv(send, sent.counts.data(), sent.offsets.data(), word, receive, received.counts.data(),
                             received.offsets.data(), word, comm_, &request_of(request)));
  return request;
}

void MpiCommunicator::Layout::assign(std::span<const std::int64_t> sizes, int ranks) {
  TENFOLD_VERIFY(static_cast<int>(sizes.size()) == ranks, sizes.size(), " counts for ", ranks, " ranks");
  counts.resize(sizes.size());
  offsets.resize(sizes.size());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    TENFOLD_VERIFY(sizes[i] >= 0, "count ", sizes[i], " for rank ", i);
    counts[i] = mpi_count(static_cast<std::uint64_t>(sizes[i]));
    offsets[i] = mpi_count(sum);
    sum += static_cast<std::uint64_t>(sizes[i]);
  }
  mpi_count(sum);
}

}  // namespace tenfold
