#include "kernels/cuda/detail/rows.cuh"
#include "kernels/detail/notes.hpp"
#include "kernels/notes.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

/// Occurrences in the rows of a [N, d] matrix. A warp takes one; how many there are, the device alone knows.
struct Spans {
  const std::int32_t* begin;
  const std::int32_t* end;
  const std::int32_t* count;

  Spans(const Tensor& first, const Tensor& last, const Tensor& valid, const Tensor& matrix) {
    detail::expect_spans(first, last, valid, matrix);
    begin = first.data<std::int32_t>();
    end = last.data<std::int32_t>();
    count = valid.data<std::int32_t>();
  }
};

/// Sum of squares of a row; every lane of the warp gets it.
template <class T>
__device__ float squares(const T* row, int width) {
  float sum = 0;
  for (int c = first_column(); c < width; c += columns_of_warp) {
    float x[8];
    load8(row, c, width, x);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += x[i] * x[i];
  }
  return warp_sum(sum);
}

template <class T>
__global__ void __launch_bounds__(threads_a_block)
    mix_rows(const Spans spans, const float* notes, float mix, bool rescale, T* x, int width) {
  for (std::int64_t o = first_row(); o < *spans.count; o += stride_of_rows()) {
    const float* note = notes + o * width;
    const float of_note = rescale ? squares(note, width) : 0.0F;
    for (std::int64_t n = spans.begin[o]; n < spans.end[o]; ++n) {
      T* row = x + n * width;
      const float share = of_note > 0 ? mix * sqrtf(squares(row, width) / of_note) : mix;
      for (int c = first_column(); c < width; c += columns_of_warp) {
        float values[8], mixed[8];
        load8(row, c, width, values);
        load8(note, c, width, mixed);
#pragma unroll
        for (int i = 0; i < 8; ++i) values[i] = (1 - mix) * values[i] + share * mixed[i];
        store8(row, c, width, values);
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(threads_a_block) scale_rows(const Spans spans, float factor, T* dx, int width) {
  for (std::int64_t o = first_row(); o < *spans.count; o += stride_of_rows())
    for (std::int64_t n = spans.begin[o]; n < spans.end[o]; ++n)
      for (int c = first_column(); c < width; c += columns_of_warp) {
        float values[8];
        load8(dx + n * width, c, width, values);
#pragma unroll
        for (int i = 0; i < 8; ++i) values[i] *= factor;
        store8(dx + n * width, c, width, values);
      }
}

template <class T>
__global__ void __launch_bounds__(threads_a_block)
    average_rows(const T* hidden, const Spans spans, float* notes, int width) {
  for (std::int64_t o = first_row(); o < *spans.count; o += stride_of_rows()) {
    const std::int64_t begin = spans.begin[o], end = spans.end[o];
    const auto size = static_cast<float>(end - begin);
    for (int c = first_column(); c < width; c += columns_of_warp) {
      float mean[8] = {};
#pragma unroll 4
      for (std::int64_t n = begin; n < end; ++n) {
        float values[8];
        load8(hidden + n * width, c, width, values);
#pragma unroll
        for (int i = 0; i < 8; ++i) mean[i] += values[i];
      }
#pragma unroll
      for (int i = 0; i < 8; ++i) mean[i] /= size;
      store8(notes + o * width, c, width, mean);
    }
  }
}

/// A block a key, a thread a column.
__global__ void __launch_bounds__(threads_a_block)
    update_keys(const std::int32_t* row, const std::int32_t* first, const float* values, float rate, float* table,
                std::int64_t keys, int width) {
  for (std::int64_t u = blockIdx.x; u < keys; u += gridDim.x) {
    const std::int64_t begin = first[u], end = first[u + 1];
    const double kept = 1.0 - static_cast<double>(rate);
    const double share = static_cast<double>(rate) / static_cast<double>(end - begin);
    float* note = table + std::int64_t{row[u]} * width;
    for (int c = static_cast<int>(threadIdx.x); c < width; c += threads_a_block) {
      double sum = 0;
      for (std::int64_t i = begin; i < end; ++i) sum += static_cast<double>(values[i * width + c]);
      note[c] = static_cast<float>(kept * static_cast<double>(note[c]) + share * sum);
    }
  }
}

}  // namespace

namespace cuda {

void mix_notes(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, const Tensor& notes,
               float mix, bool rescale, const Tensor& x) {
  const Queue::Region region(queue, "tenfold::mix_notes::forward");
  const Spans spans(begin, end, count, x);
  detail::verify_mix(mix);
  expect(notes, DType::f32, {begin[0], x[1]}, "mix_notes: notes");
  if (mix == 0) return;
  by_storage_type(x, "mix_notes: x", [&]<class T>() {
    launch(mix_rows<T>, grid_over_rows(begin[0]), stream_of(queue), spans, notes.data<float>(), mix, rescale,
           elements<T>(x), static_cast<int>(x[1]));
  });
}

void mix_notes_backward(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, float mix,
                        const Tensor& dx) {
  const Queue::Region region(queue, "tenfold::mix_notes::backward");
  const Spans spans(begin, end, count, dx);
  detail::verify_mix(mix);
  by_storage_type(dx, "mix_notes_backward: dx", [&]<class T>() {
    launch(scale_rows<T>, grid_over_rows(begin[0]), stream_of(queue), spans, 1 - mix, elements<T>(dx),
           static_cast<int>(dx[1]));
  });
}

void pool_windows(Queue& queue, const Tensor& hidden, const Tensor& begin, const Tensor& end, const Tensor& count,
                  const Tensor& notes) {
  const Queue::Region region(queue, "tenfold::pool_windows::forward");
  const Spans spans(begin, end, count, hidden);
  expect(notes, DType::f32, {begin[0], hidden[1]}, "pool_windows: notes");
  by_storage_type(hidden, "pool_windows: hidden", [&]<class T>() {
    launch(average_rows<T>, grid_over_rows(begin[0]), stream_of(queue), elements<T>(hidden), spans, notes.data<float>(),
           static_cast<int>(hidden[1]));
  });
}

void update_notes(Queue& queue, const Tensor& row, const Tensor& first, const Tensor& values, float rate,
                  const Tensor& table) {
  const Queue::Region region(queue, "tenfold::update_notes::forward");
  detail::expect_update_notes(row, first, values, rate, table);
  launch(update_keys, grid_over(row[0] * threads_a_block), stream_of(queue), row.data<std::int32_t>(),
         first.data<std::int32_t>(), values.data<float>(), rate, table.data<float>(), row[0],
         static_cast<int>(table[1]));
}

}  // namespace cuda

const Implementation mix_notes_on_cuda{mix_notes, DeviceKind::cuda, cuda::mix_notes};
const Implementation mix_notes_backward_on_cuda{mix_notes_backward, DeviceKind::cuda, cuda::mix_notes_backward};
const Implementation pool_windows_on_cuda{pool_windows, DeviceKind::cuda, cuda::pool_windows};
const Implementation update_notes_on_cuda{update_notes, DeviceKind::cuda, cuda::update_notes};

}  // namespace tenfold::kernels
