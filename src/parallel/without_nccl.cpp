// Of a program that was built for the host only.

#include "parallel/device_communicator.hpp"

namespace tenfold {

std::unique_ptr<Communicator> make_nccl_communicator(const MpiCommunicator& /*ranks*/, Device& /*device*/) {
  throw InputError(
      "parallel.communicator = nccl, but this program was built without NCCL: build it with the preset cuda");
}

std::string nccl_version() {
  return "";
}

}  // namespace tenfold
