#include "kernels/host/detail/product.hpp"

#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <unordered_map>
#include <vector>

#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/instruction_set.hpp"

namespace tenfold::kernels::detail {
namespace {

using Memory = dnnl::memory;

struct ForPrimitive;  // these name scratch
struct ForWideA;
struct ForWideB;
struct ForWideC;
struct ForWholeB;

/// While it lives oneDNN uses one thread: those of a product work on blocks of ours.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  static thread_local dnnl::stream immediate(engine());
  return immediate;
}

Memory::data_type dnnl_type(DType type) {
  TENFOLD_VERIFY(type == DType::f32 || type == DType::bf16, "products are of f32 or bf16, not ", name_of(type));
  return type == DType::f32 ? Memory::data_type::f32 : Memory::data_type::bf16;
}

dnnl::inner_product_forward::primitive_desc describe(const ProductShape& shape) {
  const auto [m, n, k] = std::tuple{shape.m, shape.n, shape.k};
  const Memory::desc a({m, k}, dnnl_type(shape.operands), Memory::dims{k, 1});
  const Memory::desc b({n, k}, dnnl_type(shape.operands), Memory::format_tag::any);
  const Memory::desc bias =
      shape.bias ? Memory::desc({n}, Memory::data_type::f32, Memory::format_tag::a) : Memory::desc();
  const Memory::desc c({m, n}, dnnl_type(shape.result), Memory::dims{n, 1});
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (shape.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0F);
    attributes.set_post_ops(sum);
  }
  constexpr auto inference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), inference, a, b, bias, c, attributes};
#else
  return {dnnl::inner_product_forward::desc(inference, a, b, bias, c), attributes, engine()};
#endif
}

/// How the library wants B; nothing if it keeps that to itself.
std::optional<BlockedLayout> layout_of(const Memory::desc& weights) {
  BlockedLayout layout;
#if DNNL_VERSION_MAJOR >= 3
  if (weights.get_format_kind() != Memory::format_kind::blocked) return std::nullopt;
  const auto padded = weights.get_padded_dims(), strides = weights.get_strides();
  const auto sizes = weights.get_inner_blks(), dimensions = weights.get_inner_idxs();
  layout.inner_count = weights.get_inner_nblks();
#else
  if (weights.data.format_kind != dnnl_blocked) return std::nullopt;
  const auto* padded = weights.data.padded_dims;
  const auto& [strides, inner_count, sizes, dimensions] = weights.data.format_desc.blocking;
  layout.inner_count = inner_count;
#endif
  if (layout.inner_count > static_cast<int>(layout.inner.size())) return std::nullopt;
  for (int dimension = 0; dimension < 2; ++dimension) {
    layout.padded[dimension] = padded[dimension];
    layout.outer_stride[dimension] = strides[dimension];
  }
  for (int i = 0; i < layout.inner_count; ++i) layout.inner[i] = {sizes[i], static_cast<int>(dimensions[i])};
  return layout;
}

struct ShapeHash {
  std::size_t operator()(const ProductShape& shape) const {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (std::int64_t part :
         {shape.m, shape.n, shape.k, std::int64_t{shape.operands == DType::bf16},
          std::int64_t{shape.result == DType::bf16}, std::int64_t{shape.bias}, std::int64_t{shape.accumulate}})
      hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x100000001b3ULL;
    return hash ^ (hash >> 29U);
  }
};

void check(dnnl_status_t status, const char* what) {
  TENFOLD_VERIFY(status == dnnl_success, what, ": ", dnnl_status2str(status));
}

bool is_widened(DType operands) {
  return operands == DType::bf16 && !multiplies_bf16();
}

/// body(begin, end) for ranges of [0, count), by all threads or by this one.
template <class Body>
void for_ranges(bool in_parallel, Label& label, std::int64_t count, std::int64_t step, const Body& body) {
  if (in_parallel) return for_blocks(label, count, step, body);
  body(0, count);
}

/// B with rows of zeros, in scratch memory.
Matrix with_rows(const Matrix& b, std::int64_t rows) {
  const std::int64_t row_bytes = b.columns * static_cast<std::int64_t>(size_of(b.type));
  std::byte* whole = scratch<std::byte, ForWholeB>(rows * row_bytes);
  copy_dense(b, 0, b.rows, whole);
  std::fill(whole + b.rows * row_bytes, whole + rows * row_bytes, std::byte{0});
  return {whole, b.type, rows, b.columns, b.columns, 1};
}

}  // namespace

