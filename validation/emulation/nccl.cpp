// NCCL as far as tenfold calls it, over MPI: a sum waits in its stream until those of all ranks are there.

#include <mpi.h>
#include <nccl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "emulation/run.hpp"

struct ncclComm {
  MPI_Comm ranks;
};

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t /*status*/) {
  return "an error of the emulator";
}

/// Groups are told apart by how many there were before: all ranks make them in the same order.
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static int made = 0;
  *id = {};
  const int number = made++;
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}

/// Only of groups of the whole world, which is what the tests start.
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  int size = 0, mine = 0, number = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &mine);
  std::memcpy(&number, id.internal, sizeof number);
  if (size != ranks || mine != rank) {
    std::fprintf(stderr, "emulator: NCCL group %d is not the world\n", number);
    std::abort();
  }
  *comm = new ncclComm{};
  MPI_Comm_dup(MPI_COMM_WORLD, &(*comm)->ranks);
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  MPI_Comm_free(&comm->ranks);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t /*comm*/, ncclResult_t* status) {
  *status = ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t comm, cudaStream_t stream) {
  if (send != receive || operation != ncclSum || (type != ncclFloat32 && type != ncclFloat64)) {
    std::fprintf(stderr, "emulator: of NCCL only sums in place of f32 and f64 are ours\n");
    std::abort();
  }
  const MPI_Datatype word = type == ncclFloat32 ? MPI_FLOAT : MPI_DOUBLE;
  auto request = std::make_shared<MPI_Request>(MPI_REQUEST_NULL);
  auto started = std::make_shared<bool>(false);
  tenfold::emulator::enqueue_external(stream, [=] {
    if (!*started) {
      MPI_Iallreduce(MPI_IN_PLACE, receive, static_cast<int>(count), word, MPI_SUM, comm->ranks, request.get());
      *started = true;
    }
    int done = 0;
    MPI_Test(request.get(), &done, MPI_STATUS_IGNORE);
    return done != 0;
  });
  return ncclSuccess;
}
