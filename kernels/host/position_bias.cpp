#include "kernels/position_bias.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/detail/position_bias.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/product.hpp"

namespace tenfold::kernels {
namespace {

using detail::Matrix;

struct ForDiagonals;
struct ForGradient;

/// A call's extents, and where each of its parts lies.
struct Call : detail::PositionExtents {
  const PositionBias& input;

  Call(const PositionBias& of, const Tensor& bias, const char* name)
      : PositionExtents(detail::expect_position_bias(of, bias, name)), input(of) {}

  /// The first row and column that get the position and the relative term of their own.
  std::int64_t first() const { return input.untie_cls ? 1 : 0; }
  Matrix head(const Tensor& tensor, std::int64_t h) const {
    const std::int64_t width = heads * head_width;
    return {tensor.data<float>() + h * head_width, DType::f32, length, head_width, width, 1};
  }
  /// Bucket of the offset -i of row i's first key; that of key j follows j entries later.
  const std::int32_t* buckets_of_row(std::int64_t i) const {
    return input.buckets.data<std::int32_t>() + length - 1 - i;
  }
};

void add_relative(const Call& call, std::int64_t h, float* bias) {
  const float* table = call.input.relative.data<float>();
  for (std::int64_t i = call.first(); i < call.length; ++i) {
    const std::int32_t* buckets = call.buckets_of_row(i);
    for (std::int64_t j = call.first(); j < call.length; ++j)
      bias[i * call.length + j] += table[buckets[j] * call.heads + h];
  }
}

void untie(const Call& call, std::int64_t h, float* bias) {
  const float others_to_cls = bias[0] + (call.input.cls ? call.input.cls.data<float>()[h] : 0.0F);
  std::fill_n(bias, call.length, 0.0F);
  for (std::int64_t i = 1; i < call.length; ++i) bias[i * call.length] = others_to_cls;
}

/// Turns the gradient of the bias of a head into that of G; returns the gradient of its [CLS] scalar.
float untie_backward(const Call& call, float* dbias) {
  float others_to_cls = 0;
  for (std::int64_t i = 1; i < call.length; ++i) {
    others_to_cls += dbias[i * call.length];
    dbias[i * call.length] = 0;
  }
  std::fill_n(dbias, call.length, 0.0F);
  dbias[0] = others_to_cls;
  return others_to_cls;
}

void add_relative_backward(const Call& call, std::int64_t h, const float* dbias, float* drelative) {
  const std::int64_t length = call.length;
  float* diagonals = detail::scratch<float, ForDiagonals>(2 * length - 1);
  std::fill_n(diagonals, 2 * length - 1, 0.0F);
  for (std::int64_t i = call.first(); i < length; ++i) {
    float* from_row = diagonals + length - 1 - i;
#pragma omp simd
    for (std::int64_t j = call.first(); j < length; ++j) from_row[j] += dbias[i * length + j];
  }
  const std::int32_t* buckets = call.input.buckets.data<std::int32_t>();
  for (std::int64_t offset = 0; offset < 2 * length - 1; ++offset)
    drelative[buckets[offset] * call.heads + h] += diagonals[offset];
}

/// gradient = scale * dG other, for one head.
void position_backward(const Call& call, std::int64_t h, const Matrix& dg, const Tensor& other,
                       const Tensor& gradient) {
  float* dense = detail::scratch<float, ForGradient>(call.length * call.head_width);
  detail::product(dg, call.head(other, h).transposed(), nullptr, dense, DType::f32, false);
  const std::int64_t width = call.heads * call.head_width;
  for (std::int64_t i = 0; i < call.length; ++i)
    for (std::int64_t c = 0; c < call.head_width; ++c)
      gradient.data<float>()[i * width + h * call.head_width + c] = call.scale * dense[i * call.head_width + c];
}

}  // namespace

std::vector<std::int32_t> relative_buckets(int length, int buckets, int max_distance) {
  const int half = buckets / 2, exact = half / 2;
  TENFOLD_VERIFY(length >= 1 && buckets >= 4 && buckets % 2 == 0 && max_distance > exact, "relative buckets: length ",
                 length, ", ", buckets, " buckets, maximal distance ", max_distance);
  std::vector<std::int32_t> result;
  for (int offset = 1 - length; offset < length; ++offset) {
    const int distance = std::abs(offset);
    int bucket = distance;
    if (distance >= exact) {
      const double log_ratio = std::log(static_cast<double>(distance) / exact) /
                               std::log(static_cast<double>(max_distance) / exact) * (half - exact);
      // A distance that is a threshold belongs above it. Others are further from one than this.
      constexpr double rounding = 1e-9;
      bucket = std::min(half - 1, exact + static_cast<int>(log_ratio + rounding));
    }
    result.push_back(offset > 0 ? half + bucket : bucket);
  }
  return result;
}

namespace host {

void position_bias_forward(Queue& queue, const PositionBias& input, const Tensor& bias) {
  const Queue::Region region(queue, "tenfold::position_bias::forward");
  static detail::Label label = "tenfold::position_bias::forward";
  const Call call(input, bias, "position_bias_forward");
  const std::int64_t square = call.length * call.length;
  float* heads = bias.data<float>();
  if (input.query)
    for (std::int64_t h = 0; h < call.heads; ++h)
      detail::product(call.head(input.query, h), call.head(input.key, h), nullptr, heads + h * square, DType::f32,
                      false);
  detail::for_blocks(label, call.heads, 1, [&](std::int64_t h, std::int64_t) {
    float* head = heads + h * square;
    if (input.query)
      for (std::int64_t i = 0; i < square; ++i) head[i] *= call.scale;
    else
      std::fill_n(head, square, 0.0F);
    if (input.untie_cls) untie(call, h, head);
    if (input.relative) add_relative(call, h, head);
  });
}

void position_bias_backward(Queue& queue, const Tensor& dbias, const PositionBias& input,
                            const PositionBias& gradient) {
  const Queue::Region region(queue, "tenfold::position_bias::backward");
  static detail::Label label = "tenfold::position_bias::backward";
  const Call call(input, dbias, "position_bias_backward");
  detail::expect_position_gradient(gradient, input);
  const std::int64_t square = call.length * call.length;
  float* heads = dbias.data<float>();
  detail::for_blocks(label, call.heads, 1, [&](std::int64_t h, std::int64_t) {
    float* head = heads + h * square;
    if (gradient.relative) add_relative_backward(call, h, head, gradient.relative.data<float>());
    if (!input.untie_cls) return;
    const float dcls = untie_backward(call, head);
    if (gradient.cls) gradient.cls.data<float>()[h] += dcls;
  });
  for (std::int64_t h = 0; input.query && h < call.heads; ++h) {
    const Matrix dg{heads + h * square, DType::f32, call.length, call.length, call.length, 1};
    if (gradient.query) position_backward(call, h, dg, input.key, gradient.query);
    if (gradient.key) position_backward(call, h, dg.transposed(), input.query, gradient.key);
  }
}

}  // namespace host

const Implementation position_bias_forward_on_host{position_bias_forward, DeviceKind::host,
                                                   host::position_bias_forward};
const Implementation position_bias_backward_on_host{position_bias_backward, DeviceKind::host,
                                                    host::position_bias_backward};

}  // namespace tenfold::kernels