/// The memory objects live as long as the primitive; a call only changes where they point. The C interface takes its
/// arguments as an array, where the C++ one would build a map and a vector a call.
struct Product::Primitive {
  explicit Primitive(const ProductShape& shape)
      : description(describe(shape)),
        layout(layout_of(description.weights_desc())),
        scratchpad_bytes(static_cast<std::int64_t>(description.scratchpad_desc().get_size())),
        inner_product(description) {
    const auto wanted = static_cast<std::int64_t>(description.weights_desc().get_size());
    TENFOLD_VERIFY(wanted <= packed_bytes(shape.n, shape.k, shape.operands), "oneDNN packs ", shape.n, " x ", shape.k,
                   " ", name_of(shape.operands), " in ", wanted, " bytes");
    add(DNNL_ARG_SRC, description.src_desc());
    add(DNNL_ARG_WEIGHTS, description.weights_desc());
    add(DNNL_ARG_DST, description.dst_desc());
    add(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc());
    if (shape.bias) add(DNNL_ARG_BIAS, description.bias_desc());
    for (std::size_t i = 0; i < memories.size(); ++i) arguments[i].memory = memories[i].get();
  }
  void add(int argument, const Memory::desc& desc) {
    arguments.push_back({argument, nullptr});
    memories.emplace_back(desc, engine(), nullptr);
  }
  void point(std::size_t operand, const void* data) {
    check(dnnl_memory_set_data_handle(memories[operand].get(), const_cast<void*>(data)), "operand of a product");
  }

  dnnl::inner_product_forward::primitive_desc description;
  std::optional<BlockedLayout> layout;  ///< of a packed B; none: only the library knows it
  std::int64_t scratchpad_bytes;
  dnnl::inner_product_forward inner_product;
  std::vector<Memory> memories;
  std::vector<dnnl_exec_arg_t> arguments;
};

std::int64_t packed_bytes(std::int64_t n, std::int64_t k, DType operands) {
  constexpr std::int64_t greatest_block = 64;  // in which oneDNN lays out n and k
  const auto element = static_cast<std::int64_t>(size_of(is_widened(operands) ? DType::f32 : operands));
  return (n + greatest_block - 1) * (k + greatest_block - 1) * element;
}

Product::Product(const ProductShape& shape) : shape_(shape), widened_(is_widened(shape.operands)) {
  dnnl_type(shape.operands);  // or there is no such product
  if (!packs_operands()) return;
  const OneThread one_thread;
  ProductShape worked_out = shape;
  if (widened_) worked_out.operands = worked_out.result = DType::f32;
  primitive_ = std::make_unique<Primitive>(worked_out);
}

Product::~Product() = default;

Product& Product::of(const ProductShape& shape) {
  static thread_local std::unordered_map<ProductShape, Product, ShapeHash> products;
  return products.try_emplace(shape, shape).first->second;
}

void Product::pack(const Matrix& b, void* packed) const {
  pack(b, packed, false);
}

void Product::pack_in_parallel(const Matrix& b, void* packed) const {
  pack(b, packed, true);
}

void Product::pack(const Matrix& given, void* packed, bool in_parallel) const {
  static Label label = "tenfold::matmul::pack";
  Matrix b = given.rows == shape_.n ? given : with_rows(given, shape_.n);
  if (widened_) b = widen(b, scratch<float, ForWideB>(b.rows * b.columns));
  if (!primitive_) {
    constexpr std::int64_t rows = 64;  // of B transposed
    for_ranges(in_parallel, label, b.columns, rows,
               [=](std::int64_t begin, std::int64_t end) { copy_dense(b.transposed(), begin, end, packed); });
  } else if (const auto& layout = primitive_->layout) {
    for_ranges(in_parallel, label, pack_steps(b, *layout), 1,
               [b, &layout = *layout, packed](auto begin, auto end) { detail::pack(b, layout, begin, end, packed); });
  } else {
    pack_by_library(b, packed);
  }
}

