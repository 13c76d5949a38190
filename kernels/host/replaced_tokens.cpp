#include "kernels/replaced_tokens.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/detail/replaced_tokens.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/packed_view.hpp"

namespace tenfold::kernels {
namespace {

struct ForRow;  // names the scratch
struct ForPartials;

struct Job {
  const float* w;
  float b, weight;
  const std::int32_t* replaced;
  std::int64_t rows, filled, width;
  float* losses;
  std::int32_t* predicted;
};

float dot(const float* x, const float* y, std::int64_t width) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < width; ++c) sum += x[c] * y[c];
  return sum;
}

/// Loss and prediction of row n, which belongs to a sequence; returns the gradient by its score.
float score(const Job& job, std::int64_t n, const float* hidden) {
  const float value = dot(hidden, job.w, job.width) + job.b;
  const float target = job.replaced[n] != 0 ? 1.0F : 0.0F;
  const float decay = std::exp(-std::abs(value));  // neither it nor what follows overflows
  job.losses[n] = std::max(value, 0.0F) - target * value + std::log1p(decay);
  job.predicted[n] = value > 0 ? 1 : 0;
  return job.weight * ((value > 0 ? 1.0F : decay) / (1.0F + decay) - target);
}

/// Rows [begin, end); sums: their part of dw, then of db.
template <class T>
void rows(const Job& job, std::int64_t begin, std::int64_t end, const T* hidden, T* dhidden, float* sums) {
  const std::int64_t width = job.width;
  float* buffer = detail::scratch<float, ForRow>(2 * width);
  for (std::int64_t n = begin; n < end; ++n) {
    if (n >= job.filled) {  // what stands there may be NaN, and 0 x NaN would reach the sums
      job.losses[n] = 0;
      job.predicted[n] = 0;
      if (dhidden != nullptr) std::fill_n(dhidden + n * width, width, detail::from_float<T>(0));
      continue;
    }
    const float* row = detail::load(hidden + n * width, width, buffer);
    const float gradient = score(job, n, row);
    if (dhidden == nullptr) continue;
    float* out = detail::target(dhidden + n * width, buffer + width);
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) {
      out[c] = gradient * job.w[c];
      sums[c] += gradient * row[c];
    }
    sums[width] += gradient;
    detail::store(out, width, dhidden + n * width);
  }
}

/// In blocks of rows that depend on nothing but their number, each with its own sums, which are added in order.
template <class T>
void all_rows(const Job& job, const T* hidden, T* dhidden, float* dw, float* db) {
  static detail::Label label = "tenfold::replaced_token_loss::forward_backward";
  constexpr std::int64_t step = 64;
  const std::int64_t blocks = (job.rows + step - 1) / step, sums = job.width + 1;
  float* partials = detail::scratch<float, ForPartials>(blocks * sums);
  std::fill_n(partials, blocks * sums, 0.0F);
  detail::for_blocks(label, job.rows, step, [=](std::int64_t begin, std::int64_t end) {
    rows(job, begin, end, hidden, dhidden, partials + begin / step * sums);
  });
  for (std::int64_t block = 0; dhidden != nullptr && block < blocks; ++block) {
    const float* part = partials + block * sums;
#pragma omp simd
    for (std::int64_t c = 0; c < job.width; ++c) dw[c] += part[c];
    *db += part[job.width];
  }
}

}  // namespace

namespace host {

void corrupt_tokens(Queue& queue, const Tensor& original, const Tensor& rows, const Tensor& drawn, const Tensor& count,
                    const Tensor& corrupted, const Tensor& replaced) {
  static detail::Label label = "tenfold::corrupt_tokens::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_corrupt_tokens(original, rows, drawn, count, corrupted, replaced);
  const std::int64_t selected = *count.data<std::int32_t>();
  TENFOLD_VERIFY(selected >= 0 && selected <= rows[0], "count ", selected, " of ", rows[0], " rows");
  const auto *truth = original.data<std::int32_t>(), *row = rows.data<std::int32_t>();
  const auto* draw = drawn.data<std::int32_t>();
  auto *out = corrupted.data<std::int32_t>(), *changed = replaced.data<std::int32_t>();
  for (std::int64_t r = 0; r < selected; ++r)
    TENFOLD_VERIFY(row[r] >= 0 && row[r] < original[0], "row ", row[r], " of ", original[0]);
  std::copy_n(truth, original[0], out);
  std::fill_n(changed, original[0], 0);
  detail::for_blocks(label, selected, detail::block_elements, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (draw[r] < 0) continue;
      out[row[r]] = draw[r];
      changed[row[r]] = draw[r] != truth[row[r]] ? 1 : 0;
    }
  });
}

void replaced_token_loss(Queue& queue, const Tensor& hidden, const PackedRows& rows, const Tensor& w, const Tensor& b,
                         const Tensor& replaced, const Tensor& weight, const Tensor& losses, const Tensor& predicted,
                         const Tensor& dhidden, const Tensor& dw, const Tensor& db) {
  const Queue::Region region(queue, "tenfold::replaced_token_loss::forward_backward");
  detail::expect_replaced_token_loss(hidden, w, b, replaced, weight, losses, predicted, dhidden, dw, db);
  const std::int64_t count = hidden[0], width = hidden[1];
  const Job job{w.data<float>(),
                *b.data<float>(),
                *weight.data<float>(),
                replaced.data<std::int32_t>(),
                count,
                detail::PackedView(rows, count, "replaced_token_loss: rows").filled(),
                width,
                losses.data<float>(),
                predicted.data<std::int32_t>()};
  detail::by_storage_type(hidden, "replaced_token_loss: hidden", [&]<class T>() {
    const T* in = hidden.data<T>();
    if (dhidden)
      all_rows(job, in, dhidden.data<T>(), dw.data<float>(), db.data<float>());
    else
      all_rows<T>(job, in, nullptr, nullptr, nullptr);
  });
}

}  // namespace host

const Implementation corrupt_tokens_on_host{corrupt_tokens, DeviceKind::host, host::corrupt_tokens};
const Implementation replaced_token_loss_on_host{replaced_token_loss, DeviceKind::host, host::replaced_token_loss};

}  // namespace tenfold::kernels
