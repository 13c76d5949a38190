#include "kernels/layer_norm.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/detail/layer_norm.hpp"
#include "kernels/detail/operands.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/row_dropout.hpp"

namespace tenfold::kernels {

namespace {

/// Rows that go through each step together: the sums of one row are a chain that the processor must wait for, those of
/// several overlap.
constexpr std::int64_t together = 4;

struct RowBuffers;  // names the scratch in which rows of bf16 are computed

float sum_of(const float* x, std::int64_t width) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < width; ++c) sum += x[c];
  return sum;
}

float squares_about(float mean, const float* x, std::int64_t width) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < width; ++c) sum += (x[c] - mean) * (x[c] - mean);
  return sum;
}

void add(const float* from, float* to, std::int64_t width) {
#pragma omp simd
  for (std::int64_t c = 0; c < width; ++c) to[c] += from[c];
}

/// Gain and bias of the affine map, and the statistics of all rows.
struct Forward {
  const float *gain, *bias;
  std::int64_t width;
  float epsilon;
  float *mean, *rstd;

  /// y, mean and rstd of `count` <= together rows from row `first`. x: their values; buffer: a row's width for each.
  template <class T>
  void normalise(const float* const* x, std::int64_t first, std::int64_t count, float* buffer, T* y) const {
    for (std::int64_t r = 0; r < count; ++r) mean[first + r] = sum_of(x[r], width) / static_cast<float>(width);
    for (std::int64_t r = 0; r < count; ++r) {
      const float variance = squares_about(mean[first + r], x[r], width) / static_cast<float>(width);
      rstd[first + r] = 1.0F / std::sqrt(variance + epsilon);
    }
    for (std::int64_t r = 0; r < count; ++r) {
      T* row = y + (first + r) * width;
      float* out = detail::target(row, buffer + r * width);
      affine(x[r], mean[first + r], rstd[first + r], out);
      detail::store(out, width, row);
    }
  }

 private:
  void affine(const float* x, float centre, float scale, float* y) const {
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) y[c] = (x[c] - centre) * scale * gain[c] + bias[c];
  }
};

/// Gradient of the normalisation of rows, given the statistics of the forward pass.
struct Backward {
  const float* gain;
  std::int64_t width;
  const float *mean, *rstd;

  /// Means over a row of dy * gain, and of dy * gain * normalised x.
  struct Means {
    float one, x;
  };

  /// The means of row n; its part of dgain and dbias is added to them.
  Means means(std::int64_t n, const float* dy, const float* x, float* dgain, float* dbias) const {
    const float centre = mean[n];
    const float scale = rstd[n];
    float sum = 0;
    float sum_x = 0;
#pragma omp simd reduction(+ : sum, sum_x)
    for (std::int64_t c = 0; c < width; ++c) {
      const float normalised = (x[c] - centre) * scale;
      dgain[c] += dy[c] * normalised;
      dbias[c] += dy[c];
      sum += dy[c] * gain[c];
      sum_x += dy[c] * gain[c] * normalised;
    }
    return {sum / static_cast<float>(width), sum_x / static_cast<float>(width)};
  }

  /// dx of row n; may be dy.
  void input(std::int64_t n, Means row, const float* dy, const float* x, float* dx) const {
    const float centre = mean[n];
    const float scale = rstd[n];
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c)
      dx[c] = scale * (dy[c] * gain[c] - row.one - (x[c] - centre) * scale * row.x);
  }

  /// Rows [begin, end) of dx (may be dy); finish(first, count, their dx as f32, buffer of as many rows) follows for
  /// every few of them.
  template <class T, class Finish>
  void rows(std::int64_t begin, std::int64_t end, const T* dy, const T* x, T* dx, float* dgain, float* dbias,
            const Finish& finish) const {
    float* buffer = detail::scratch<float, RowBuffers>(2 * together * width);
    for (std::int64_t first = begin; first < end; first += together) {
      const std::int64_t count = std::min(together, end - first);
      const float *gradient[together], *in[together], *done[together];
      Means row[together];
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t at = (first + r) * width;
        gradient[r] = detail::load(dy + at, width, buffer + r * width);
        in[r] = detail::load(x + at, width, buffer + (together + r) * width);
      }
      for (std::int64_t r = 0; r < count; ++r) row[r] = means(first + r, gradient[r], in[r], dgain, dbias);
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t at = (first + r) * width;
        float* out = detail::target(dx + at, buffer + r * width);
        input(first + r, row[r], gradient[r], in[r], out);
        detail::store(out, width, dx + at);
        done[r] = out;
      }
      finish(first, count, done, buffer + together * width);
    }
  }
};

