#include "base/queue.hpp"

#include <cstring>

namespace tenfold {

void Queue::copy_in(const void* host, const Tensor& destination) {
  std::memcpy(destination.raw(), host, destination.bytes());
}

void Queue::copy_out(const Tensor& source, void* host) {
  std::memcpy(host, source.raw(), source.bytes());
}

void Queue::clear(const Tensor& tensor) {
  std::memset(tensor.raw(), 0, tensor.bytes());
}

}  // namespace tenfold
