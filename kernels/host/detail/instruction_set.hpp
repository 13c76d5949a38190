#pragma once
// What oneDNN may use of this processor: all it has, or less where ONEDNN_MAX_CPU_ISA says so. The forms of products
// follow from it and from shapes alone, never from a measurement, so that a run's bits repeat.

namespace tenfold::kernels::detail {

/// "AVX-512 with AMX", "AVX2", ...; "generic" where oneDNN has no kernels of its own.
const char* instruction_set();

/// Whether oneDNN's products are fastest with their second operand packed beforehand, in a layout of its choice. So
/// with AVX-512 and newer and on other processors than x86-64; with less, its f32 product takes operands as they lie.
bool packs_operands();

/// Whether the processor multiplies bf16. Otherwise products of bf16 are worked out in f32.
bool multiplies_bf16();

}  // namespace tenfold::kernels::detail
