// NCCL for ranks that have a GPU each: tensors of the device are summed on a stream of their own, ordered with the
// queues they belong to by events, so that no host waits. All else is MPI's: MPI sees host memory only, NCCL device
// memory only, and both may be outstanding.

#include <nccl.h>

#include <algorithm>
#include <exception>

#include "base/host.hpp"
#include "parallel/agree.hpp"
#include "parallel/device_communicator.hpp"

namespace tenfold {

namespace {

void check(ncclResult_t status, SourcePlace place = SourcePlace::current()) {
  if (status != ncclSuccess) throw Error(text("NCCL: ", ncclGetErrorString(status)), ExitCode::failure, place);
}

ncclDataType_t nccl_type(DType type) {
  TENFOLD_VERIFY(type == DType::f32 || type == DType::f64, "ranks sum f32 and f64, not ", name_of(type));
  return type == DType::f32 ? ncclFloat32 : ncclFloat64;
}

std::string version() {
  int number = 0;
  check(ncclGetVersion(&number));
  return text(number / 10000, '.', number / 100 % 100, '.', number % 100);
}

class NcclCommunicator final : public MpiCommunicator {
 public:
  NcclCommunicator(const MpiCommunicator& ranks, Device& device);
  ~NcclCommunicator() override;

  /// NCCL copies no bucket: larger ones use links better, and any number may wait in the stream.
  Buckets buckets() const override;
  Request start_all_reduce_sum(Queue& queue, const Tensor& values) override;
  void poll() override;
  bool test(Request request) override;
  /// Returns at once for a sum of device memory: the work issued on its queue from now on comes after it.
  void wait(Request request) override;

 private:
  struct Sum {
    Queue* queue = nullptr;  ///< null: free
    std::unique_ptr<Event> event;
  };
  void expect_one_device_a_rank();
  Sum& sum_of(Request request) { return sums_.at(static_cast<std::size_t>(request.slot - first_slot)); }

  static constexpr std::int32_t first_slot = 1 << 24;  ///< above those of MPI's own requests
  Device& device_;
  std::unique_ptr<Queue> stream_;
  ncclComm_t comm_ = nullptr;
  std::vector<Sum> sums_;
};

NcclCommunicator::NcclCommunicator(const MpiCommunicator& ranks, Device& device)
    : MpiCommunicator(ranks.native(), ranks.progress()), device_(device), stream_(device.make_queue()) {
  expect_one_device_a_rank();
  ncclUniqueId id{};
  agree_on_root(*this, [&] { check(ncclGetUniqueId(&id)); });
  broadcast(std::span(&id, 1));
  const Progress::Waiting waiting(progress(), "ncclCommInitRank");
  agree(*this, [&] { check(ncclCommInitRank(&comm_, size(), id, rank())); });
}

NcclCommunicator::~NcclCommunicator() {
  // While an exception unwinds other ranks may never come: what is under way is given up.
  if (comm_ != nullptr) std::uncaught_exceptions() > 0 ? ncclCommAbort(comm_) : ncclCommDestroy(comm_);
}

void NcclCommunicator::expect_one_device_a_rank() {
  const std::vector<std::string> devices = all_gather(device_.facts().identity);
  const std::vector<std::string> versions = all_gather(version()), hosts = all_gather(host_name());
  agree(*this, [&] {
    for (std::size_t b = 0; b < devices.size(); ++b) {
      if (versions[b] != versions[0])
        throw InputError(text("host ", hosts[0], " has NCCL ", versions[0], " and host ", hosts[b], " has ",
                              versions[b], "; give all ranks the same library"));
      const auto a = static_cast<std::size_t>(std::ranges::find(devices, devices[b]) - devices.begin());
      if (a != b)
        throw InputError(text("ranks ", a, " and ", b, " share the GPU ", devices[b], " of host ", hosts[b],
                              "; start one rank a GPU, or give parallel.communicator=mpi, which is slower"));
    }
  });
}

Communicator::Buckets NcclCommunicator::buckets() const {
  return {.bytes = 32 << 20, .under_way = 1 << 16};
}

Request NcclCommunicator::start_all_reduce_sum(Queue& queue, const Tensor& values) {
  if (values.device() == DeviceKind::host) return MpiCommunicator::start_all_reduce_sum(queue, values);
  if (size() == 1) return {};
  auto free = std::ranges::find(sums_, nullptr, &Sum::queue);
  if (free == sums_.end()) free = sums_.insert(free, Sum{nullptr, device_.make_event()});
  free->queue = &queue;
  queue.record(*free->event);
  stream_->wait(*free->event);
  check(ncclAllReduce(values.raw(), values.raw(), static_cast<std::size_t>(values.elements()),
                      nccl_type(values.dtype()), ncclSum, comm_, static_cast<cudaStream_t>(stream_->native())));
  stream_->record(*free->event);
  return {first_slot + static_cast<std::int32_t>(free - sums_.begin())};
}

void NcclCommunicator::poll() {
  MpiCommunicator::poll();
  ncclResult_t status = ncclSuccess;
  check(ncclCommGetAsyncError(comm_, &status));
  if (status != ncclInProgress) check(status);
}

bool NcclCommunicator::test(Request request) {
  if (request.slot < first_slot) return MpiCommunicator::test(request);
  poll();
  return sum_of(request).event->done();
}

void NcclCommunicator::wait(Request request) {
  if (request.slot < first_slot) return MpiCommunicator::wait(request);
  Sum& sum = sum_of(request);
  sum.queue->wait(*sum.event);
  sum.queue = nullptr;
}

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(const MpiCommunicator& ranks, Device& device) {
  return std::make_unique<NcclCommunicator>(ranks, device);
}

std::string nccl_version() {
  return "NCCL " + version();
}

}  // namespace tenfold
