#pragma once
// Counts for a run's trace, without gradient.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// sums[3 a + b] += number of n with first[n] = a and min(second[n], 2) = b. first: i32 [N] of 0 or 1; second: i32 [N],
/// >= 0; sums: f64 [6].
inline constinit Op<void(Queue& queue, const Tensor& first, const Tensor& second, const Tensor& sums)> add_joint_counts(
    "add_joint_counts");

/// sum += rank of the label (1 for the greatest logit) over the valid rows. logits: f32 [R, V]; labels: i32 [R];
/// `first` and `count` as in softmax_cross_entropy; sum: f64 [1].
inline constinit Op<void(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first,
                         const Tensor& count, const Tensor& sum)>
    add_label_ranks("add_label_ranks");

}  // namespace tenfold::kernels
