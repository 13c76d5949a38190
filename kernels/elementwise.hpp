#pragma once
// Conversion, filling and sums of whole tensors.

#include "base/queue.hpp"

namespace tenfold::kernels {

/// destination = source, between f32 and bf16 (round to nearest even), of equal element count.
void convert(Queue& queue, const Tensor& source, const Tensor& destination);

/// values[i] ~ N(mean, deviation) from the stream `key`: a function of (key, first + i) (Box-Muller on Philox, f64).
void fill_normal(Queue& queue, std::uint64_t key, float mean, float deviation, std::int64_t first,
                 const Tensor& values);
void fill(Queue& queue, float value, const Tensor& values);

/// sum += values, f32 or bf16 values into f32 sum, of equal element count.
void add(Queue& queue, const Tensor& values, const Tensor& sum);

/// sum: f64 [1] += sum of values (f32 or i32, any shape) in a fixed order.
void add_sum(Queue& queue, const Tensor& values, const Tensor& sum);

}  // namespace tenfold::kernels
