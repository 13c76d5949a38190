#include "kernels/cuda/detail/random.cuh"
#include "kernels/cuda/detail/rows.cuh"
#include "kernels/detail/dropout.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

template <class T>
__global__ void __launch_bounds__(threads_a_block)
    mask_rows(const T* x, const std::int32_t* sequence, const DropoutView dropout, T* y, std::int64_t rows, int width) {
  for (std::int64_t n = first_row(); n < rows; n += stride_of_rows()) {
    const bool filled = sequence[n] >= 0;
    for (int c = first_column(); c < width; c += columns_of_warp) {
      float values[8] = {};
      if (filled) {
        load8(x + n * width, c, width, values);
        dropout.apply(n, c, width, values);
      }
      store8(y + n * width, c, width, values);
    }
  }
}

/// Forward and backward are one map: mask and scale.
void run(Queue& queue, const Tensor& x, const Dropout& dropout, const Tensor& y) {
  detail::expect_dropout(x, y);
  const PackedView packed(dropout.rows, x[0], "dropout: rows");
  const DropoutView view(dropout, x[0]);
  by_storage_type(x, "dropout: input", [&]<class T>() {
    launch(mask_rows<T>, grid_over_rows(x[0]), stream_of(queue), elements<T>(x), packed.sequence, view, elements<T>(y),
           x[0], static_cast<int>(x[1]));
  });
}

}  // namespace

namespace cuda {

void dropout_forward(Queue& queue, const Tensor& x, const Dropout& dropout, const Tensor& y) {
  const Queue::Region region(queue, "tenfold::dropout::forward");
  run(queue, x, dropout, y);
}

void dropout_backward(Queue& queue, const Tensor& dy, const Dropout& dropout, const Tensor& dx) {
  const Queue::Region region(queue, "tenfold::dropout::backward");
  run(queue, dy, dropout, dx);
}

}  // namespace cuda

const Implementation dropout_forward_on_cuda{dropout_forward, DeviceKind::cuda, cuda::dropout_forward};
const Implementation dropout_backward_on_cuda{dropout_backward, DeviceKind::cuda, cuda::dropout_backward};

}  // namespace tenfold::kernels
