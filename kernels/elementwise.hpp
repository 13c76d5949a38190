#pragma once
// Conversion, filling and sums of whole tensors.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// destination = source, between f32 and bf16 (round to nearest even), of equal element count.
inline constinit Op<void(Queue& queue, const Tensor& source, const Tensor& destination)> convert("convert");

/// values[i] ~ N(mean, deviation) from the stream `key`: a function of (key, first + i) (Box-Muller on Philox, f64).
inline constinit Op<void(Queue& queue, std::uint64_t key, float mean, float deviation, std::int64_t first,
                         const Tensor& values)>
    fill_normal("fill_normal");
inline constinit Op<void(Queue& queue, float value, const Tensor& values)> fill("fill");

/// sum += values, f32 or bf16 values into f32 sum, of equal element count.
inline constinit Op<void(Queue& queue, const Tensor& values, const Tensor& sum)> add("add");

/// sum: f64 [1] += sum of values (f32 or i32, any shape) in a fixed order.
inline constinit Op<void(Queue& queue, const Tensor& values, const Tensor& sum)> add_sum("add_sum");

}  // namespace tenfold::kernels
