#include "kernels/host/detail/instruction_set.hpp"

#include <oneapi/dnnl/dnnl.hpp>

namespace tenfold::kernels::detail {
namespace {

/// Sets are numbered by bits: a set has all bits of those it contains.
bool has(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

}  // namespace

const char* instruction_set() {
  if (has(dnnl::cpu_isa::avx512_core_amx)) return "AVX-512 with AMX";
  if (has(dnnl::cpu_isa::avx512_core_bf16)) return "AVX-512 with bfloat16";
  if (has(dnnl::cpu_isa::avx512_core)) return "AVX-512";
  if (has(dnnl::cpu_isa::avx2)) return "AVX2";
  if (has(dnnl::cpu_isa::sse41)) return "SSE4.1";
  return "generic";
}

bool packs_operands() {
#ifdef __x86_64__
  return has(dnnl::cpu_isa::avx512_core);
#else
  return true;
#endif
}

bool multiplies_bf16() {
  return has(dnnl::cpu_isa::avx512_core_bf16);
}

}  // namespace tenfold::kernels::detail
