#include "kernels/dropout.hpp"

#include <algorithm>

#include "kernels/detail/dropout.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/row_dropout.hpp"

namespace tenfold::kernels {

namespace {

struct RowBuffer;  // names the scratch in which rows of bf16 are computed

/// Forward and backward are one map: mask and scale.
void mask_rows(detail::Label& label, const Tensor& x, const Dropout& dropout, const Tensor& y) {
  detail::expect_dropout(x, y);
  const std::int64_t width = x[1];
  const std::int64_t filled = detail::PackedView(dropout.rows, x[0], "dropout: rows").filled();
  const detail::RowDropout mask(dropout, x[0], width);
  detail::by_storage_type(x, "dropout: input", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    detail::for_blocks(label, x[0], detail::rows_per_block(width), [=](std::int64_t first, std::int64_t last) {
      float* buffer = detail::scratch<float, RowBuffer>(width);
      for (std::int64_t n = first; n < last; ++n) {
        if (n >= filled) {
          std::fill_n(to + n * width, width, detail::from_float<T>(0));
          continue;
        }
        float* out = detail::target(to + n * width, buffer);
        const std::uint16_t* draws = nullptr;
        mask.draw(n, 1, &draws);
        mask.apply(draws, detail::load(from + n * width, width, buffer), out);
        detail::store(out, width, to + n * width);
      }
    });
  });
}

}  // namespace

namespace host {

void dropout_forward(Queue& queue, const Tensor& x, const Dropout& dropout, const Tensor& y) {
  static detail::Label label = "tenfold::dropout::forward";
  const Queue::Region region(queue, label.c_str());
  mask_rows(label, x, dropout, y);
}

void dropout_backward(Queue& queue, const Tensor& dy, const Dropout& dropout, const Tensor& dx) {
  static detail::Label label = "tenfold::dropout::backward";
  const Queue::Region region(queue, label.c_str());
  mask_rows(label, dy, dropout, dx);
}

}  // namespace host

const Implementation dropout_forward_on_host{dropout_forward, DeviceKind::host, host::dropout_forward};
const Implementation dropout_backward_on_host{dropout_backward, DeviceKind::host, host::dropout_backward};

}  // namespace tenfold::kernels
