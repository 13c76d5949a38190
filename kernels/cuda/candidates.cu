// A warp a row scores the candidates and sums dhidden; what the table gets is an ordered scatter of the rows.

#include "kernels/candidates.hpp"
#include "kernels/cuda/detail/ordered_scatter.cuh"
#include "kernels/cuda/detail/packed.cuh"
#include "kernels/detail/candidates.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

struct Questions {
  const std::int32_t *original, *replaced, *negatives, *k;
  std::int32_t nota;
  std::int32_t *candidates, *labels;
  std::int64_t rows;
  int slots;
};

/// A thread a slot.
__global__ void __launch_bounds__(threads_a_block) lay_out(const Questions o) {
  const int k = *o.k;
  for (std::int64_t at = first_of_grid(); at < o.rows * o.slots; at += stride_of_grid()) {
    const std::int64_t n = at / o.slots;
    const int slot = static_cast<int>(at % o.slots), label = o.replaced[n] != 0 ? 1 : 0;
    if (slot == 0) {
      o.candidates[at] = o.nota;
      o.labels[n] = label;
    } else if (slot >= k) {
      o.candidates[at] = -1;
    } else if (slot <= label) {
      o.candidates[at] = o.original[n];
    } else {
      o.candidates[at] = o.negatives[n * (o.slots - 1) + slot - 1 - label];
    }
  }
}

template <class T>
struct Head {
  const T *hidden, *table;
  const float* bias;
  const std::int32_t *sequence, *candidates, *labels;
  const float* weight;
  float* losses;
  std::int32_t* choice;
  float* coefficients;  ///< [N, K]: the scores, then the gradient by score
  T* dhidden;           ///< null where no gradient is wanted
  std::int64_t rows;
  int slots, width;
};

/// Of one warp: hidden . table[token], in all lanes.
template <class T>
__device__ float dot(const T* hidden, const T* entry, int width) {
  float sum = 0;
#pragma unroll 4
  for (int column = 8 * static_cast<int>(threadIdx.x % 32); column < width; column += 256) {
    float x[8], y[8];
    load8(hidden, column, width, x);
    load8(entry, column, width, y);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += x[i] * y[i];
  }
  return warp_sum(sum);
}

/// Loss, choice and coefficients of row n, which belongs to a sequence. Lane l keeps the slots l, l + 32 and so on.
template <class T>
__device__ void score(const Head<T>& o, std::int64_t n) {
  const int lane = static_cast<int>(threadIdx.x % 32), label = o.labels[n];
  const std::int32_t* candidates = o.candidates + n * o.slots;
  float* own = o.coefficients + n * o.slots;
  float greatest = -INFINITY, true_score = 0;
  int choice = 0;
  for (int slot = 0; slot < o.slots; ++slot) {
    const std::int32_t token = candidates[slot];
    if (token < 0) continue;
    const float value = dot(o.hidden + n * o.width, o.table + std::int64_t{token} * o.width, o.width) + o.bias[token];
    if (slot % 32 == lane) own[slot] = value;
    if (slot == label) true_score = value;
    if (!(value > greatest)) continue;
    greatest = value;
    choice = slot;
  }
  float sum = 0;
  for (int slot = lane; slot < o.slots; slot += 32) sum += candidates[slot] < 0 ? 0.0F : expf(own[slot] - greatest);
  sum = warp_sum(sum);
  if (lane == 0) {
    o.losses[n] = logf(sum) - (true_score - greatest);
    o.choice[n] = choice;
  }
  if (o.dhidden == nullptr) return;
  const float weight = *o.weight;
  for (int slot = lane; slot < o.slots; slot += 32)
    if (candidates[slot] >= 0) own[slot] = weight * (expf(own[slot] - greatest) / sum - (slot == label ? 1.0F : 0.0F));
}

template <class T>
__global__ void __launch_bounds__(threads_a_block) score_rows(const Head<T> o) {
  const std::int64_t n = std::int64_t{blockIdx.x} * (threads_a_block / 32) + threadIdx.x / 32;
  if (n >= o.rows) return;
  const bool filled = o.sequence[n] >= 0;
  if (filled) {
    score(o, n);
  } else if (threadIdx.x % 32 == 0) {
    o.losses[n] = 0;
    o.choice[n] = 0;
  }
  if (o.dhidden == nullptr) return;
  __syncwarp();  // each lane reads the coefficients of all
  for (int column = 8 * static_cast<int>(threadIdx.x % 32); column < o.width; column += 256) {
    float sum[8] = {};
#pragma unroll 4
    for (std::int64_t at = n * o.slots; filled && at < (n + 1) * o.slots; ++at) {
      const std::int32_t token = o.candidates[at];
      if (token < 0) continue;
      float entry[8];
      const float coefficient = o.coefficients[at];
      load8(o.table + std::int64_t{token} * o.width, column, o.width, entry);
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[i] += coefficient * entry[i];
    }
    store8(o.dhidden + n * o.width, column, o.width, sum);
  }
}

