#pragma once
// The part of attention between its products, for one head of one sequence: softmax and dropout over the rows of the
// [T, T] scores, and their gradient. T is the storage type, f32 or bf16; arithmetic is f32.

#include <cstdint>

#include "base/tensor.hpp"

namespace tenfold::kernels::detail {

struct DropoutMask;

struct SoftmaxShape {
  std::int64_t length;  ///< T
  std::int64_t count;   ///< keys that take part
  float scale;          ///< of the scores
};

/// Dropout of the head's elements [first, first + T * T) of a sample, or none where mask is null.
struct SoftmaxDropout {
  const DropoutMask* mask;
  std::int64_t sample, first;
};

/// Elements of f32 scratch that both functions need.
std::int64_t softmax_scratch(std::int64_t length);

/// kept = softmax(scale * scores + bias), the sign bit set where dropout drops; dropped = dropout of it. Both [T, T], 0
/// in columns from `count` on. bias: [T, T] or null. scores are overwritten.
template <class T>
void attention_softmax(const SoftmaxShape& shape, const SoftmaxDropout& dropout, const float* bias, float* scores,
                       float* scratch, T* kept, T* dropped);

/// From the gradient of `dropped`: gradient = scale * dS, dbias += dS (or null), and `dropped` again from `kept`.
/// keep_scale: the factor of what dropout keeps.
template <class T>
void attention_softmax_backward(const SoftmaxShape& shape, float keep_scale, const float* ddropped, const T* kept,
                                float* scratch, T* dropped, T* gradient, float* dbias);

}  // namespace tenfold::kernels::detail
