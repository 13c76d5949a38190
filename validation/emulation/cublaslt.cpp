// cuBLASLt as far as tenfold calls it, by plain loops: column-major operands, their transposes and the epilogue BIAS,
// so that our own use of it (which matrix is A, leading dimensions, types, alignment, workspace) is tested without a
// GPU.

#include <cublasLt.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "emulation/run.hpp"
#include "kernels/cuda/detail/device.cuh"

namespace tenfold::emulator {

namespace {

struct Operation {
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
};

struct Layout {
  cudaDataType type;
  std::uint64_t rows, columns;
  std::int64_t leading;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "cuBLASLt: %s\n", what);
  std::abort();
}

template <class T>
void set(T& attribute, const void* value, std::size_t bytes) {
  require(bytes == sizeof attribute, "an attribute of another size");
  std::memcpy(&attribute, value, bytes);
}

float read(const void* data, cudaDataType type, std::int64_t i) {
  return type == CUDA_R_32F ? static_cast<const float*>(data)[i]
                            : __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
}

void write(void* data, cudaDataType type, std::int64_t i, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[i] = value;
  } else {
    static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(value);
  }
}

struct Operand {
  const void* data;
  Layout layout;
  bool transposed;
  std::int64_t rows() const { return static_cast<std::int64_t>(transposed ? layout.columns : layout.rows); }
  std::int64_t columns() const { return static_cast<std::int64_t>(transposed ? layout.rows : layout.columns); }
  float operator()(std::int64_t i, std::int64_t j) const {
    return read(data, layout.type, transposed ? j + i * layout.leading : i + j * layout.leading);
  }
};

/// So many rows and columns of a result are summed in registers.
constexpr std::int64_t tile_rows = 32, tile_columns = 4;

std::int64_t tiles(std::int64_t extent, std::int64_t tile) {
  return (extent + tile - 1) / tile;
}

/// Slices of `tile` rows of a matrix in f32, one after another, each column by column; zeros fill up the last.
template <std::int64_t tile, class Element>
std::vector<float> sliced(std::int64_t rows, std::int64_t columns, const Element& element) {
  std::vector<float> slices(static_cast<std::size_t>(tiles(rows, tile) * tile * columns));
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      slices[static_cast<std::size_t>((i / tile * columns + j) * tile + i % tile)] = element(i, j);
  return slices;
}

/// sums[j][i] = sum over k of a[k][i] b[k][j], k after k. Not for sanitizers, which would make it thirty times slower:
/// it touches copies alone.
[[gnu::no_sanitize("address", "undefined")]] void multiply_tile(const float* a, const float* b, std::int64_t depth,
                                                                float (&sums)[tile_columns][tile_rows]) {
  float own[tile_columns][tile_rows] = {};
  for (std::int64_t k = 0; k < depth; ++k, a += tile_rows, b += tile_columns)
    for (int j = 0; j < tile_columns; ++j)
      for (int i = 0; i < tile_rows; ++i) own[j][i] += a[i] * b[j];
  std::memcpy(sums, own, sizeof sums);
}

void multiply(const Operation& operation, float alpha, const Operand& a, const Operand& b, float beta, const Operand& c,
              void* d, const Layout& to) {
  const std::int64_t depth = a.columns(), rows = a.rows(), columns = b.columns();
  const std::vector<float> left = sliced<tile_rows>(rows, depth, a);
  const std::vector<float> right =
      sliced<tile_columns>(columns, depth, [&](std::int64_t j, std::int64_t k) { return b(k, j); });
  const auto finish = [&](std::int64_t i, std::int64_t j, float sum) {
    sum *= alpha;
    if (beta != 0) sum += beta * c(i, j);
    // cublasLt.h: elements of the same type as D
    if (operation.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += read(operation.bias, to.type, i);
    write(d, to.type, i + j * to.leading, sum);
  };
  for (std::int64_t i = 0; i < rows; i += tile_rows)
    for (std::int64_t j = 0; j < columns; j += tile_columns) {
      float sums[tile_columns][tile_rows];
      multiply_tile(left.data() + i * depth, right.data() + j * depth, depth, sums);
      for (std::int64_t jj = j; jj < std::min(j + tile_columns, columns); ++jj)
        for (std::int64_t ii = i; ii < std::min(i + tile_rows, rows); ++ii) finish(ii, jj, sums[jj - j][ii - i]);
    }
}

/// What the caller promises and allows an algorithm.
struct Preference {
  std::uint64_t workspace = 0;
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  ///< of A, B, C, D
};

/// What an algorithm, which the caller keeps, needs of a call: it may rely on every byte of alignment it was promised.
struct Needs {
  std::uint64_t workspace;
  std::uint32_t alignment[4];
};
static_assert(sizeof(Needs) <= sizeof(cublasLtMatmulAlgo_t));

bool aligned(const void* address, std::uint64_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

}  // namespace

}  // namespace tenfold::emulator

