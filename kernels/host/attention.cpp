#include "kernels/attention.hpp"

#include <algorithm>
#include <optional>

#include "kernels/host/detail/attention_softmax.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/dropout_mask.hpp"
#include "kernels/host/detail/operands.hpp"
#include "kernels/host/detail/product.hpp"

namespace tenfold::kernels {
namespace {

using detail::Matrix, detail::Product;

constexpr std::int64_t alignment = 64;

/// Heads of a sequence are independent, sequences follow one another: so dbias is summed in one order. One slice of
/// workspace serves all heads where there is one thread.
std::int64_t workspace_slices(std::int64_t heads) {
  return detail::threads() == 1 ? 1 : heads;
}

/// Both kinds of product that attention is made of. Scores and their like: [T, dh] by [T, dh] over dh, in f32.
/// Mixtures: [T, T] by [dh, T] over T, in the storage type.
struct Products {
  Product& scores;
  Product& mixture;
  Products(const AttentionShape& shape, DType type)
      : scores(Product::of({shape.length, shape.length, shape.head_width, type, DType::f32})),
        mixture(Product::of({shape.length, shape.head_width, shape.length, type, type})) {}
};

/// What one head of one sequence is worked out in.
struct Slice {
  std::byte *operand, *packed, *scores, *dropped, *gradient, *result, *softmax;
  std::int64_t bytes = 0;

  Slice(const AttentionShape& shape, DType type, std::byte* base) {
    const std::int64_t length = shape.length, element = static_cast<std::int64_t>(size_of(type));
    const auto take = [&](std::int64_t wanted) {
      std::byte* start = base + bytes;
      bytes += (wanted + alignment - 1) / alignment * alignment;
      return start;
    };
    operand = take(length * std::max(length, shape.head_width) * element);
    packed = take(std::max(detail::packed_bytes(length, shape.head_width, type),
                           detail::packed_bytes(shape.head_width, length, type)));
    scores = take(length * length * 4);
    dropped = take(length * length * element);
    gradient = take(length * length * element);
    result = take(length * shape.head_width * element);
    softmax = take(detail::softmax_scratch(length) * 4);
  }
};

/// A call's operands as one head of one sequence sees them.
template <class T>
struct Head {
  AttentionShape shape;
  std::int64_t sample, head;