void Product::pack_by_library(const Matrix& b, void* packed) const {
  TENFOLD_VERIFY(primitive_ != nullptr && b.rows == shape_.n, "nothing to pack by the library");
  const OneThread one_thread;
  const Memory::desc lies({b.rows, b.columns}, dnnl_type(b.type), Memory::dims{b.row_stride, b.column_stride});
  Memory from(lies, engine(), const_cast<void*>(b.data)), to(primitive_->description.weights_desc(), engine(), packed);
  dnnl::reorder(from, to).execute(stream(), from, to);
}

bool Product::takes(const Matrix& b) const {
  return !primitive_ && !widened_ && b.transposed().dense();
}

void Product::execute(const void* a, const void* packed_b, const float* bias, void* c) {
  const OneThread one_thread;
  if (!widened_) return multiply(a, packed_b, bias, c);
  const std::int64_t of_a = shape_.m * shape_.k, of_c = shape_.m * shape_.n;
  float* wide_a = scratch<float, ForWideA>(of_a);
  load(static_cast<const BFloat16*>(a), of_a, wide_a);
  if (shape_.result == DType::f32) return multiply(wide_a, packed_b, bias, c);
  float* wide_c = scratch<float, ForWideC>(of_c);
  if (shape_.accumulate) load(static_cast<const BFloat16*>(c), of_c, wide_c);
  multiply(wide_a, packed_b, bias, wide_c);
  store(wide_c, of_c, static_cast<BFloat16*>(c));
}

void Product::multiply(const void* a, const void* packed_b, const float* bias, void* c) {
  const auto [m, n, k] = std::tuple{shape_.m, shape_.n, shape_.k};
  if (!primitive_) {
    float* rows = static_cast<float*>(c);
    for (std::int64_t i = 0; bias != nullptr && i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) rows[i * n + j] = bias[j] + (shape_.accumulate ? rows[i * n + j] : 0.0F);
    const Matrix left{a, DType::f32, m, k, k, 1}, right{packed_b, DType::f32, n, k, 1, n};
    return sgemm(left, right, shape_.accumulate || bias != nullptr, rows, n);
  }
  Primitive& primitive = *primitive_;
  primitive.point(0, a);
  primitive.point(1, packed_b);
  primitive.point(2, c);
  primitive.point(3, scratch<std::byte, ForPrimitive>(primitive.scratchpad_bytes));
  if (bias != nullptr) primitive.point(4, bias);
  check(dnnl_primitive_execute(primitive.inner_product.get(), stream().get(),
                               static_cast<int>(primitive.arguments.size()), primitive.arguments.data()),
        "a product");
}

void sgemm(const Matrix& a, const Matrix& b, bool accumulate, float* c, std::int64_t c_stride) {
  const OneThread one_thread;
  const bool a_by_rows = a.column_stride == 1, b_by_rows = b.column_stride == 1;
  TENFOLD_VERIFY((a_by_rows || a.row_stride == 1) && (b_by_rows || b.row_stride == 1), "sgemm: strides ", a.row_stride,
                 ", ", a.column_stride, " and ", b.row_stride, ", ", b.column_stride);
  // A matrix of one line may have any stride from line to line.
  const std::int64_t a_stride = a_by_rows ? std::max(a.row_stride, a.columns) : std::max(a.column_stride, a.rows);
  const std::int64_t b_stride = b_by_rows ? std::max(b.row_stride, b.columns) : std::max(b.column_stride, b.rows);
  check(dnnl_sgemm(a_by_rows ? 'N' : 'T', b_by_rows ? 'T' : 'N', a.rows, b.rows, a.columns, 1.0F,
                   static_cast<const float*>(a.data), a_stride, static_cast<const float*>(b.data), b_stride,
                   accumulate ? 1.0F : 0.0F, c, c_stride),
        "sgemm");
}

std::function<void()> row_major_product(DType type, std::int64_t n, void* a, void* b, void* c) {
  const Memory::desc square({n, n}, dnnl_type(type), Memory::dims{n, 1});
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(engine(), square, square, square);
#else
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(square, square, square), engine());
#endif
  return [matmul = dnnl::matmul(description), A = Memory(square, engine(), a), B = Memory(square, engine(), b),
          C = Memory(square, engine(), c)] {
    matmul.execute(stream(), {{DNNL_ARG_SRC, A}, {DNNL_ARG_WEIGHTS, B}, {DNNL_ARG_DST, C}});
    stream().wait();
  };
}

}  // namespace tenfold::kernels::detail
