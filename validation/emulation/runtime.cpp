// The part of the CUDA runtime that tenfold calls, on host memory. A stream does nothing until someone waits for it;
// then the streams' heads run in random order. So work whose wait was forgotten shows, on the host and between streams.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <vector>

#include "emulation/run.hpp"
#include "emulation/sanitizers.hpp"
#include "kernels/cuda/detail/device.cuh"

struct CUstream_st {
  std::deque<std::function<bool()>> work;  ///< false: must wait for another stream
  std::uint64_t issued = 0;
  std::uint64_t done = 0;
};

struct CUevent_st {
  using Clock = std::chrono::steady_clock;
  CUstream_st* stream = nullptr;
  std::uint64_t position = 0;
  std::shared_ptr<Clock::time_point> time;  ///< when the stream came so far; of the last record
  bool reached() const { return stream == nullptr || stream->done >= position; }
};

namespace tenfold::emulator {

namespace {

std::vector<std::unique_ptr<CUstream_st>> streams;
int external = 0;  ///< pieces of work that other processes have a part in, not yet done
std::map<void*, std::size_t> memory;

/// Device memory is hidden from the host except while a piece of work runs.
struct Shown {
  Shown() {
    for (const auto& [begin, bytes] : memory) Sanitizers::show(begin, bytes);
  }
  ~Shown() {
    for (const auto& [begin, bytes] : memory) Sanitizers::hide(begin, bytes);
  }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
};

/// Filled with NaN; null where it cannot be had.
void* take(std::size_t bytes) {
  void* taken = ::operator new (bytes, std::align_val_t{256}, std::nothrow);
  if (taken != nullptr) std::memset(taken, 0xff, bytes);
  return taken;
}

void issue(cudaStream_t stream, std::function<bool()> work) {
  if (stream == nullptr) {
    std::fprintf(stderr, "emulator: the default stream is not for us\n");
    std::abort();
  }
  stream->work.push_back(std::move(work));
  ++stream->issued;
}

/// Runs one piece of work of a stream that is not waiting; whether there was one.
bool work_once() {
  std::vector<CUstream_st*> busy;
  for (const auto& stream : streams) {
    if (!stream->work.empty()) busy.push_back(stream.get());
  }
  while (!busy.empty()) {
    const std::size_t pick = draw(static_cast<unsigned>(busy.size()));
    CUstream_st& stream = *busy[pick];
    if (stream.work.front()()) {
      stream.work.pop_front();
      ++stream.done;
      return true;
    }
    busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(pick));
  }
  return false;
}

/// Runs work of all streams until `enough`.
template <class Enough>
void work_until(Enough enough) {
  while (!enough()) {
    if (work_once() || external > 0) continue;
    std::fprintf(stderr, "emulator: streams wait for each other for ever\n");
    std::abort();
  }
}

}  // namespace

void enqueue_host(cudaStream_t stream, std::function<void()> work) {
  issue(stream, [work = std::move(work)] {
    const Shown shown;
    work();
    return true;
  });
}

void enqueue_external(cudaStream_t stream, std::function<bool()> work) {
  ++external;
  issue(stream, [work = std::move(work)] {
    const Shown shown;
    if (!work()) return false;
    --external;
    return true;
  });
}

void enqueue(cudaStream_t stream, dim3 blocks, dim3 threads, std::size_t shared, std::function<void()> kernel,
             Site site) {
  enqueue_host(stream, [=, kernel = std::move(kernel)] { run(blocks, threads, shared, kernel, site); });
}

}  // namespace tenfold::emulator

using namespace tenfold::emulator;

extern "C" {

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  *pointer = take(bytes);
  if (*pointer == nullptr) return cudaErrorMemoryAllocation;
  Sanitizers::hide(*pointer, bytes);
  memory[*pointer] = bytes;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  work_until([] { return std::all_of(streams.begin(), streams.end(), [](const auto& s) { return s->work.empty(); }); });
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  cudaDeviceSynchronize();
  Sanitizers::show(pointer, memory.at(pointer));
  memory.erase(pointer);
  ::operator delete (pointer, std::align_val_t{256});
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  *pointer = take(bytes);
  return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  ::operator delete (pointer, std::align_val_t{256});
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = streams.emplace_back(std::make_unique<CUstream_st>()).get();
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  work_until([stream] { return stream->work.empty(); });
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  cudaStreamSynchronize(stream);
  std::erase_if(streams, [stream](const auto& other) { return other.get() == stream; });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const auto time = std::make_shared<CUevent_st::Clock::time_point>();
  issue(stream, [time] {
    *time = CUevent_st::Clock::now();
    return true;
  });
  *event = {stream, stream->issued, time};
  return cudaSuccess;
}

/// Asking goes on with the work sooner or later, or a host that polls would ask for ever.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (draw(2) == 0) work_once();
  return event->reached() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  work_until([event] { return event->reached(); });
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  if (!start->time || !stop->time) return cudaErrorInvalidResourceHandle;
  if (!start->reached() || !stop->reached()) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(*stop->time - *start->time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  issue(stream, [recorded = *event] { return recorded.reached(); });
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  enqueue_host(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
  enqueue_host(stream, [=] { std::memset(pointer, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemset(void* pointer, int value, std::size_t bytes) {
  cudaDeviceSynchronize();
  const auto known = memory.find(pointer);
  if (known != memory.end()) Sanitizers::show(pointer, known->second);
  std::memset(pointer, value, bytes);
  if (known != memory.end()) Sanitizers::hide(pointer, known->second);
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  return cudaRuntimeGetVersion(version);
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int ordinal) {
  return ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "emulated");
  properties->multiProcessorCount = 1;
  const pid_t process = getpid();  // every process has a GPU of its own
  std::memcpy(properties->uuid.bytes, &process, sizeof process);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  constexpr std::size_t gibi = std::size_t{1} << 30U;
  *free = *total = 2 * gibi;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t) {
  return "an error of the emulator";
}
}
