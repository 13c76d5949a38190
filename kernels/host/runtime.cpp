#include "kernels/runtime.hpp"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <Kokkos_Core.hpp>

#include "base/check.hpp"
#include "base/queue.hpp"
#include "kernels/host/detail/instruction_set.hpp"

namespace tenfold::kernels {
namespace {

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
              " (", detail::instruction_set(), ")");
}

std::string remark_on_products(DType type) {
  if (type != DType::bf16 || detail::multiplies_bf16()) return {};
  return text("this processor (", detail::instruction_set(),
              ") does not multiply bf16: products are worked out in f32 and rounded to bf16, no faster than in f32");
}

}  // namespace tenfold::kernels
