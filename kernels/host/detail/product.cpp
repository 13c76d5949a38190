#include "kernels/host/detail/product.hpp"

#include <oneapi/dnnl/dnnl_debug.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernels/host/detail/blocks.hpp"

namespace tenfold::kernels::detail {
namespace {

using Memory = dnnl::memory;

struct ForPrimitive;
struct ForOperandA;
struct ForOperandB;

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

BlockedLayout layout_of(const Memory::desc& weights) {
  BlockedLayout layout;
#if DNNL_VERSION_MAJOR >= 3
  TENFOLD_VERIFY(weights.get_format_kind() == Memory::format_kind::blocked, "oneDNN wants an opaque layout");
  const auto padded = weights.get_padded_dims(), strides = weights.get_strides();
  const auto sizes = weights.get_inner_blks(), dimensions = weights.get_inner_idxs();
  layout.inner_count = weights.get_inner_nblks();
#else
  TENFOLD_VERIFY(weights.data.format_kind == dnnl_blocked, "oneDNN wants an opaque layout");
  const auto* padded = weights.data.padded_dims;
  const auto& [strides, inner_count, sizes, dimensions] = weights.data.format_desc.blocking;
  layout.inner_count = inner_count;
#endif
  TENFOLD_VERIFY(layout.inner_count <= static_cast<int>(layout.inner.size()), "oneDNN wants ", layout.inner_count,
                 " inner blocks");
  for (int dimension = 0; dimension < 2; ++dimension) {
    layout.padded[dimension] = padded[dimension];
    layout.outer_stride[dimension] = strides[dimension];
  }
  for (int i = 0; i < layout.inner_count; ++i) layout.inner[i] = {sizes[i], static_cast<int>(dimensions[i])};
  layout.bytes = static_cast<std::int64_t>(weights.get_size());
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

}  // namespace

/// The memory objects live as long as the primitive; a call only changes where they point. The C interface takes its
/// arguments as an array, where the C++ one would build a map and a vector a call.
struct Product::Primitive {
  explicit Primitive(const ProductShape& shape)
      : description(describe(shape)),
        layout(layout_of(description.weights_desc())),
        scratchpad_bytes(static_cast<std::int64_t>(description.scratchpad_desc().get_size())),
        inner_product(description) {
    const std::string_view implementation = description.impl_info_str();
    TENFOLD_VERIFY(implementation.find("ref") == std::string_view::npos, "oneDNN has only its reference code (",
                   implementation, ") for ", name_of(shape.operands), " products on this processor",
                   shape.operands == DType::bf16 ? ": use precision.compute = f32" : "");
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
  BlockedLayout layout;
  std::int64_t scratchpad_bytes;
  dnnl::inner_product_forward inner_product;
  std::vector<Memory> memories;
  std::vector<dnnl_exec_arg_t> arguments;
};

Product::Product(const ProductShape& shape) : primitive_(std::make_unique<Primitive>(shape)) {}
Product::~Product() = default;

Product& Product::of(const ProductShape& shape) {
  static thread_local std::unordered_map<ProductShape, Product, ShapeHash> products;
  return products.try_emplace(shape, shape).first->second;
}

std::int64_t Product::packed_bytes(std::int64_t n, std::int64_t k) {
  constexpr std::int64_t block = 64;
  const auto whole = [](std::int64_t extent) { return (extent + block - 1) / block * block; };
  return whole(n) * whole(k) * static_cast<std::int64_t>(sizeof(float));
}

const BlockedLayout& Product::layout() const {
  return primitive_->layout;
}

void Product::execute(const void* a, const void* packed_b, const float* bias, void* c) {
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

namespace {

void pack_in_parallel(const Matrix& b, const BlockedLayout& layout, std::byte* out) {
  static Label label = "tenfold::matmul::pack";
  for_blocks(label, pack_steps(b, layout), 1,
             [&](std::int64_t begin, std::int64_t end) { pack(b, layout, begin, end, out); });
}

void copy_in_parallel(const Matrix& a, std::byte* out, float* row_sums) {
  static Label label = "tenfold::matmul::copy";
  for_blocks(label, a.rows, 256,
             [&](std::int64_t begin, std::int64_t end) { copy_dense(a, begin, end, out, row_sums); });
}

/// A product whose A must be copied: by pieces of k and blocks of rows, so that the copies stay in the cache of a core.
void product_of_copies(const Matrix& a, const Matrix& b, float* c, bool accumulate, float* a_row_sums) {
  constexpr std::int64_t k_piece = 256, row_block = 1024;
  std::byte* dense = scratch<std::byte, ForOperandA>(std::min(row_block, a.rows) * std::min(k_piece, a.columns) *
                                                     static_cast<std::int64_t>(size_of(a.type)));
  for (std::int64_t begin = 0; begin < a.columns; begin += k_piece) {
    const std::int64_t count = std::min(k_piece, a.columns - begin);
    std::byte* packed = nullptr;
    BlockedLayout layout;
    for (std::int64_t row = 0; row < a.rows; row += row_block) {
      const std::int64_t rows = std::min(row_block, a.rows - row);
      Product& part = Product::of({rows, b.rows, count, a.type, DType::f32, false, accumulate || begin > 0});
      if (packed == nullptr || part.layout() != layout) {  // which may depend on the number of rows
        layout = part.layout();
        packed = scratch<std::byte, ForOperandB>(layout.bytes);
        pack_in_parallel(b.column_range(begin, count), layout, packed);
      }
      copy_in_parallel(a.row_range(row, rows).column_range(begin, count), dense,
                       a_row_sums == nullptr ? nullptr : a_row_sums + row);
      part.execute(dense, packed, nullptr, c + row * b.rows);
    }
  }
}

}  // namespace

void product(const Matrix& a, const Matrix& b, const float* bias, void* c, DType c_type, bool accumulate,
             float* a_row_sums) {
  if (!a.dense() || a_row_sums != nullptr) {
    TENFOLD_VERIFY(c_type == DType::f32 && bias == nullptr, "a product by pieces is in f32 and without bias");
    return product_of_copies(a, b, static_cast<float*>(c), accumulate, a_row_sums);
  }
  Product& whole = Product::of({a.rows, b.rows, a.columns, a.type, c_type, bias != nullptr, accumulate});
  std::byte* packed = scratch<std::byte, ForOperandB>(whole.layout().bytes);
  pack_in_parallel(b, whole.layout(), packed);
  whole.execute(a.data, packed, bias, c);
}

}  // namespace tenfold::kernels::detail
