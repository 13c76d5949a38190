#include "kernels/runtime.hpp"

#include <omp.h>

#include <Kokkos_Core.hpp>
#include <oneapi/dnnl/dnnl.hpp>

#include "base/check.hpp"
#include "base/queue.hpp"

namespace tenfold::kernels {
namespace {

const char* instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX-512 with AMX";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 with bfloat16";
    case dnnl::cpu_isa::avx512_core:
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512";
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2";
    default:
      return "generic";
  }
}

/// Kokkos Tools see parallel loops by themselves; regions are all the rest, products foremost.
void tell_tools(const char* label, bool begin) {
  if (begin)
    Kokkos::Tools::pushRegion(label);
  else
    Kokkos::Tools::popRegion();
}

}  // namespace

Runtime::Runtime(int threads) {
  TENFOLD_VERIFY(threads >= 1, "threads = ", threads);
  omp_set_num_threads(threads);  // oneDNN's pool
#if KOKKOS_VERSION >= 30700
  Kokkos::initialize(Kokkos::InitializationSettings().set_num_threads(threads));
#else
  Kokkos::InitArguments arguments;
  arguments.num_threads = threads;
  Kokkos::initialize(arguments);
#endif
  if (Kokkos::Tools::profileLibraryLoaded()) Queue::profiler = tell_tools;
}

Runtime::~Runtime() {
  Queue::profiler = nullptr;
  Kokkos::finalize();
}

std::string library_versions() {
  const dnnl_version_t* dnnl = dnnl_version();
  return text("Kokkos ", KOKKOS_VERSION / 10000, ".", KOKKOS_VERSION / 100 % 100, ".", KOKKOS_VERSION % 100, " (",
              Kokkos::DefaultHostExecutionSpace::name(), "), oneDNN ", dnnl->major, ".", dnnl->minor, ".", dnnl->patch,
              " (", instruction_set(), ")");
}

}  // namespace tenfold::kernels