  std::int64_t width() const { return shape.heads * shape.head_width; }
  /// The head's columns of part `part` of `parts` of a [B*T, parts * d] matrix.
  Matrix view(const Tensor& tensor, std::int64_t part, std::int64_t parts) const {
    const std::int64_t stride = parts * width();
    const T* start = tensor.data<T>() + sample * shape.length * stride + part * width() + head * shape.head_width;
    return {start, dtype_of<T>(), shape.length, shape.head_width, stride, 1};
  }
  T* probabilities(const Tensor& tensor) const {
    return tensor.data<T>() + (sample * shape.heads + head) * shape.length * shape.length;
  }
  float* bias(const Tensor& tensor) const {
    return tensor ? tensor.data<float>() + head * shape.length * shape.length : nullptr;
  }
};

const std::byte* dense(const Matrix& source, std::byte* out) {
  detail::copy_dense(source, 0, source.rows, out);
  return out;
}

/// result = a b^T with b packed first.
void multiply(Product& product, const void* a, const Matrix& b, const Slice& slice, void* result) {
  product.pack(b, slice.packed);
  product.execute(a, slice.packed, nullptr, result);
}

template <class T>
void write_rows(const std::byte* result, const Matrix& destination) {
  const T* from = reinterpret_cast<const T*>(result);
  T* to = static_cast<T*>(const_cast<void*>(destination.data));
  for (std::int64_t i = 0; i < destination.rows; ++i)
    std::copy_n(from + i * destination.columns, destination.columns, to + i * destination.row_stride);
}

struct Call {
  AttentionShape shape;
  Tensor qkv, bias, lengths, context, probabilities, workspace;  // context and bias: their gradients in backward
  Dropout dropout;
  float scale;
  std::optional<detail::DropoutMask> mask = dropout.rate > 0 ? std::optional<detail::DropoutMask>(dropout)
                                                             : std::nullopt;
};

template <class T>
detail::SoftmaxShape softmax_shape(const Call& call, const Head<T>& head) {
  return {head.shape.length, std::max(call.lengths.template data<std::int32_t>()[head.sample], 1), call.scale};
}

float* floats(std::byte* bytes) {
  return reinterpret_cast<float*>(bytes);
}

template <class T>
void forward_head(const Call& call, const Head<T>& head, const Slice& slice) {
  const Products products(head.shape, dtype_of<T>());
  multiply(products.scores, dense(head.view(call.qkv, 0, 3), slice.operand), head.view(call.qkv, 1, 3), slice,
           slice.scores);
  const std::int64_t length = head.shape.length;
  const std::int64_t sample = call.mask ? call.dropout.samples.template data<std::int64_t>()[head.sample] : 0;
  detail::attention_softmax<T>(softmax_shape(call, head),
                               {call.mask ? &*call.mask : nullptr, sample, head.head * length * length},
                               head.bias(call.bias), floats(slice.scores), floats(slice.softmax),
                               head.probabilities(call.probabilities), reinterpret_cast<T*>(slice.dropped));
  multiply(products.mixture, slice.dropped, head.view(call.qkv, 2, 3).transposed(), slice, slice.result);
  write_rows<T>(slice.result, head.view(call.context, 0, 1));
}

template <class T>
void backward_head(const Call& call, const Head<T>& head, const Slice& slice, const Tensor& dqkv) {
  const Products products(head.shape, dtype_of<T>());
  const Matrix query = head.view(call.qkv, 0, 3), key = head.view(call.qkv, 1, 3), value = head.view(call.qkv, 2, 3);
  const Matrix dcontext = head.view(call.context, 0, 1);
  multiply(products.scores, dense(dcontext, slice.operand), value, slice, slice.scores);
  detail::attention_softmax_backward<T>(softmax_shape(call, head), call.mask ? call.mask->scale : 1.0F,
                                        floats(slice.scores), head.probabilities(call.probabilities),
                                        floats(slice.softmax), reinterpret_cast<T*>(slice.dropped),
                                        reinterpret_cast<T*>(slice.gradient), head.bias(call.bias));
  const std::int64_t length = head.shape.length;
  const auto transposed = [&](const std::byte* data) {
    return dense(Matrix{data, dtype_of<T>(), length, length, 1, length}, slice.operand);
  };
  multiply(products.mixture, slice.gradient, key.transposed(), slice, slice.result);
  write_rows<T>(slice.result, head.view(dqkv, 0, 3));
  multiply(products.mixture, transposed(slice.gradient), query.transposed(), slice, slice.result);
  write_rows<T>(slice.result, head.view(dqkv, 1, 3));
  multiply(products.mixture, transposed(slice.dropped), dcontext.transposed(), slice, slice.result);
  write_rows<T>(slice.result, head.view(dqkv, 2, 3));
}

AttentionShape shape_of(const Tensor& qkv, const Tensor& probabilities, const char* name) {
  const Shape& p = probabilities.shape();
  TENFOLD_VERIFY(p.rank() == 4 && p[2] == p[3] && p.elements() > 0, name, ": probabilities are ", p.describe(),
                 ", must be [B, H, T, T]");
  TENFOLD_VERIFY(qkv.shape().rank() == 2 && qkv[0] == p[0] * p[2] && qkv[1] % (3 * p[1]) == 0 && qkv[1] > 0, name,
                 ": qkv is ", qkv.shape().describe(), " for probabilities ", p.describe());
  return {p[0], p[1], p[2], qkv[1] / (3 * p[1])};
}

void check(const Call& call, const char* name) {
  const auto& [batch, heads, length, head_width] = call.shape;
  const DType type = call.qkv.dtype();
  detail::expect(call.context, type, {batch * length, heads * head_width}, name);
  detail::expect(call.probabilities, type, {batch, heads, length, length}, name);
  detail::expect(call.lengths, DType::i32, {batch}, name);
  if (call.bias) detail::expect(call.bias, DType::f32, {heads, length, length}, name);
  if (call.dropout.rate > 0) detail::expect(call.dropout.samples, DType::i64, {batch}, name);
  TENFOLD_VERIFY(
      call.workspace.dtype() == DType::u8 && call.workspace.elements() >= attention_workspace_bytes(call.shape, type),
      name, ": workspace has ", call.workspace.elements(), " bytes, must have ",
      attention_workspace_bytes(call.shape, type));
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int32_t count = call.lengths.data<std::int32_t>()[b];
    TENFOLD_VERIFY(count >= 0 && count <= length, name, ": sequence ", b, " has length ", count, " of ", length);
  }
}

/// Asks for the rows of a sequence: in the order of memory, in which the processor fetches ahead; the heads then read
/// and write columns of them, with strides that it does not foresee.
void fetch(const Tensor& rows, std::int64_t sample, std::int64_t length) {
  constexpr std::int64_t line = 64;
  const std::int64_t bytes = length * rows[1] * static_cast<std::int64_t>(size_of(rows.dtype()));
  const char* start = reinterpret_cast<const char*>(rows.raw()) + sample * bytes;
  for (std::int64_t at = 0; at < bytes; at += line) __builtin_prefetch(start + at, 1, 2);
}

/// body(head, slice) for every head of every sequence; `rows` are the operands of shape [B*T, ...].
template <class T, class Body>
void for_heads(detail::Label& label, const Call& call, std::initializer_list<Tensor> rows, const Body& body) {
  std::byte* workspace = reinterpret_cast<std::byte*>(call.workspace.data<std::uint8_t>());
  const Slice first(call.shape, dtype_of<T>(), workspace);
  const bool shared = workspace_slices(call.shape.heads) == 1;
  for (std::int64_t sample = 0; sample < call.shape.batch; ++sample) {
    if (shared)  // otherwise other cores want them
      for (const Tensor& operand : rows) fetch(operand, sample, call.shape.length);
    detail::for_blocks(label, call.shape.heads, 1, [&](std::int64_t head, std::int64_t) {
      body(Head<T>{call.shape, sample, head},
           shared ? first : Slice(call.shape, dtype_of<T>(), workspace + head * first.bytes));
    });
  }
}

}  // namespace

