#pragma once
// Counts for a run's trace, without gradient.

#include "base/queue.hpp"

namespace tenfold::kernels {

/// sums[3 a + b] += number of n with first[n] = a and min(second[n], 2) = b. first: i32 [N] of 0 or 1; second: i32 [N],
/// >= 0; sums: f64 [6].
void add_joint_counts(Queue& queue, const Tensor& first, const Tensor& second, const Tensor& sums);

/// sum += rank of the label (1 for the greatest logit) over the valid rows. logits: f32 [R, V]; labels: i32 [R];
/// `first` and `count` as in softmax_cross_entropy; sum: f64 [1].
void add_label_ranks(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first, const Tensor& count,
                     const Tensor& sum);

}  // namespace tenfold::kernels
