#pragma once
// A queue is a stream, with memory that ops use between their kernels.

#include <cuda_runtime_api.h>

#include "base/queue.hpp"

namespace tenfold::cuda {

class StreamQueue final : public Queue {
 public:
  StreamQueue() : Queue(DeviceKind::cuda) {}
  ~StreamQueue() override;

  cudaStream_t stream();  ///< made when it is first used
  void* native() override { return stream(); }

  /// `count` elements for the op at hand, without values. One op asks once: the next gets the same memory, which is
  /// safe because a stream's work is done in order. Grows in a run's first step.
  template <class T>
  T* scratch(std::int64_t count) {
    return static_cast<T*>(scratch_of(static_cast<std::size_t>(count) * sizeof(T)));
  }

  void copy_in(const void* host, const Tensor& destination) override;
  void start_copy_in(const void* host, const Tensor& destination) override;
  void copy_out(const Tensor& source, void* host) override;
  void start_copy_out(const Tensor& source, void* host) override;
  void clear(const Tensor& tensor) override;
  void record(Event& event) override;
  void wait(const Event& event) override;
  void synchronize() override;

 private:
  void* scratch_of(std::size_t bytes);

  cudaStream_t stream_ = nullptr;
  void* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;
};

inline StreamQueue& stream_queue(Queue& queue) {
  return static_cast<StreamQueue&>(queue);
}
inline cudaStream_t stream_of(Queue& queue) {
  return stream_queue(queue).stream();
}

}  // namespace tenfold::cuda