struct Partials;  // names the scratch of the sums over rows

/// rows(begin, end, dgain, dbias) over blocks of rows, each with its own zeroed sums; these are then added in order.
template <class Rows>
void sum_over_rows(detail::Label& label, std::int64_t rows, std::int64_t width, float* dgain, float* dbias,
                   const Rows& body) {
  constexpr std::int64_t most_blocks = 64;
  constexpr std::int64_t fewest_rows = 32;
  const std::int64_t step = std::max(fewest_rows, (rows + most_blocks - 1) / most_blocks);
  const std::int64_t blocks = (rows + step - 1) / step;
  float* partials = detail::scratch<float, Partials>(blocks * 2 * width);
  detail::for_blocks(label, rows, step, [=](std::int64_t begin, std::int64_t end) {
    float* sums = partials + begin / step * 2 * width;
    std::fill_n(sums, 2 * width, 0.0F);
    body(begin, end, sums, sums + width);
  });
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float* sums = partials + block * 2 * width;
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) {
      dgain[c] += sums[c];
      dbias[c] += sums[width + c];
    }
  }
}

}  // namespace

namespace host {

void layer_norm_forward(Queue& queue, const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon,
                        const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  static detail::Label label = "tenfold::layer_norm::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_layer_norm(x, gain, mean, rstd, bias, {{y, "layer_norm: y"}});
  const std::int64_t width = x[1];
  const Forward forward{gain.data<float>(), bias.data<float>(), width, epsilon, mean.data<float>(), rstd.data<float>()};
  detail::by_storage_type(x, "layer_norm: x", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    detail::for_blocks(label, x[0], together, [=](std::int64_t begin, std::int64_t end) {
      float* buffer = detail::scratch<float, RowBuffers>(together * width);
      const float* in[together];
      for (std::int64_t n = begin; n < end; ++n)
        in[n - begin] = detail::load(from + n * width, width, buffer + (n - begin) * width);
      forward.normalise(in, begin, end - begin, buffer, to);
    });
  });
}

void layer_norm_backward(Queue& queue, const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dx, const Tensor& dgain, const Tensor& dbias) {
  static detail::Label label = "tenfold::layer_norm::backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_layer_norm(x, gain, mean, rstd, dbias, {{dy, "layer_norm: dy"}, {dx, "layer_norm: dx"}});
  detail::expect(dgain, DType::f32, {x[1]}, "layer_norm: dgain");
  const Backward backward{gain.data<float>(), x[1], mean.data<float>(), rstd.data<float>()};
  detail::by_storage_type(x, "layer_norm: x", [&]<class T>() {
    const T *gradient = dy.data<T>(), *in = x.data<T>();
    T* to = dx.data<T>();
    const auto rows = [=](std::int64_t begin, std::int64_t end, float* gain_sum, float* bias_sum) {
      backward.rows(begin, end, gradient, in, to, gain_sum, bias_sum, [](auto...) {});
    };
    sum_over_rows(label, x[0], x[1], dgain.data<float>(), dbias.data<float>(), rows);
  });
}

