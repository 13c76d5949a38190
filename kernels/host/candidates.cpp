#include "kernels/candidates.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/detail/candidates.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/packed_view.hpp"
#include "kernels/host/detail/vector_math.hpp"

namespace tenfold::kernels {
namespace {

struct ForCoefficients;  // names the scratch
struct ForRows;
struct ForScores;

struct Job {
  const float* bias;
  const std::int32_t *candidates, *labels;
  std::int64_t rows, filled, slots, width;
  float weight;
  float* losses;
  std::int32_t* choice;
  float* coefficients;  ///< [N, K] gradient by score; null where none is wanted
};

template <class T>
float dot(const float* x, const T* y, std::int64_t width) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < width; ++c) sum += x[c] * detail::to_float(y[c]);
  return sum;
}

template <class T>
void add_scaled(float scale, const T* x, float* y, std::int64_t width) {
#pragma omp simd
  for (std::int64_t c = 0; c < width; ++c) y[c] += scale * detail::to_float(x[c]);
}

/// Loss, choice and coefficients of row n, which belongs to a sequence.
template <class T>
void score(const Job& job, std::int64_t n, const float* hidden, const T* table) {
  const std::int32_t* candidates = job.candidates + n * job.slots;
  float* probabilities = detail::scratch<float, ForScores>(job.slots);
  float greatest = -std::numeric_limits<float>::infinity();
  job.choice[n] = 0;
  for (std::int64_t slot = 0; slot < job.slots; ++slot) {
    const std::int32_t token = candidates[slot];
    if (token < 0) continue;
    probabilities[slot] = dot(hidden, table + token * job.width, job.width) + job.bias[token];
    if (!(probabilities[slot] > greatest)) continue;
    greatest = probabilities[slot];
    job.choice[n] = static_cast<std::int32_t>(slot);
  }
  const float true_score = probabilities[job.labels[n]];
  float sum = 0;
  for (std::int64_t slot = 0; slot < job.slots; ++slot) {
    if (candidates[slot] < 0) continue;
    probabilities[slot] = detail::exponential(probabilities[slot] - greatest);
    sum += probabilities[slot];
  }
  job.losses[n] = std::log(sum) - (true_score - greatest);
  if (job.coefficients == nullptr) return;
  float* coefficients = job.coefficients + n * job.slots;
  for (std::int64_t slot = 0; slot < job.slots; ++slot)
    coefficients[slot] =
        candidates[slot] < 0 ? 0 : job.weight * (probabilities[slot] / sum - (slot == job.labels[n] ? 1.0F : 0.0F));
}

/// Row n of dhidden.
template <class T>
void input_gradient(const Job& job, std::int64_t n, const T* table, float* buffer, T* dhidden) {
  float* sum = detail::target(dhidden, buffer);
  std::fill_n(sum, job.width, 0.0F);
  const std::int64_t slots = n < job.filled ? job.slots : 0;
  for (std::int64_t at = n * job.slots; at < n * job.slots + slots; ++at) {
    const std::int32_t token = job.candidates[at];
    if (token >= 0) add_scaled(job.coefficients[at], table + token * job.width, sum, job.width);
  }
  detail::store(sum, job.width, dhidden);
}

template <class T>
void forward(detail::Label& label, const Job& job, const T* hidden, const T* table, T* dhidden) {
  detail::for_blocks(label, job.rows, detail::rows_per_block(job.width), [=](std::int64_t begin, std::int64_t end) {
    float* buffer = detail::scratch<float, ForRows>(job.width);
    for (std::int64_t n = begin; n < end; ++n) {
      if (n < job.filled) {
        score(job, n, detail::load(hidden + n * job.width, job.width, buffer), table);
      } else {
        job.losses[n] = 0;
        job.choice[n] = 0;
      }
      if (dhidden != nullptr) input_gradient(job, n, table, buffer, dhidden + n * job.width);
    }
  });
}

