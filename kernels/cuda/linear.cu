// Affine maps by cuBLASLt. Its matrices are column-major, so it gets a row-major [r, c] as the transpose [c, r] of
// leading dimension c: C = A B becomes C^T = B^T A^T.

#include <cublasLt.h>

#include <compare>
#include <initializer_list>
#include <map>
#include <memory>

#include "kernels/cuda/detail/column_sums.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/detail/linear.hpp"
#include "kernels/linear.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

// ---- products

/// At the beginning of an op's scratch, for products whose depth is cut into pieces.
constexpr std::int64_t workspace_bytes = std::int64_t{32} << 20;

void verify(cublasStatus_t status, SourcePlace place = SourcePlace::current()) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(text("cuBLASLt: ", cublasLtGetStatusString(status)), ExitCode::failure, place);
}

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* handle) const {
    destroy(handle);
  }
};
/// What a Create of cuBLASLt or CUDA made.
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;
using Library = Owned<cublasLtHandle_t, cublasLtDestroy>;
using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;
using Mark = Owned<cudaEvent_t, cudaEventDestroy>;

/// What a plan depends on. C [rows, columns] = A B (+ bias) (+ C), where A is [rows, depth] or lies as its transpose,
/// and so B.
struct ProductShape {
  std::int64_t rows, columns, depth;
  bool transpose_a, transpose_b;
  DType factors, result;
  bool accumulate, bias;
  std::uint32_t alignment;  ///< bytes that the addresses of A, B and C are multiples of
  auto operator<=>(const ProductShape&) const = default;
};

struct Operands {
  const void* a;
  const void* b;
  const void* bias;  ///< of C's type, aligned to 16 bytes
  void* c;
  void* workspace;
};

/// How a product of some shape is worked out: cuBLASLt's first proposal, for good, so that its bits repeat.
class Plan {
 public:
  explicit Plan(const ProductShape& shape)
      : shape_(shape),
        description_(describe(shape)),
        a_(lay_out(shape.factors, shape.rows, shape.depth, shape.transpose_a)),
        b_(lay_out(shape.factors, shape.depth, shape.columns, shape.transpose_b)),
        c_(lay_out(shape.result, shape.rows, shape.columns, false)),
        algorithm_(choose()) {}

  static Plan& of(const ProductShape& shape) {
    static thread_local std::map<ProductShape, Plan> plans;
    return plans.try_emplace(shape, shape).first->second;
  }

  void execute(cudaStream_t stream, const Operands& o) {
    const float alpha = 1, beta = shape_.accumulate ? 1.0F : 0.0F;
    if (shape_.bias) set(description_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, o.bias);
    verify(cublasLtMatmul(library(), description_.get(), &alpha, o.b, b_.get(), o.a, a_.get(), &beta, o.c, c_.get(),
                          o.c, c_.get(), &algorithm_, o.workspace, workspace_bytes, stream));
  }

 private:
  static cublasLtHandle_t library() {
    static const Library made = [] {
      cublasLtHandle_t handle = nullptr;
      verify(cublasLtCreate(&handle));
      return Library(handle);
    }();
    return made.get();
  }

  template <class T>
  static void set(const Description& description, cublasLtMatmulDescAttributes_t attribute, const T& value) {
    verify(cublasLtMatmulDescSetAttribute(description.get(), attribute, &value, sizeof value));
  }
  template <class T>
  static void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    verify(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value));
  }

  static Description describe(const ProductShape& shape) {
    cublasLtMatmulDesc_t handle = nullptr;
    verify(cublasLtMatmulDescCreate(&handle, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    Description description(handle);
    const auto operation = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
    set(description, CUBLASLT_MATMUL_DESC_TRANSA, operation(shape.transpose_b));
    set(description, CUBLASLT_MATMUL_DESC_TRANSB, operation(shape.transpose_a));
    if (shape.bias) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    return description;
  }

  static Layout lay_out(DType type, std::int64_t rows, std::int64_t columns, bool transposed) {
    if (transposed) std::swap(rows, columns);
    cublasLtMatrixLayout_t handle = nullptr;
    verify(cublasLtMatrixLayoutCreate(&handle, type == DType::f32 ? CUDA_R_32F : CUDA_R_16BF,
                                      static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows), columns));
    return Layout(handle);
  }

  cublasLtMatmulAlgo_t choose() const {
    cublasLtMatmulPreference_t handle = nullptr;
    verify(cublasLtMatmulPreferenceCreate(&handle));
    const Preference preference(handle);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspace_bytes));
    // Pieces of a sum are added in f32, never in the type of C.
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (const auto of_matrix :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      set(preference, of_matrix, shape_.alignment);
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        library(), description_.get(), b_.get(), a_.get(), c_.get(), c_.get(), preference.get(), 1, &found, &count);
    TENFOLD_VERIFY(status == CUBLAS_STATUS_SUCCESS && count == 1, "cuBLASLt: ", cublasLtGetStatusString(status),
                   " for a product of ", shape_.rows, " x ", shape_.depth, " and ", shape_.depth, " x ", shape_.columns,
                   ", ", name_of(shape_.factors), " to ", name_of(shape_.result), ", aligned to ", shape_.alignment);
    return found.algo;
  }

  ProductShape shape_;
  Description description_;
  Layout a_, b_, c_;
  cublasLtMatmulAlgo_t algorithm_;
};

