// A GPU as a device: its memory, streams and events.

#include <cublasLt.h>

#include <algorithm>

#include "kernels/cuda/detail/device.cuh"
#include "kernels/cuda/detail/queue.hpp"
#include "kernels/device.hpp"
#include "kernels/linear.hpp"

namespace tenfold {
namespace cuda {
namespace {

class StreamEvent final : public Event {
 public:
  StreamEvent() { check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming)); }
  ~StreamEvent() override { cudaEventDestroy(event); }
  bool done() const override {
    const cudaError_t status = cudaEventQuery(event);
    if (status != cudaErrorNotReady) check(status);
    return status == cudaSuccess;
  }
  cudaEvent_t event = nullptr;
};

cudaEvent_t event_of(const Event& event) {
  return static_cast<const StreamEvent&>(event).event;
}

}  // namespace

StreamQueue::~StreamQueue() {
  if (stream_ == nullptr) return;
  cudaStreamSynchronize(stream_);
  cudaFree(scratch_);
  cudaStreamDestroy(stream_);
}

cudaStream_t StreamQueue::stream() {
  if (stream_ == nullptr) check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  return stream_;
}

void* StreamQueue::scratch_of(std::size_t bytes) {
  if (bytes > scratch_bytes_) {
    synchronize();
    check(cudaFree(scratch_));
    scratch_ = nullptr;
    scratch_bytes_ = 0;
    check(cudaMalloc(&scratch_, bytes));
    scratch_bytes_ = bytes;
  }
  return scratch_;
}

void StreamQueue::copy_in(const void* host, const Tensor& destination) {
  start_copy_in(host, destination);
  synchronize();
}

void StreamQueue::start_copy_in(const void* host, const Tensor& destination) {
  check(cudaMemcpyAsync(destination.raw(), host, destination.bytes(), cudaMemcpyDefault, stream()));
}

void StreamQueue::copy_out(const Tensor& source, void* host) {
  start_copy_out(source, host);
  synchronize();
}

void StreamQueue::start_copy_out(const Tensor& source, void* host) {
  check(cudaMemcpyAsync(host, source.raw(), source.bytes(), cudaMemcpyDefault, stream()));
}

void StreamQueue::clear(const Tensor& tensor) {
  check(cudaMemsetAsync(tensor.raw(), 0, tensor.bytes(), stream()));
}

void StreamQueue::record(Event& event) {
  check(cudaEventRecord(event_of(event), stream()));
}

void StreamQueue::wait(const Event& event) {
  check(cudaStreamWaitEvent(stream(), event_of(event), 0));
}

void StreamQueue::synchronize() {
  check(cudaStreamSynchronize(stream()));
}

namespace {

/// "GPU-1b2c..." as nvidia-smi prints it, without dashes.
std::string uuid_text(const cudaUUID_t& uuid) {
  std::string digits = "GPU-";
  for (const char byte : uuid.bytes) {
    constexpr const char* hexadecimal = "0123456789abcdef";
    digits += {hexadecimal[static_cast<unsigned char>(byte) / 16], hexadecimal[static_cast<unsigned char>(byte) % 16]};
  }
  return digits;
}

class Gpu final : public Device {
 public:
  explicit Gpu(int ordinal) : ordinal_(ordinal) {
    if (ordinal != kernels::no_device) check(cudaSetDevice(ordinal));
  }
  DeviceKind kind() const override { return DeviceKind::cuda; }

  DeviceFacts facts() const override {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, ordinal_));
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total));
    // Squares of 64 times as many elements as there are multiprocessors; from 1024 on in whole thousands.
    const std::int64_t extent = std::int64_t{64} * properties.multiProcessorCount;
    return {.name = properties.name,
            .identity = uuid_text(properties.uuid),
            .memory = static_cast<std::int64_t>(total),
            .free_memory = static_cast<std::int64_t>(free),
            .yardstick = extent < 1024 ? extent : extent / 1024 * 1024};
  }

  std::byte* allocate(MemoryKind memory, std::size_t bytes) override {
    void* first = nullptr;
    const cudaError_t status = memory == MemoryKind::device ? cudaMalloc(&first, bytes) : cudaMallocHost(&first, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // or the next call would report it again
      return nullptr;
    }
    check(status);
    check(cudaMemset(first, 0, bytes));
    return static_cast<std::byte*>(first);
  }
  void release(MemoryKind memory, std::byte* first, std::size_t /*bytes*/) noexcept override {
    if (memory == MemoryKind::device)
      cudaFree(first);
    else
      cudaFreeHost(first);
  }

  std::unique_ptr<Queue> make_queue() override { return std::make_unique<StreamQueue>(); }
  std::unique_ptr<Event> make_event() override { return std::make_unique<StreamEvent>(); }

  /// Eighths of the budget: few shapes, for which products are planned and steps recorded.
  std::int64_t computed_rows(std::int64_t used, std::int64_t rows) const override {
    constexpr std::int64_t parts = 8, block = kernels::row_block;
    const std::int64_t part = std::max((rows / parts + block - 1) / block, std::int64_t{1}) * block;
    return std::min(rows, std::max((used + part - 1) / part, std::int64_t{1}) * part);
  }

 private:
  int ordinal_;
};

}  // namespace
}  // namespace cuda

namespace kernels {
namespace cuda {

std::unique_ptr<Device> make_device(DeviceKind /*kind*/, int ordinal) {
  return std::make_unique<tenfold::cuda::Gpu>(ordinal);
}

std::string device_libraries(DeviceKind /*kind*/) {
  int runtime = 0;
  tenfold::cuda::check(cudaRuntimeGetVersion(&runtime));
  const std::size_t cublas = cublasLtGetVersion();
  return text("CUDA ", runtime / 1000, '.', runtime % 1000 / 10, ", cuBLASLt ", cublas / 10000, '.', cublas / 100 % 100,
              '.', cublas % 100);
}

int count_devices(DeviceKind /*kind*/) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  int driver = 0;
  const bool no_driver =
      status == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0;
  if (status == cudaErrorNoDevice || no_driver) return 0;
  tenfold::cuda::check(status);
  return count;
}

}  // namespace cuda

const Implementation make_device_on_cuda{make_device, DeviceKind::cuda, cuda::make_device};
const Implementation device_libraries_on_cuda{device_libraries, DeviceKind::cuda, cuda::device_libraries};
const Implementation count_devices_on_cuda{count_devices, DeviceKind::cuda, cuda::count_devices};

}  // namespace kernels
}  // namespace tenfold
