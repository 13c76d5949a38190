// A block a row, twice over its logits: greatest logit and sum of exponentials at once, then the gradient. The blocks
// that run at a time hold few enough rows for a large GPU's cache to have them still when the gradient is made.

#include "kernels/cross_entropy.hpp"
#include "kernels/cuda/detail/operands.cuh"
#include "kernels/cuda/detail/vectors.cuh"
#include "kernels/detail/cross_entropy.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

constexpr int warps = 32;
constexpr int threads = 32 * warps;

struct Partials {
  float of_warp[warps];
};

template <class T>
struct Rows {
  const float* logits;
  const std::int32_t* labels;
  std::int64_t first;
  const std::int32_t* count;
  const float* weight;
  float* losses;
  std::int32_t* correct;
  T* dlogits;  ///< null where no gradient is wanted; may be the logits
  int vocabulary;
};

/// body.operator()<n>(at) for elements [at, at + n) of [begin, end) of a matrix, n = 4 where that is aligned to 4
/// elements, else 1.
template <class Body>
__device__ void for_elements(std::int64_t begin, std::int64_t end, Body&& body) {
  const std::int64_t i = threadIdx.x, first = min((begin + 3) / 4 * 4, end), last = max(end / 4 * 4, first);
  if (begin + i < first) body.template operator()<1>(begin + i);
#pragma unroll 4
  for (std::int64_t at = first + 4 * i; at < last; at += 4 * threads) body.template operator()<4>(at);
  if (last + i < end) body.template operator()<1>(last + i);
}

__device__ inline void load(const float* from, float (&values)[1]) {
  values[0] = *from;
}
__device__ inline void load(const float* from, float (&values)[4]) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  values[0] = four.x, values[1] = four.y, values[2] = four.z, values[3] = four.w;
}
template <class T>
__device__ void store(T* to, const float (&values)[1]) {
  *to = from_float<T>(values[0]);
}
__device__ inline void store(float* to, const float (&values)[4]) {
  *reinterpret_cast<float4*>(to) = float4{values[0], values[1], values[2], values[3]};
}
__device__ inline void store(__nv_bfloat16* to, const float (&values)[4]) {
  *reinterpret_cast<uint2*>(to) = uint2{pack(values[0], values[1]), pack(values[2], values[3])};
}

/// Greatest value of the block; both barriers as in block_sum.
__device__ inline float block_greatest(float value, float (&partial)[warps]) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, bits));
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
#pragma unroll
  for (const float other : partial) value = fmaxf(value, other);
  __syncthreads();
  return value;
}

struct Softmax {
  float greatest, sum;  ///< of the logits; of e^(logit - greatest), NaN if any logit is not finite
};

/// Every thread gets it.
__device__ inline Softmax softmax_of(const float* logits, std::int64_t begin, std::int64_t end, Partials& partials) {
  float greatest = -INFINITY, sum = 0;
  float zero = 0;  // NaN once a logit is not finite: a comparison passes over NaN, and exp makes nothing of -infinity
  for_elements(begin, end, [&]<int n>(std::int64_t at) {
    float x[n];
    load(logits + at, x);
    float now = greatest;
#pragma unroll
    for (int i = 0; i < n; ++i) now = fmaxf(now, x[i]);
    sum *= expf(greatest - now);
    greatest = now;
#pragma unroll
    for (int i = 0; i < n; ++i) {
      sum += expf(x[i] - now);
      zero += x[i] * 0.0F;
    }
  });
  const float all = block_greatest(greatest, partials.of_warp);
  return {all, block_sum(sum * expf(greatest - all) + zero, partials.of_warp)};
}

template <class T>
__global__ void __launch_bounds__(threads) forward_backward(const Rows<T> o) {
  Partials& partials = shared<Partials>();
  const std::int64_t r = blockIdx.x, begin = r * o.vocabulary, end = begin + o.vocabulary;
  if (o.first + r >= *o.count) {
    if (threadIdx.x == 0) {
      o.losses[r] = 0;
      o.correct[r] = 0;
    }
    if (o.dlogits == nullptr) return;
    for_elements(begin, end, [&]<int n>(std::int64_t at) {
      const float zeros[n] = {};
      store(o.dlogits + at, zeros);
    });
    return;
  }
  const std::int64_t label = begin + o.labels[r];
  const float true_logit = o.logits[label];  // read by all before the barriers behind which dlogits may replace it
  const Softmax softmax = softmax_of(o.logits, begin, end, partials);
  if (threadIdx.x == 0) {
    o.losses[r] = logf(softmax.sum) - (true_logit - softmax.greatest);
    o.correct[r] = true_logit == softmax.greatest ? 1 : 0;
  }
  if (o.dlogits == nullptr) return;
  const float weight = *o.weight, scale = weight / softmax.sum;
  const float of_label = weight * (expf(true_logit - softmax.greatest) / softmax.sum - 1.0F);
  for_elements(begin, end, [&]<int n>(std::int64_t at) {
    float x[n];
    load(o.logits + at, x);
#pragma unroll
    for (int i = 0; i < n; ++i) x[i] = at + i == label ? of_label : scale * expf(x[i] - softmax.greatest);
    store(o.dlogits + at, x);
  });
}

}  // namespace

namespace cuda {

void softmax_cross_entropy(Queue& queue, const Tensor& logits, const Tensor& labels, std::int64_t first,
                           const Tensor& count, const Tensor& weight, const Tensor& losses, const Tensor& correct,
                           const Tensor& dlogits) {
  const Queue::Region region(queue, "tenfold::softmax_cross_entropy::forward_backward");
  detail::expect_cross_entropy(logits, labels, count, weight, losses, correct, dlogits);
  if (logits[0] == 0) return;
  by_storage_type(dlogits ? dlogits : logits, "softmax_cross_entropy: dlogits", [&]<class T>() {
    launch(forward_backward<T>, Grid{dim3(static_cast<unsigned>(logits[0])), dim3(threads), sizeof(Partials)},
           stream_of(queue),
           Rows<T>{logits.data<float>(), labels.data<std::int32_t>(), first, count.data<std::int32_t>(),
                   weight.data<float>(), losses.data<float>(), correct.data<std::int32_t>(),
                   dlogits ? elements<T>(dlogits) : nullptr, static_cast<int>(logits[1])});
  });
}

}  // namespace cuda

const Implementation softmax_cross_entropy_on_cuda{softmax_cross_entropy, DeviceKind::cuda,
                                                   cuda::softmax_cross_entropy};

}  // namespace tenfold::kernels