/// The largest power of two up to 64 that all addresses are multiples of. 64 is what devices and arenas give, so where
/// in them a tensor lies does not choose its algorithm.
std::uint32_t common_alignment(std::initializer_list<const void*> addresses) {
  std::uintptr_t bits = 64;
  for (const void* address : addresses) bits |= reinterpret_cast<std::uintptr_t>(address);
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

struct Factor {
  const Tensor& tensor;
  bool transposed;
};

/// C = A B (+ bias) (+ C) of checked matrices; `bias`, of C's type, may be null.
void multiply(cudaStream_t stream, const Factor& a, const Factor& b, const void* bias, const Tensor& c, bool accumulate,
              void* workspace) {
  const void* left = a.tensor.raw();
  const void* right = b.tensor.raw();
  const ProductShape shape{c[0],
                           c[1],
                           a.tensor[a.transposed ? 0 : 1],
                           a.transposed,
                           b.transposed,
                           a.tensor.dtype(),
                           c.dtype(),
                           accumulate,
                           bias != nullptr,
                           common_alignment({left, right, c.raw()})};
  Plan::of(shape).execute(stream, {left, right, bias, c.raw(), workspace});
}

// ---- the bias and its gradient

/// cuBLASLt wants a bias in the type of the result, and aligned.
template <class T>
__global__ void __launch_bounds__(threads_a_block) prepare_bias(const float* bias, T* prepared, std::int64_t count) {
  for (std::int64_t i = first_of_grid(); i < count; i += stride_of_grid()) prepared[i] = from_float<T>(bias[i]);
}

constexpr int column_warps = threads_a_block / 32, columns_a_block = 8 * 32;

struct ColumnSums {
  float of_warp[column_warps][columns_a_block];
};

/// Sums over the rows of part blockIdx.x of columns [256 * blockIdx.y, + 256): eight columns a thread, the rows dealt
/// to warps in turn. partials: [parts, width].
template <class T>
__global__ void __launch_bounds__(threads_a_block)
    sum_columns(const T* matrix, std::int64_t rows, int width, float* partials) {
  ColumnSums& sums = shared<ColumnSums>();
  const int warp = static_cast<int>(threadIdx.x / 32), of_block = 8 * static_cast<int>(threadIdx.x % 32);
  const int first = static_cast<int>(blockIdx.y) * columns_a_block, column = first + of_block;
  const RowRange range(rows, blockIdx.x, gridDim.x);
  float sum[8] = {};
  if (column < width) {
#pragma unroll 4
    for (std::int64_t n = range.begin + warp; n < range.end; n += column_warps) {
      float row[8];
      load8(matrix + n * width, column, width, row);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] += row[i];
    }
  }
  store8(&sums.of_warp[warp][of_block], sum);
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x);
  if (first + own >= width) return;
  float total = 0;
#pragma unroll
  for (int w = 0; w < column_warps; ++w) total += sums.of_warp[w][own];
  partials[std::int64_t{blockIdx.x} * width + first + own] = total;
}

/// sums += sums over the rows of a matrix. partials: [row_parts(rows), width].
void add_column_sums(cudaStream_t stream, const Tensor& matrix, float* partials, const Tensor& sums) {
  const std::int64_t rows = matrix[0], width = matrix[1];
  const int parts = row_parts(rows);
  const auto tiles = static_cast<unsigned>((width + columns_a_block - 1) / columns_a_block);
  by_storage_type(matrix, "linear_backward_weight: dy", [&]<class T>() {
    launch(sum_columns<T>, Grid{dim3(static_cast<unsigned>(parts), tiles), dim3(threads_a_block), sizeof(ColumnSums)},
           stream, elements<T>(matrix), rows, static_cast<int>(width), partials);
  });
  add_parts(stream, partials, parts, width, width, sums.data<float>());
}

