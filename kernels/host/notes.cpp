#include "kernels/notes.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/detail/notes.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"

namespace tenfold::kernels {
namespace {

struct ForRow;  // names the scratch

/// Occurrences in the rows of a [N, d] matrix.
struct Spans {
  const std::int32_t *begin, *end;
  std::int64_t count;

  Spans(const Tensor& first, const Tensor& last, const Tensor& valid, const Tensor& matrix) {
    detail::expect_spans(first, last, valid, matrix);
    begin = first.data<std::int32_t>();
    end = last.data<std::int32_t>();
    count = *valid.data<std::int32_t>();
    TENFOLD_VERIFY(count >= 0 && count <= first[0], "count ", count, " of ", first[0], " occurrences");
    for (std::int64_t o = 0; o < count; ++o)
      TENFOLD_VERIFY(begin[o] >= 0 && begin[o] < end[o] && end[o] <= matrix[0], "occurrence at rows ", begin[o], " to ",
                     end[o], " of ", matrix[0]);
  }
};

float squares(const float* x, std::int64_t width) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < width; ++c) sum += x[c] * x[c];
  return sum;
}

}  // namespace

namespace host {

void mix_notes(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, const Tensor& notes,
               float mix, bool rescale, const Tensor& x) {
  static detail::Label label = "tenfold::mix_notes::forward";
  const Queue::Region region(queue, label.c_str());
  const Spans spans(begin, end, count, x);
  detail::verify_mix(mix);
  detail::expect(notes, DType::f32, {begin[0], x[1]}, "mix_notes: notes");
  if (mix == 0) return;
  const std::int64_t width = x[1];
  const float* note = notes.data<float>();
  detail::by_storage_type(x, "mix_notes: x", [&]<class T>() {
    T* rows = x.data<T>();
    detail::for_blocks(label, spans.count, 1, [=](std::int64_t o, std::int64_t) {
      float* buffer = detail::scratch<float, ForRow>(2 * width);
      const float* mixed = note + o * width;
      const float of_note = rescale ? squares(mixed, width) : 0;
      for (std::int64_t n = spans.begin[o]; n < spans.end[o]; ++n) {
        const float* in = detail::load(rows + n * width, width, buffer);
        const float share = of_note > 0 ? mix * std::sqrt(squares(in, width) / of_note) : mix;
        float* out = detail::target(rows + n * width, buffer + width);
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) out[c] = (1 - mix) * in[c] + share * mixed[c];
        detail::store(out, width, rows + n * width);
      }
    });
  });
}

void mix_notes_backward(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, float mix,
                        const Tensor& dx) {
  static detail::Label label = "tenfold::mix_notes::backward";
  const Queue::Region region(queue, label.c_str());
  const Spans spans(begin, end, count, dx);
  detail::verify_mix(mix);
  const std::int64_t width = dx[1];
  detail::by_storage_type(dx, "mix_notes_backward: dx", [&]<class T>() {
    T* gradient = dx.data<T>();
    detail::for_blocks(label, spans.count, 1, [=](std::int64_t o, std::int64_t) {
#pragma omp simd
      for (std::int64_t i = spans.begin[o] * width; i < spans.end[o] * width; ++i)
        gradient[i] = detail::from_float<T>((1 - mix) * detail::to_float(gradient[i]));
    });
  });
}

void pool_windows(Queue& queue, const Tensor& hidden, const Tensor& begin, const Tensor& end, const Tensor& count,
                  const Tensor& notes) {
  static detail::Label label = "tenfold::pool_windows::forward";
  const Queue::Region region(queue, label.c_str());
  const Spans spans(begin, end, count, hidden);
  detail::expect(notes, DType::f32, {begin[0], hidden[1]}, "pool_windows: notes");
  const std::int64_t width = hidden[1];
  float* note = notes.data<float>();
  detail::by_storage_type(hidden, "pool_windows: hidden", [&]<class T>() {
    const T* rows = hidden.data<T>();
    detail::for_blocks(label, spans.count, 1, [=](std::int64_t o, std::int64_t) {
      float* mean = note + o * width;
      std::fill_n(mean, width, 0.0F);
      for (std::int64_t n = spans.begin[o]; n < spans.end[o]; ++n)
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) mean[c] += detail::to_float(rows[n * width + c]);
      const auto size = static_cast<float>(spans.end[o] - spans.begin[o]);
      for (std::int64_t c = 0; c < width; ++c) mean[c] /= size;
    });
  });
}

void update_notes(Queue& queue, const Tensor& row, const Tensor& first, const Tensor& values, float rate,
                  const Tensor& table) {
  static detail::Label label = "tenfold::update_notes::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_update_notes(row, first, values, rate, table);
  const std::int64_t keys = row[0], width = table[1];
  const auto *key = row.data<std::int32_t>(), *offset = first.data<std::int32_t>();
  for (std::int64_t u = 0; u < keys; ++u) {
    TENFOLD_VERIFY(key[u] >= 0 && key[u] < table[0], "key ", key[u], " of ", table[0]);
    TENFOLD_VERIFY(offset[u] >= 0 && offset[u] < offset[u + 1] && offset[u + 1] <= values[0], "values ", offset[u],
                   " to ", offset[u + 1], " of ", values[0]);
  }
  const float* value = values.data<float>();
  float* note = table.data<float>();
  detail::for_blocks(label, keys, 1, [=](std::int64_t u, std::int64_t) {
    const double kept = 1.0 - static_cast<double>(rate);
    const double share = static_cast<double>(rate) / (offset[u + 1] - offset[u]);
    constexpr std::int64_t together = 64;
    for (std::int64_t begin = 0; begin < width; begin += together) {
      const std::int64_t columns = std::min(together, width - begin);
      std::array<double, together> sum{};
      for (std::int64_t i = offset[u]; i < offset[u + 1]; ++i)
        for (std::int64_t c = 0; c < columns; ++c) sum[c] += static_cast<double>(value[i * width + begin + c]);
      float* to = note + key[u] * width + begin;
      for (std::int64_t c = 0; c < columns; ++c)
        to[c] = static_cast<float>(kept * static_cast<double>(to[c]) + share * sum[c]);
    }
  });
}

}  // namespace host

const Implementation mix_notes_on_host{mix_notes, DeviceKind::host, host::mix_notes};
const Implementation mix_notes_backward_on_host{mix_notes_backward, DeviceKind::host, host::mix_notes_backward};
const Implementation pool_windows_on_host{pool_windows, DeviceKind::host, host::pool_windows};
const Implementation update_notes_on_host{update_notes, DeviceKind::host, host::update_notes};

}  // namespace tenfold::kernels
