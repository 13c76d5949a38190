#include "base/queue.hpp"

#include <cstring>

namespace tenfold {

void Queue::copy_in(const void* host, const Tensor& destination) {
  std::memcpy(destination.raw(), host, destination.bytes());
}

void Queue::copy_out(const Tensor& source, void* host) {
  std::memcpy(host, source.raw(), source.bytes());
}

void Queue::copy(const Tensor& source, const Tensor& destination) {
  TENFOLD_VERIFY(source.bytes() == destination.bytes() && source.dtype() == destination.dtype(), "copy of ",
                 source.shape().describe(), " to ", destination.shape().describe());
  std::memcpy(destination.raw(), source.raw(), source.bytes());
}

void Queue::clear(const Tensor& tensor) {
  std::memset(tensor.raw(), 0, tensor.bytes());
}

}  // namespace tenfold