void residual_layer_norm_forward(Queue& queue, const Tensor& branch, const Tensor& residual, const Dropout& dropout,
                                 const Tensor& gain, const Tensor& bias, float epsilon, const Tensor& sum,
                                 const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  static detail::Label label = "tenfold::residual_layer_norm::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_layer_norm(sum, gain, mean, rstd, bias,
                            {{branch, "residual_layer_norm: branch"},
                             {residual, "residual_layer_norm: residual"},
                             {y, "residual_layer_norm: y"}});
  const std::int64_t width = sum[1];
  const detail::RowDropout mask(dropout, sum[0], width);
  const Forward forward{gain.data<float>(), bias.data<float>(), width, epsilon, mean.data<float>(), rstd.data<float>()};
  detail::by_storage_type(sum, "residual_layer_norm: sum", [&]<class T>() {
    const T *added = branch.data<T>(), *stream = residual.data<T>();
    T *sums = sum.data<T>(), *to = y.data<T>();
    detail::for_blocks(label, sum[0], together, [=](std::int64_t begin, std::int64_t end) {
      float* buffer = detail::scratch<float, RowBuffers>((together + 1) * width);
      float* stream_buffer = buffer + together * width;
      const float* in[together];
      const std::uint16_t* draws[together];
      mask.draw(begin, end - begin, draws);
      for (std::int64_t n = begin; n < end; ++n) {
        const std::int64_t at = n * width;
        float* row = buffer + (n - begin) * width;
        float* total = detail::target(sums + at, row);
        mask.apply(draws[n - begin], detail::load(added + at, width, row), total);
        add(detail::load(stream + at, width, stream_buffer), total, width);
        detail::store(total, width, sums + at);
        in[n - begin] = detail::load(sums + at, width, row);  // as backward will see it, rounded
      }
      forward.normalise(in, begin, end - begin, buffer, to);
    });
  });
}

void residual_layer_norm_backward(Queue& queue, const Tensor& dy, const Tensor& sum, const Dropout& dropout,
                                  const Tensor& gain, const Tensor& mean, const Tensor& rstd, const Tensor& dresidual,
                                  const Tensor& dbranch, const Tensor& dgain, const Tensor& dbias) {
  static detail::Label label = "tenfold::residual_layer_norm::backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_layer_norm(sum, gain, mean, rstd, dbias,
                            {{dy, "residual_layer_norm: dy"},
                             {dresidual, "residual_layer_norm: dresidual"},
                             {dbranch, "residual_layer_norm: dbranch"}});
  detail::expect(dgain, DType::f32, {sum[1]}, "residual_layer_norm: dgain");
  const std::int64_t width = sum[1];
  const detail::RowDropout mask(dropout, sum[0], width);
  const Backward backward{gain.data<float>(), width, mean.data<float>(), rstd.data<float>()};
  detail::by_storage_type(sum, "residual_layer_norm: sum", [&]<class T>() {
    const T *gradient = dy.data<T>(), *in = sum.data<T>();
    T *to_residual = dresidual.data<T>(), *to_branch = dbranch.data<T>();
    const auto rows = [=](std::int64_t begin, std::int64_t end, float* gain_sum, float* bias_sum) {
      backward.rows(begin, end, gradient, in, to_residual, gain_sum, bias_sum,
                    [&](std::int64_t first, std::int64_t count, const float* const* whole, float* buffer) {
                      const std::uint16_t* draws[together];
                      mask.draw(first, count, draws);
                      for (std::int64_t r = 0; r < count; ++r) {
                        T* row = to_branch + (first + r) * width;
                        float* masked = detail::target(row, buffer + r * width);
                        mask.apply(draws[r], whole[r], masked);
                        detail::store(masked, width, row);
                      }
                    });
    };
    sum_over_rows(label, sum[0], width, dgain.data<float>(), dbias.data<float>(), rows);
  });
}

}  // namespace host

const Implementation layer_norm_forward_on_host{layer_norm_forward, DeviceKind::host, host::layer_norm_forward};
const Implementation layer_norm_backward_on_host{layer_norm_backward, DeviceKind::host, host::layer_norm_backward};
const Implementation residual_layer_norm_forward_on_host{residual_layer_norm_forward, DeviceKind::host,
                                                         host::residual_layer_norm_forward};
const Implementation residual_layer_norm_backward_on_host{residual_layer_norm_backward, DeviceKind::host,
                                                          host::residual_layer_norm_backward};

}  // namespace tenfold::kernels