// Source i of the scatter is slot i % slots of row i / slots.

struct Candidate {
  const std::int32_t *sequence, *candidates;
  int slots;
  __device__ std::int32_t operator()(int i) const { return sequence[i / slots] < 0 ? -1 : candidates[i]; }
};

/// What the table gets.
template <class T>
struct WeightedRow {
  const float* coefficients;
  const T* hidden;
  int slots, width;
  __device__ void operator()(int i, int column, float (&values)[8]) const {
    load8(hidden + std::int64_t{i / slots} * width, column, width, values);
    const float coefficient = coefficients[i];
#pragma unroll
    for (float& value : values) value *= coefficient;
  }
};

/// What the bias gets, one column.
struct Coefficient {
  const float* coefficients;
  __device__ void operator()(int i, int /*column*/, float (&values)[8]) const {
    values[0] = coefficients[i];
#pragma unroll
    for (int e = 1; e < 8; ++e) values[e] = 0;
  }
};

template <class T>
void run(StreamQueue& queue, Head<T> head, std::int64_t vocabulary, float* dtable, float* dbias) {
  if (head.rows == 0) return;
  const std::int64_t count = head.rows * head.slots, width = head.width;
  const std::int64_t sorting = sort_bytes(count), adding = partial_bytes(count, width);
  const std::int64_t coefficients = count * std::int64_t{sizeof(float)};
  auto* scratch = queue.scratch<std::byte>(dtable == nullptr ? coefficients : sorting + adding + coefficients);
  head.coefficients = reinterpret_cast<float*>(dtable == nullptr ? scratch : scratch + sorting + adding);
  constexpr std::int64_t warps = threads_a_block / 32;
  launch(score_rows<T>, Grid{dim3(static_cast<unsigned>((head.rows + warps - 1) / warps)), dim3(threads_a_block)},
         queue.stream(), head);
  if (dtable == nullptr) return;
  const SortedSources sorted = sort_sources(queue.stream(), Candidate{head.sequence, head.candidates, head.slots},
                                            count, vocabulary, scratch + adding);
  add_sorted(queue.stream(), sorted, WeightedRow<T>{head.coefficients, head.hidden, head.slots, head.width}, width,
             dtable, scratch);
  add_sorted(queue.stream(), sorted, Coefficient{head.coefficients}, 1, dbias, scratch);
}

}  // namespace

namespace cuda {

void make_questions(Queue& queue, const Tensor& original, const Tensor& replaced, const Tensor& negatives,
                    const Tensor& k, std::int32_t nota, const Tensor& candidates, const Tensor& labels) {
  const Queue::Region region(queue, "tenfold::make_questions::forward");
  detail::expect_questions(original, replaced, negatives, k, candidates, labels);
  launch(lay_out, grid_over(candidates.elements()), stream_of(queue),
         Questions{original.data<std::int32_t>(), replaced.data<std::int32_t>(), negatives.data<std::int32_t>(),
                   k.data<std::int32_t>(), nota, candidates.data<std::int32_t>(), labels.data<std::int32_t>(),
                   candidates[0], static_cast<int>(candidates[1])});
}

void candidate_loss(Queue& queue, const Tensor& hidden, const PackedRows& rows, const Tensor& table, const Tensor& bias,
                    const Tensor& candidates, const Tensor& labels, const Tensor& weight, const Tensor& losses,
                    const Tensor& choice, const Tensor& dhidden, const Tensor& dtable, const Tensor& dbias) {
  const Queue::Region region(queue, "tenfold::candidate_loss::forward_backward");
  detail::expect_candidate_loss(hidden, table, bias, candidates, labels, weight, losses, choice, dhidden, dtable,
                                dbias);
  const PackedView packed(rows, hidden[0], "candidate_loss: rows");
  by_storage_type(table, "candidate_loss: table", [&]<class T>() {
    run(stream_queue(queue),
        Head<T>{elements<T>(hidden), elements<T>(table), bias.data<float>(), packed.sequence,
                candidates.data<std::int32_t>(), labels.data<std::int32_t>(), weight.data<float>(),
                losses.data<float>(), choice.data<std::int32_t>(), nullptr, elements<T>(dhidden), hidden[0],
                static_cast<int>(candidates[1]), static_cast<int>(table[1])},
        table[0], elements<float>(dtable), elements<float>(dbias));
  });
}

}  // namespace cuda

const Implementation make_questions_on_cuda{make_questions, DeviceKind::cuda, cuda::make_questions};
const Implementation candidate_loss_on_cuda{candidate_loss, DeviceKind::cuda, cuda::candidate_loss};

}  // namespace tenfold::kernels
