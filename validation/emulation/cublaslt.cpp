// cuBLASLt as far as tenfold calls it, by plain loops: column-major operands, their transposes, and the epilogues BIAS
// and BGRADB, so that our own use of it (which matrix is A, leading dimensions, types) is tested without a GPU.

#include <cublasLt.h>

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

void multiply(const Operation& operation, float alpha, const Operand& a, const Operand& b, float beta, const Operand& c,
              void* d, const Layout& to) {
  const std::int64_t depth = a.columns();
  const cudaDataType bias_type = to.type;  // cublasLt.h: elements of the same type as D
  for (std::int64_t j = 0; j < b.columns(); ++j) {
    for (std::int64_t i = 0; i < a.rows(); ++i) {
      float sum = 0;
      for (std::int64_t k = 0; k < depth; ++k) sum += a(i, k) * b(k, j);
      sum *= alpha;
      if (beta != 0) sum += beta * c(i, j);
      if (operation.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += read(operation.bias, bias_type, i);
      write(d, to.type, i + j * to.leading, sum);
    }
    if (operation.epilogue != CUBLASLT_EPILOGUE_BGRADB) continue;
    float sum = 0;
    for (std::int64_t k = 0; k < depth; ++k) sum += b(k, j);
    write(operation.bias, bias_type, j, sum);  // not added to what is there
  }
}

}  // namespace

}  // namespace tenfold::emulator

using namespace tenfold::emulator;

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
  const auto set = [&](auto& member) {
    require(bytes == sizeof member, "an attribute of another size");
    std::memcpy(&member, value, bytes);
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      set(operation.transpose_a);
      break;
    case CUBLASLT_MATMUL_DESC_TRANSB:
      set(operation.transpose_b);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      set(operation.epilogue);
      break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      set(operation.bias);
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
  *preference = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t,
                                                    const void*, std::size_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int,
                                              cublasLtMatmulHeuristicResult_t results[], int* count) {
  results[0] = {};
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t*, void*, std::size_t,
                              cudaStream_t stream) {
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
  const float scale = *static_cast<const float*>(alpha);
  const float keep = *static_cast<const float*>(beta);
  enqueue_host(stream, [=] { multiply(operation, scale, left, right, keep, add, d, to); });
  return CUBLAS_STATUS_SUCCESS;
}