using namespace tenfold::emulator;

std::size_t cublasLtGetVersion() {
  return CUBLAS_VERSION;
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(new char);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete reinterpret_cast<char*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  require(compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F, "only f32 accumulation is ours");
  *description = reinterpret_cast<cublasLtMatmulDesc_t>(new Operation);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete reinterpret_cast<Operation*>(description);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              std::size_t bytes) {
  auto& operation = *reinterpret_cast<Operation*>(description);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      set(operation.transpose_a, value, bytes);
      break;
    case CUBLASLT_MATMUL_DESC_TRANSB:
      set(operation.transpose_b, value, bytes);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      set(operation.epilogue, value, bytes);
      break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      set(operation.bias, value, bytes);
      break;
    default:
      require(false, "an attribute that the emulator does not know");
  }
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t leading) {
  require(leading >= static_cast<std::int64_t>(rows), "a leading dimension below the rows");
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(new Layout{type, rows, columns, leading});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete reinterpret_cast<Layout*>(layout);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete reinterpret_cast<Preference*>(preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    std::size_t bytes) {
  auto& preference = *reinterpret_cast<Preference*>(handle);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      set(preference.workspace, value, bytes);
      break;
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      set(preference.reductions, value, bytes);
      break;
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      set(preference.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
      break;
    default:
      require(false, "a preference that the emulator does not know");
  }
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t handle, int,
                                              cublasLtMatmulHeuristicResult_t results[], int* count) {
  const auto& preference = *reinterpret_cast<Preference*>(handle);
  require(preference.reductions == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, "sums in the type of a result are not ours");
  constexpr std::uint64_t some = 4096;
  Needs needs{std::min(preference.workspace, some), {}};
  std::copy_n(preference.alignment, 4, needs.alignment);
  results[0] = {};
  std::memcpy(&results[0].algo, &needs, sizeof needs);
  results[0].workspaceSize = needs.workspace;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
  const auto layout = [](cublasLtMatrixLayout_t handle) { return *reinterpret_cast<Layout*>(handle); };
  const Operation operation = *reinterpret_cast<Operation*>(description);
  const Operand left{a, layout(a_layout), operation.transpose_a == CUBLAS_OP_T};
  const Operand right{b, layout(b_layout), operation.transpose_b == CUBLAS_OP_T};
  const Operand add{c, layout(c_layout), false};
  const Layout to = layout(d_layout);
  require(left.columns() == right.rows() && left.rows() == static_cast<std::int64_t>(to.rows) &&
              right.columns() == static_cast<std::int64_t>(to.columns),
          "extents that do not fit");
  require(left.layout.type == right.layout.type && add.layout.type == to.type, "types that do not fit");
  Needs needs{};
  std::memcpy(&needs, algorithm, sizeof needs);
  require(aligned(a, needs.alignment[0]) && aligned(b, needs.alignment[1]) && aligned(c, needs.alignment[2]) &&
              aligned(d, needs.alignment[3]),
          "an operand is less aligned than was promised");
  require(aligned(operation.bias, 16), "a bias that is not aligned to 16 bytes");  // which kernels of it may rely on
  require(aligned(workspace, 256) && workspace_bytes >= needs.workspace, "a workspace that does not do");
  const float scale = *static_cast<const float*>(alpha);
  const float keep = *static_cast<const float*>(beta);
  enqueue_host(stream, [=] {
    std::memset(workspace, 0xff, needs.workspace);  // it holds what it likes there
    multiply(operation, scale, left, right, keep, add, d, to);
  });
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasLtGetStatusString(cublasStatus_t) {
  return "an error of the emulator";
}
