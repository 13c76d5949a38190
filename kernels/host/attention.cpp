#include "kernels/attention.hpp"

#include <algorithm>
#include <optional>

#include "kernels/detail/attention.hpp"
#include "kernels/host/detail/attention_softmax.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/dropout_mask.hpp"
#include "kernels/host/detail/packed_view.hpp"
#include "kernels/host/detail/product.hpp"

namespace tenfold::kernels {
namespace {

using detail::Matrix, detail::Product;

constexpr std::int64_t alignment = 64;

/// Products are made for lengths that are multiples of this; a sequence is filled up with zeros to the next.
constexpr std::int64_t granule = 16;

std::int64_t padded(std::int64_t length) {
  return (length + granule - 1) / granule * granule;
}

/// Both kinds of product that attention is made of, for one padded length L. Scores and their like: [L, dh] by [L, dh]
/// over dh, in f32. Mixtures: [L, L] by [dh, L] over L, in the storage type.
struct Products {
  Product& scores;
  Product& mixture;
  Products(std::int64_t length, std::int64_t head_width, DType type)
      : scores(Product::of({length, length, head_width, type, DType::f32})),
        mixture(Product::of({length, head_width, length, type, type})) {}
};

/// Makes the calling thread's products of all lengths, so that none is made in a later step.
void make_products(const AttentionShape& shape, DType type) {
  static thread_local AttentionShape made_for{};
  static thread_local DType made_of{};
  if (made_for.length == shape.length && made_for.head_width == shape.head_width && made_of == type) return;
  for (std::int64_t length = granule; length <= padded(shape.length); length += granule)
    const Products products(length, shape.head_width, type);
  made_for = shape;
  made_of = type;
}

/// What one head of one sequence is worked out in.
struct Slice {
  std::byte *operand, *packed, *filled, *scores, *dropped, *gradient, *result, *softmax;
  std::int64_t bytes = 0;

  Slice(const AttentionShape& shape, DType type, std::byte* base) {
    const std::int64_t length = padded(shape.length), element = static_cast<std::int64_t>(size_of(type));
    const auto take = [&](std::int64_t wanted) {
      std::byte* start = base + bytes;
      bytes += (wanted + alignment - 1) / alignment * alignment;
      return start;
    };
    operand = take(length * std::max(length, shape.head_width) * element);
    packed = take(std::max(detail::packed_bytes(length, shape.head_width, type),
                           detail::packed_bytes(shape.head_width, length, type)));
    filled = take(length * shape.head_width * element);
    scores = take(length * length * 4);
    dropped = take(length * length * element);
    gradient = take(length * length * element);
    result = take(length * shape.head_width * element);
    softmax = take(detail::softmax_scratch(length) * 4);
  }
};

struct Call {
  AttentionShape shape;
  detail::PackedView rows;
  Tensor qkv, bias, context, saved, workspace;  // context and bias: their gradients in backward
  Dropout dropout;
  float scale;
  std::optional<detail::DropoutMask> mask = dropout.rate > 0 ? std::optional<detail::DropoutMask>(dropout)
                                                             : std::nullopt;
};

/// A call's operands as one head of one sequence sees them.
template <class T>
struct Head {
  const Call& call;
  std::int64_t sequence, head;
  std::int64_t kept_before;  ///< elements that the sequences before keep
  std::int64_t length = call.rows.length(sequence);
  std::int64_t stride = padded(length);