Mark make_mark() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDefault));
  return Mark(event);
}

}  // namespace

namespace cuda {

void linear_forward(Queue& queue, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  const Queue::Region region(queue, "tenfold::linear::forward");
  detail::expect_linear_forward(x, weight, bias, y);
  const std::int64_t bias_bytes = bias ? bias.elements() * static_cast<std::int64_t>(size_of(y.dtype())) : 0;
  std::byte* scratch = stream_queue(queue).scratch<std::byte>(workspace_bytes + bias_bytes);
  void* prepared = bias ? scratch + workspace_bytes : nullptr;
  if (bias)
    by_storage_type(y, "linear_forward: y", [&]<class T>() {
      launch(prepare_bias<T>, grid_over(bias.elements()), stream_of(queue), bias.data<float>(),
             static_cast<T*>(prepared), bias.elements());
    });
  multiply(stream_of(queue), {x, false}, {weight, true}, prepared, y, false, scratch);
}

void linear_backward_input(Queue& queue, const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate) {
  const Queue::Region region(queue, "tenfold::linear::backward_input");
  detail::expect_linear_backward_input(dy, weight, dx);
  std::byte* scratch = stream_queue(queue).scratch<std::byte>(workspace_bytes);
  multiply(stream_of(queue), {dy, false}, {weight, false}, nullptr, dx, accumulate, scratch);
}

void linear_backward_weight(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& dweight,
                            const Tensor& dbias) {
  const Queue::Region region(queue, "tenfold::linear::backward_weight");
  detail::expect_linear_backward_weight(dy, x, dweight, dbias);
  const std::int64_t partials = dbias ? row_parts(dy[0]) * dy[1] : 0;
  std::byte* scratch =
      stream_queue(queue).scratch<std::byte>(workspace_bytes + partials * static_cast<std::int64_t>(sizeof(float)));
  multiply(stream_of(queue), {dy, true}, {x, false}, nullptr, dweight, true, scratch);
  if (dbias) add_column_sums(stream_of(queue), dy, reinterpret_cast<float*>(scratch + workspace_bytes), dbias);
}

/// Both layouts are row-major: the library has no other for these types.
double measure_matmul(Queue& queue, DType type, OperandLayout /*layout*/, std::int64_t n, int repeats) {
  detail::expect_measurement(n, repeats);
  constexpr int three_quarters = 0x3F;  // every byte: about that, in either type
  constexpr std::int64_t alignment = 256;
  const std::int64_t bytes = (n * n * static_cast<std::int64_t>(size_of(type)) + alignment - 1) / alignment * alignment;
  const cudaStream_t stream = stream_of(queue);
  std::byte* scratch = stream_queue(queue).scratch<std::byte>(workspace_bytes + 3 * bytes);
  const auto matrix = [&](int i) {
    return Tensor(scratch + workspace_bytes + i * bytes, type, {n, n}, DeviceKind::cuda);
  };
  const Tensor a = matrix(0), b = matrix(1), c = matrix(2);
  check(cudaMemsetAsync(a.raw(), three_quarters, static_cast<std::size_t>(2 * bytes), stream));
  const auto product = [&] { multiply(stream, {a, false}, {b, true}, nullptr, c, false, scratch); };
  product();
  const Mark start = make_mark(), stop = make_mark();
  float fastest = 0;
  for (int i = 0; i < repeats; ++i) {
    const Queue::Region region(queue, "tenfold::measure_matmul");
    check(cudaEventRecord(start.get(), stream));
    product();
    check(cudaEventRecord(stop.get(), stream));
    check(cudaEventSynchronize(stop.get()));
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start.get(), stop.get()));
    fastest = i == 0 ? milliseconds : std::min(fastest, milliseconds);
  }
  return static_cast<double>(fastest) / 1000;
}

}  // namespace cuda

const Implementation linear_forward_on_cuda{linear_forward, DeviceKind::cuda, cuda::linear_forward};
const Implementation linear_backward_input_on_cuda{linear_backward_input, DeviceKind::cuda,
                                                   cuda::linear_backward_input};
const Implementation linear_backward_weight_on_cuda{linear_backward_weight, DeviceKind::cuda,
                                                    cuda::linear_backward_weight};
const Implementation measure_matmul_on_cuda{measure_matmul, DeviceKind::cuda, cuda::measure_matmul};

}  // namespace tenfold::kernels
