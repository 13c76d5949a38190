#pragma once
// Tensor cores, sm_80 and later: D = A B + D, 16 x 8 x 16, bf16 in, f32 out, and the loads that bring fragments from
// shared memory. Fragment layout (PTX ISA, mma.m16n8k16 .bf16), lane l, g = l / 4, t = l % 4, each register two
// elements, the lower one first:
//   A 16x16  a[0]: (g, 2t)   a[1]: (g+8, 2t)   a[2]: (g, 2t+8)   a[3]: (g+8, 2t+8)
//   B 16x8   b[0]: (k 2t, n g)   b[1]: (k 2t+8, n g)
//   D 16x8   d[0..1]: (g, 2t)   d[2..3]: (g+8, 2t)

#include "kernels/cuda/detail/vectors.cuh"

namespace tenfold::cuda {

#ifdef __CUDACC__

__device__ inline void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Four 8x8 matrices of b16; lane l gives the address of row l % 8 of matrix l / 8, and gets of each matrix
/// elements (l / 4, 2 (l % 4)) and the next, or, transposed, (2 (l % 4), l / 4) and the one below.
template <bool transposed>
__device__ inline void load_matrices(std::uint32_t (&r)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  }
}

#else

namespace detail {

struct Mma {
  float (*d)[4];
  const std::uint32_t (*a)[4];
  const std::uint32_t (*b)[2];
};

inline float bf16(std::uint32_t bits) {
  return __uint_as_float((bits & 0xffffU) << 16U);
}

inline void mma_of_warp(void* const* lanes, std::uint32_t) {
  float a[16][16];
  float b[16][8];
  for (unsigned l = 0; l < 32; ++l) {
    const Mma& lane = *static_cast<const Mma*>(lanes[l]);
    const unsigned g = l / 4;
    const unsigned t = l % 4;
    for (unsigned e = 0; e < 2; ++e) {
      for (unsigned r = 0; r < 4; ++r) a[g + 8 * (r % 2)][2 * t + 8 * (r / 2) + e] = bf16((*lane.a)[r] >> (16 * e));
      for (unsigned r = 0; r < 2; ++r) b[2 * t + 8 * r + e][g] = bf16((*lane.b)[r] >> (16 * e));
    }
  }
  for (unsigned l = 0; l < 32; ++l) {
    const Mma& lane = *static_cast<const Mma*>(lanes[l]);
    for (unsigned e = 0; e < 4; ++e) {
      const unsigned row = l / 4 + 8 * (e / 2);
      const unsigned column = 2 * (l % 4) + e % 2;
      float sum = 0;
      for (unsigned k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      (*lane.d)[e] += sum;
    }
  }
}

struct MatrixLoad {
  std::uint32_t (*r)[4];
  const void* row;
};

template <bool transposed>
void load_of_warp(void* const* lanes, std::uint32_t) {
  for (unsigned m = 0; m < 4; ++m) {
    std::uint16_t matrix[8][8];
    for (unsigned i = 0; i < 8; ++i) std::memcpy(matrix[i], static_cast<const MatrixLoad*>(lanes[8 * m + i])->row, 16);
    for (unsigned l = 0; l < 32; ++l) {
      const unsigned g = l / 4;
      const unsigned t = 2 * (l % 4);
      const std::uint32_t low = transposed ? matrix[t][g] : matrix[g][t];
      const std::uint32_t high = transposed ? matrix[t + 1][g] : matrix[g][t + 1];
      (*static_cast<const MatrixLoad*>(lanes[l])->r)[m] = low | (high << 16U);
    }
  }
}

}  // namespace detail

inline void mma(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                emulator::Site site = emulator::Site::current()) {
  detail::Mma operands{&d, &a, &b};
  emulator::collective(0xffffffffU, &operands, detail::mma_of_warp, site);
}

template <bool transposed>
void load_matrices(std::uint32_t (&r)[4], const void* row, emulator::Site site = emulator::Site::current()) {
  emulator::expect(reinterpret_cast<std::uintptr_t>(row) % 16 == 0 && emulator::is_shared(row, 16),
                   "ldmatrix: a row is 16 aligned bytes of shared memory", site);
  detail::MatrixLoad operands{&r, row};
  emulator::collective(0xffffffffU, &operands, detail::load_of_warp<transposed>, site);
}

#endif

}  // namespace tenfold::cuda