  std::int64_t head_width() const { return call.shape.head_width; }
  Products products() const { return {stride, head_width(), dtype_of<T>()}; }
  /// The head's columns of part `part` of `parts` of a [N, parts * d] matrix.
  Matrix view(const Tensor& tensor, std::int64_t part, std::int64_t parts) const {
    const std::int64_t width = call.shape.heads * head_width(), row = parts * width;
    const T* start = tensor.data<T>() + call.rows.offsets[sequence] * row + part * width + head * head_width();
    return {start, dtype_of<T>(), length, head_width(), row, 1};
  }
  /// [length, stride]: probabilities before dropout, the sign bit set where it drops.
  T* kept() const {
    return reinterpret_cast<T*>(call.saved.data<std::uint8_t>()) + kept_before + head * length * stride;
  }
  float* bias() const {
    const std::int64_t square = call.shape.length * call.shape.length;
    return call.bias ? call.bias.data<float>() + head * square : nullptr;
  }
  detail::SoftmaxShape softmax() const { return {length, stride, call.shape.length, call.scale}; }
};

/// The rows of `source`, and rows of zeros up to `rows`, one after another.
const std::byte* dense(const Matrix& source, std::int64_t rows, std::byte* out) {
  detail::copy_dense(source, 0, source.rows, out);
  const std::int64_t row = source.columns * static_cast<std::int64_t>(size_of(source.type));
  std::fill(out + source.rows * row, out + rows * row, std::byte{0});
  return out;
}

/// result = a b^T with b packed first.
void multiply(Product& product, const void* a, const Matrix& b, const Slice& slice, void* result) {
  product.pack(b, slice.packed);
  product.execute(a, slice.packed, nullptr, result);
}

/// result = a b with b [L, dh], whose rows beyond those it has are zero.
void multiply_rows(Product& product, const void* a, const Matrix& b, std::int64_t rows, const Slice& slice,
                   void* result) {
  Matrix whole = b;
  if (b.rows < rows) whole = {dense(b, rows, slice.filled), b.type, rows, b.columns, b.columns, 1};
  multiply(product, a, whole.transposed(), slice, result);
}

template <class T>
void write_rows(const std::byte* result, const Matrix& destination) {
  const T* from = reinterpret_cast<const T*>(result);
  T* to = static_cast<T*>(const_cast<void*>(destination.data));
  for (std::int64_t i = 0; i < destination.rows; ++i)
    std::copy_n(from + i * destination.columns, destination.columns, to + i * destination.row_stride);
}

float* floats(std::byte* bytes) {
  return reinterpret_cast<float*>(bytes);
}

template <class T>
void forward_head(const Head<T>& head, const Slice& slice) {
  const Call& call = head.call;
  const Products products = head.products();
  multiply(products.scores, dense(head.view(call.qkv, 0, 3), head.stride, slice.operand), head.view(call.qkv, 1, 3),
           slice, slice.scores);
  const std::int64_t square = call.shape.length * call.shape.length;
  detail::attention_softmax<T>(
      head.softmax(), {call.mask ? &*call.mask : nullptr, call.rows.samples[head.sequence], head.head * square},
      head.bias(), floats(slice.scores), floats(slice.softmax), head.kept(), reinterpret_cast<T*>(slice.dropped));
  multiply_rows(products.mixture, slice.dropped, head.view(call.qkv, 2, 3), head.stride, slice, slice.result);
  write_rows<T>(slice.result, head.view(call.context, 0, 1));
}

template <class T>
void backward_head(const Head<T>& head, const Slice& slice, const Tensor& dqkv) {
  const Call& call = head.call;
  const Products products = head.products();
  const Matrix query = head.view(call.qkv, 0, 3), key = head.view(call.qkv, 1, 3), value = head.view(call.qkv, 2, 3);
  const Matrix dcontext = head.view(call.context, 0, 1);
  multiply(products.scores, dense(dcontext, head.stride, slice.operand), value, slice, slice.scores);
  detail::attention_softmax_backward<T>(head.softmax(), call.mask ? call.mask->scale : 1.0F, floats(slice.scores),
                                        head.kept(), floats(slice.softmax), reinterpret_cast<T*>(slice.dropped),
                                        reinterpret_cast<T*>(slice.gradient), head.bias());
  const std::int64_t stride = head.stride;
  const auto transposed = [&](const std::byte* data) {
    return dense(Matrix{data, dtype_of<T>(), stride, stride, 1, stride}, stride, slice.operand);
  };
  multiply_rows(products.mixture, slice.gradient, key, stride, slice, slice.result);
  write_rows<T>(slice.result, head.view(dqkv, 0, 3));
  multiply_rows(products.mixture, transposed(slice.gradient), query, stride, slice, slice.result);
  write_rows<T>(slice.result, head.view(dqkv, 1, 3));
  multiply_rows(products.mixture, transposed(slice.dropped), dcontext, stride, slice, slice.result);
  write_rows<T>(slice.result, head.view(dqkv, 2, 3));
}

void check(const Call& call, const char* name) {
  detail::expect_attention(DeviceKind::host, call.shape, call.qkv, call.bias, call.context, call.saved, call.workspace,
                           name);
  const std::int64_t length = call.shape.length;
  for (std::int64_t b = 0; b < call.rows.sequences; ++b)
    TENFOLD_VERIFY(call.rows.length(b) <= length, name, ": sequence ", b, " has length ", call.rows.length(b), " of ",
                   length);
}

/// Asks for the rows of a sequence: in the order of memory, in which the processor fetches ahead; the heads then read
/// and write columns of them, with strides that it does not foresee.
void fetch(const Tensor& rows, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t line = 64;
  const std::int64_t row = rows[1] * static_cast<std::int64_t>(size_of(rows.dtype()));
  const char* start = reinterpret_cast<const char*>(rows.raw()) + first * row;
  for (std::int64_t at = 0; at < count * row; at += line) __builtin_prefetch(start + at, 1, 2);
}

template <class T>
void clear_rows(const Tensor& rows, std::int64_t first) {
  std::fill(rows.data<T>() + first * rows[1], rows.data<T>() + rows[0] * rows[1], T{});
}

/// body(head, slice) for every head of every sequence; `rows` are the operands of shape [N, ...]. Workers share the
/// sequences, or with `in_order` the heads: sums over sequences then are made in one order.
template <class T, class Body>
void for_heads(detail::Label& label, const Call& call, bool in_order, std::initializer_list<Tensor> rows,
               const Body& body) {
  std::byte* workspace = reinterpret_cast<std::byte*>(call.workspace.data<std::uint8_t>());
  const std::int64_t heads = call.shape.heads, sequences = call.rows.sequences, shares = detail::threads();
  detail::for_blocks(label, shares, 1, [&](std::int64_t share, std::int64_t) {
    make_products(call.shape, dtype_of<T>());
    const Slice unplaced(call.shape, dtype_of<T>(), nullptr);
    const Slice slice(call.shape, dtype_of<T>(), workspace + share * unplaced.bytes);
    const auto part = [&](std::int64_t count, bool shared) {
      return shared ? std::pair(count * share / shares, count * (share + 1) / shares)
                    : std::pair<std::int64_t, std::int64_t>(0, count);
    };
    const auto [first_head, last_head] = part(heads, in_order);
    const auto [first, last] = part(sequences, !in_order);
    std::int64_t kept = 0;
    for (std::int64_t b = 0; b < last; ++b) {
      const std::int64_t length = call.rows.length(b);
      if (b >= first && length > 0) {
        if (last_head - first_head == heads)  // otherwise other cores want them
          for (const Tensor& operand : rows) fetch(operand, call.rows.offsets[b], length);
        for (std::int64_t head = first_head; head < last_head; ++head) body(Head<T>{call, b, head, kept}, slice);
      }
      kept += heads * length * padded(length);
    }
  });
}

}  // namespace

namespace host {

std::int64_t attention_saved_bytes(DeviceKind /*device*/, const AttentionShape& shape, DType type) {
  return shape.heads * shape.rows * padded(shape.length) * static_cast<std::int64_t>(size_of(type));
}

std::int64_t attention_workspace_bytes(DeviceKind /*device*/, const AttentionShape& shape, DType type) {
  return detail::threads() * Slice(shape, type, nullptr).bytes;
}

void attention_forward(Queue& queue, const AttentionShape& shape, const Tensor& qkv, const Tensor& bias, float scale,
                       const Dropout& dropout, const Tensor& context, const Tensor& saved, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::attention::forward");
  static detail::Label label = "tenfold::attention::forward";
  const Call call{shape,     detail::PackedView(dropout.rows, shape.rows, "attention_forward: rows"),
                  qkv,       bias,
                  context,   saved,
                  workspace, dropout,
                  scale};
  check(call, "attention_forward");
  detail::by_storage_type(qkv, "attention_forward: qkv", [&]<class T>() {
    for_heads<T>(label, call, false, {call.qkv, call.context},
                 [](const Head<T>& head, const Slice& slice) { forward_head<T>(head, slice); });
    clear_rows<T>(context, call.rows.filled());
  });
}

void attention_backward(Queue& queue, const AttentionShape& shape, const Tensor& dcontext, const Tensor& qkv,
                        const Tensor& saved, float scale, const Dropout& dropout, const Tensor& dqkv,
                        const Tensor& dbias, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::attention::backward");
  static detail::Label label = "tenfold::attention::backward";
  const Call call{shape,     detail::PackedView(dropout.rows, shape.rows, "attention_backward: rows"),
                  qkv,       dbias,
                  dcontext,  saved,
                  workspace, dropout,
                  scale};
  check(call, "attention_backward");
  detail::expect(dqkv, qkv.dtype(), qkv.shape(), "attention_backward: dqkv");
  detail::by_storage_type(qkv, "attention_backward: qkv", [&]<class T>() {
    for_heads<T>(label, call, bool(dbias), {call.qkv, call.context, dqkv},
                 [&](const Head<T>& head, const Slice& slice) { backward_head<T>(head, slice, dqkv); });
    clear_rows<T>(dqkv, call.rows.filled());
  });
}

}  // namespace host

const Implementation attention_saved_bytes_on_host{attention_saved_bytes, DeviceKind::host,
                                                   host::attention_saved_bytes};
const Implementation attention_workspace_bytes_on_host{attention_workspace_bytes, DeviceKind::host,
                                                       host::attention_workspace_bytes};
const Implementation attention_forward_on_host{attention_forward, DeviceKind::host, host::attention_forward};
const Implementation attention_backward_on_host{attention_backward, DeviceKind::host, host::attention_backward};

}  // namespace tenfold::kernels
