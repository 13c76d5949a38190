#pragma once
// The part of attention between its products, for one head of one sequence of n tokens: softmax and dropout over the
// rows of the scores, and their gradient. Matrices are [n, stride] unless said otherwise, 0 from column n on. T is the
// storage type, f32 or bf16; arithmetic is f32.

#include <cstdint>

#include "base/tensor.hpp"

namespace tenfold::kernels::detail {

struct DropoutMask;

struct SoftmaxShape {
  std::int64_t length;   ///< n
  std::int64_t stride;   ///< n or more
  std::int64_t longest;  ///< row stride of the bias and of the elements that dropout decides on
  float scale;           ///< of the scores
};

/// Dropout of a sample's elements from `first` on, `longest` a row, or none where mask is null.
struct SoftmaxDropout {
  const DropoutMask* mask;
  std::int64_t sample, first;
};

/// Elements of f32 scratch that both functions need for strides up to `longest`.
std::int64_t softmax_scratch(std::int64_t longest);

/// kept = softmax(scale * scores + bias), the sign bit set where dropout drops; dropped = dropout of it, [stride,
/// stride]. bias: [n, longest] or null. scores are overwritten.
template <class T>
void attention_softmax(const SoftmaxShape& shape, const SoftmaxDropout& dropout, const float* bias, float* scores,
                       float* scratch, T* kept, T* dropped);

/// From the gradient of `dropped`: gradient = scale * dS, [stride, stride]; dbias += dS, [n, longest] or null; and
/// `dropped` again from `kept`. keep_scale: the factor of what dropout keeps.
template <class T>
void attention_softmax_backward(const SoftmaxShape& shape, float keep_scale, const float* ddropped, const T* kept,
                                float* scratch, T* dropped, T* gradient, float* dbias);

}  // namespace tenfold::kernels::detail
