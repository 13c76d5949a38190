#include "kernels/host/detail/attention_softmax.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/dropout_mask.hpp"
#include "kernels/host/detail/vector_math.hpp"

namespace tenfold::kernels::detail {
namespace {

/// Rows that go through each step together: maximum and sum of a row are chains that the processor must wait for, those
/// of several rows overlap. As many draw their dropout at once.
constexpr std::int64_t together = 8;

constexpr std::int64_t lanes = 16;
using Lanes = float __attribute__((vector_size(4 * lanes)));

/// The lanes folded into one by `combine`, in a tree.
template <class Combine>
float fold(Lanes values, const Combine& combine) {
  values =
      combine(values, __builtin_shufflevector(values, values, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  values =
      combine(values, __builtin_shufflevector(values, values, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  values =
      combine(values, __builtin_shufflevector(values, values, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  values =
      combine(values, __builtin_shufflevector(values, values, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
  return values[0];
}

/// `count` values folded in a fixed order, starting from `neutral`. Written with vectors because a loop with one
/// running result would not vectorise without leave to reorder it.
template <class Combine>
float fold(const float* values, std::int64_t count, float neutral, const Combine& combine) {
  Lanes result = Lanes{} + neutral, next;
  std::int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    std::memcpy(&next, values + j, sizeof next);
    result = combine(result, next);
  }
  if (j < count) {
    next = Lanes{} + neutral;
    std::memcpy(&next, values + j, static_cast<std::size_t>(count - j) * sizeof(float));
    result = combine(result, next);
  }
  return fold(result, combine);
}

float sum_of(const float* values, std::int64_t count) {
  return fold(values, count, 0.0F, [](Lanes a, Lanes b) { return a + b; });
}

/// NaN is left out; it comes back in through the exponentials.
float greatest_of(const float* values, std::int64_t count) {
  return fold(values, count, -std::numeric_limits<float>::max(), [](Lanes a, Lanes b) { return a < b ? b : a; });
}

/// row = scale * row + bias.
void shift(float* row, const float* bias, float scale, std::int64_t count) {
  if (bias == nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < count; ++j) row[j] *= scale;
  } else {
#pragma omp simd
    for (std::int64_t j = 0; j < count; ++j) row[j] = scale * row[j] + bias[j];
  }
}

void exponentials(float* row, float greatest, std::int64_t count) {
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) row[j] = exponential(row[j] - greatest);
}

float with_sign(float value, bool negative) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | (negative ? 0x80000000U : 0U));
}

bool sign_of(float value) {
  return (std::bit_cast<std::uint32_t>(value) & 0x80000000U) != 0;
}
float without_sign(float value) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0x7fffffffU);
}

/// A row of exponentials over their sum, with dropout by `draw` (or none where that is null).
template <class T>
void finish(float* row, float reciprocal, const DropoutMask* mask, const std::uint16_t* draw, std::int64_t length,
            float* buffer, T* kept_row, T* dropped_row) {
  if (draw == nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < length; ++j) kept_row[j] = dropped_row[j] = from_float<T>(row[j] * reciprocal);
    return;
  }
  const std::uint16_t threshold = mask->threshold;
  const float scale = mask->scale;
  float* kept = target(kept_row, row);
  float* dropped = target(dropped_row, buffer);
#pragma omp simd
  for (std::int64_t j = 0; j < length; ++j) {
    const bool keep = draw[j] >= threshold;
    const float probability = row[j] * reciprocal;
    dropped[j] = keep ? probability * scale : 0.0F;
    kept[j] = with_sign(probability, !keep);
  }
  store(kept, length, kept_row);
  store(dropped, length, dropped_row);
}

}  // namespace

std::int64_t softmax_scratch(std::int64_t longest) {
  return together * longest * 3 + DropoutMask::buffer_size(together * longest + lanes);
}

template <class T>
void attention_softmax(const SoftmaxShape& shape, const SoftmaxDropout& dropout, const float* bias, float* scores,
                       float* scratch, T* kept, T* dropped) {
  const std::int64_t length = shape.length, stride = shape.stride, longest = shape.longest;
  const float scale = shape.scale;
  auto* draw_buffer = reinterpret_cast<std::uint16_t*>(scratch + stride);
  for (std::int64_t first = 0; first < length; first += together) {
    const std::int64_t rows = std::min(together, length - first);
    float* group = scores + first * stride;
    const std::uint16_t* draws = nullptr;
    if (dropout.mask != nullptr)
      draws = dropout.mask->draw(dropout.sample, dropout.first + first * longest, rows * longest, draw_buffer);
    float greatest[together], total[together];
    for (std::int64_t r = 0; r < rows; ++r)
      shift(group + r * stride, bias == nullptr ? nullptr : bias + (first + r) * longest, scale, length);
    for (std::int64_t r = 0; r < rows; ++r) greatest[r] = greatest_of(group + r * stride, length);
    for (std::int64_t r = 0; r < rows; ++r) exponentials(group + r * stride, greatest[r], length);
    for (std::int64_t r = 0; r < rows; ++r) total[r] = sum_of(group + r * stride, length);
    for (std::int64_t r = 0; r < rows; ++r) {
      float* row = group + r * stride;
      std::fill(row + length, row + stride, 0.0F);
      finish(row, 1.0F / total[r], dropout.mask, draws == nullptr ? nullptr : draws + r * longest, stride, scratch,
             kept + (first + r) * stride, dropped + (first + r) * stride);
    }
  }
  std::fill(dropped + length * stride, dropped + stride * stride, T{});
}

template <class T>
void attention_softmax_backward(const SoftmaxShape& shape, float keep_scale, const float* ddropped, const T* kept,
                                float* scratch, T* dropped, T* gradient, float* dbias) {
  const std::int64_t length = shape.length, stride = shape.stride, longest = shape.longest;
  const float scale = shape.scale;
  float *probabilities = scratch, *products = probabilities + together * stride, *buffer = products + together * stride;
  for (std::int64_t first = 0; first < length; first += together) {
    const std::int64_t rows = std::min(together, length - first);
    float total[together];
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t row = (first + r) * stride;
      const float* in = load(kept + row, stride, probabilities + r * stride);
      float* out = target(dropped + row, buffer);
      float* product = products + r * stride;
#pragma omp simd
      for (std::int64_t j = 0; j < stride; ++j) {
        const float value = sign_of(in[j]) ? 0.0F : in[j] * keep_scale;
        out[j] = value;
        product[j] = value * ddropped[row + j];
      }
      store(out, stride, dropped + row);
    }
    for (std::int64_t r = 0; r < rows; ++r) total[r] = sum_of(products + r * stride, length);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t row = (first + r) * stride;
      const float* in = load(kept + row, 0, probabilities + r * stride);
      const float sum = total[r];
      float* product = products + r * stride;
      float* out = target(gradient + row, buffer);
#pragma omp simd
      for (std::int64_t j = 0; j < stride; ++j) {
        product[j] -= without_sign(in[j]) * sum;
        out[j] = product[j] * scale;
      }
      store(out, stride, gradient + row);
      if (dbias == nullptr) continue;
      float* to = dbias + (first + r) * longest;
#pragma omp simd
      for (std::int64_t j = 0; j < length; ++j) to[j] += product[j];
    }
  }
  for (T* square : {dropped, gradient}) std::fill(square + length * stride, square + stride * stride, T{});
}

template void attention_softmax(const SoftmaxShape&, const SoftmaxDropout&, const float*, float*, float*, float*,
                                float*);
template void attention_softmax(const SoftmaxShape&, const SoftmaxDropout&, const float*, float*, float*, BFloat16*,
                                BFloat16*);
template void attention_softmax_backward(const SoftmaxShape&, float, const float*, const float*, float*, float*, float*,
                                         float*);
template void attention_softmax_backward(const SoftmaxShape&, float, const float*, const BFloat16*, float*, BFloat16*,
                                         BFloat16*, float*);

}  // namespace tenfold::kernels::detail