std::int64_t attention_workspace_bytes(const AttentionShape& shape, DType type) {
  return workspace_slices(shape.heads) * Slice(shape, type, nullptr).bytes;
}

void attention_forward(Queue& queue, const Tensor& qkv, const Tensor& bias, const Tensor& lengths, float scale,
                       const Dropout& dropout, const Tensor& context, const Tensor& probabilities,
                       const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::attention::forward");
  static detail::Label label = "tenfold::attention::forward";
  const Call call{shape_of(qkv, probabilities, "attention_forward"),
                  qkv,
                  bias,
                  lengths,
                  context,
                  probabilities,
                  workspace,
                  dropout,
                  scale};
  check(call, "attention_forward");
  detail::by_storage_type(qkv, "attention_forward: qkv", [&]<class T>() {
    for_heads<T>(label, call, {call.qkv, call.context},
                 [&](const Head<T>& head, const Slice& slice) { forward_head<T>(call, head, slice); });
  });
}

void attention_backward(Queue& queue, const Tensor& dcontext, const Tensor& qkv, const Tensor& probabilities,
                        const Tensor& lengths, float scale, const Dropout& dropout, const Tensor& dqkv,
                        const Tensor& dbias, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::attention::backward");
  static detail::Label label = "tenfold::attention::backward";
  const Call call{shape_of(qkv, probabilities, "attention_backward"),
                  qkv,
                  dbias,
                  lengths,
                  dcontext,
                  probabilities,
                  workspace,
                  dropout,
                  scale};
  check(call, "attention_backward");
  detail::expect(dqkv, qkv.dtype(), qkv.shape(), "attention_backward: dqkv");
  detail::by_storage_type(qkv, "attention_backward: qkv", [&]<class T>() {
    for_heads<T>(label, call, {call.qkv, call.context, dqkv},
                 [&](const Head<T>& head, const Slice& slice) { backward_head<T>(call, head, slice, dqkv); });
  });
}

}  // namespace tenfold::kernels