/// A row of the table is summed by one thread in order of positions, whatever the number of threads.
template <class T>
void scatter(detail::Label& label, const Job& job, const T* hidden, float* dtable, float* dbias) {
  const std::int64_t parts = detail::threads();
  detail::for_blocks(label, parts, 1, [=](std::int64_t part, std::int64_t) {
    float* buffer = detail::scratch<float, ForRows>(job.width);
    for (std::int64_t n = 0; n < job.filled; ++n) {
      const float* row = detail::load(hidden + n * job.width, job.width, buffer);
      for (std::int64_t at = n * job.slots; at < (n + 1) * job.slots; ++at) {
        const std::int32_t token = job.candidates[at];
        if (token < 0 || token % parts != part) continue;
        dbias[token] += job.coefficients[at];
        add_scaled(job.coefficients[at], row, dtable + token * job.width, job.width);
      }
    }
  });
}

void verify(const Job& job, std::int64_t vocabulary) {
  for (std::int64_t n = 0; n < job.filled; ++n) {
    for (std::int64_t slot = 0; slot < job.slots; ++slot)
      TENFOLD_VERIFY(job.candidates[n * job.slots + slot] < vocabulary, "candidate ",
                     job.candidates[n * job.slots + slot], " of ", vocabulary, " tokens");
    const std::int32_t label = job.labels[n];
    TENFOLD_VERIFY(label >= 0 && label < job.slots && job.candidates[n * job.slots + label] >= 0, "label ", label,
                   " of position ", n, " is no candidate");
  }
}

}  // namespace

namespace host {

void make_questions(Queue& queue, const Tensor& original, const Tensor& replaced, const Tensor& negatives,
                    const Tensor& k, std::int32_t nota, const Tensor& candidates, const Tensor& labels) {
  static detail::Label label = "tenfold::make_questions::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_questions(original, replaced, negatives, k, candidates, labels);
  const std::int64_t rows = candidates[0], slots = candidates[1];
  const std::int64_t used = *k.data<std::int32_t>();
  TENFOLD_VERIFY(used >= 2 && used <= slots, used, " candidates in ", slots, " slots");
  const auto *truth = original.data<std::int32_t>(), *changed = replaced.data<std::int32_t>();
  const auto* negative = negatives.data<std::int32_t>();
  auto *candidate = candidates.data<std::int32_t>(), *answer = labels.data<std::int32_t>();
  detail::for_blocks(label, rows, detail::rows_per_block(slots), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      std::int32_t* slot = candidate + n * slots;
      std::fill_n(slot, slots, -1);
      answer[n] = changed[n] != 0 ? 1 : 0;
      *slot++ = nota;
      if (answer[n] == 1) *slot++ = truth[n];
      std::copy_n(negative + n * (slots - 1), used - 1 - answer[n], slot);
    }
  });
}

void candidate_loss(Queue& queue, const Tensor& hidden, const PackedRows& packed, const Tensor& table,
                    const Tensor& bias, const Tensor& candidates, const Tensor& labels, const Tensor& weight,
                    const Tensor& losses, const Tensor& choice, const Tensor& dhidden, const Tensor& dtable,
                    const Tensor& dbias) {
  static detail::Label label = "tenfold::candidate_loss::forward_backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_candidate_loss(hidden, table, bias, candidates, labels, weight, losses, choice, dhidden, dtable,
                                dbias);
  const std::int64_t rows = hidden[0], width = table[1], slots = candidates[1];
  const Job job{bias.data<float>(),
                candidates.data<std::int32_t>(),
                labels.data<std::int32_t>(),
                rows,
                detail::PackedView(packed, rows, "candidate_loss: rows").filled(),
                slots,
                width,
                *weight.data<float>(),
                losses.data<float>(),
                choice.data<std::int32_t>(),
                dhidden ? detail::scratch<float, ForCoefficients>(rows * slots) : nullptr};
  verify(job, table[0]);
  detail::by_storage_type(table, "candidate_loss: table", [&]<class T>() {
    const T* row = hidden.data<T>();
    forward(label, job, row, table.data<T>(), dhidden ? dhidden.data<T>() : nullptr);
    if (dhidden) scatter(label, job, row, dtable.data<float>(), dbias.data<float>());
  });
}

}  // namespace host

const Implementation make_questions_on_host{make_questions, DeviceKind::host, host::make_questions};
const Implementation candidate_loss_on_host{candidate_loss, DeviceKind::host, host::candidate_loss};

}  // namespace tenfold::kernels
