#include "kernels/cuda/detail/rows.cuh"
#include "kernels/detail/gather_rows.hpp"
#include "kernels/gather_rows.hpp"

namespace tenfold::kernels {

namespace {

using namespace ::tenfold::cuda;

template <class T>
__global__ void __launch_bounds__(threads_a_block)
    gather(const T* x, const std::int32_t* index, const std::int32_t* count, T* out, std::int64_t rows, int width) {
  const std::int64_t valid = *count;
  for (std::int64_t r = first_row(); r < rows; r += stride_of_rows()) {
    const T* from = r < valid ? x + std::int64_t{index[r]} * width : nullptr;
    T* to = out + r * width;
    for (int c = first_column(); c < width; c += columns_of_warp) {
      if (from != nullptr)
        copy8(from, to, c, width);
      else
        store8(to, c, width, {});
    }
  }
}

/// Into rows that hold 0.
template <class T>
__global__ void __launch_bounds__(threads_a_block)
    scatter(const T* dout, const std::int32_t* index, const std::int32_t* count, T* dx, int width) {
  const std::int64_t valid = *count;
  for (std::int64_t r = first_row(); r < valid; r += stride_of_rows())
    for (int c = first_column(); c < width; c += columns_of_warp)
      copy8(dout + r * width, dx + std::int64_t{index[r]} * width, c, width);
}

}  // namespace

namespace cuda {

void gather_rows(Queue& queue, const Tensor& x, const Tensor& index, const Tensor& count, const Tensor& out) {
  const Queue::Region region(queue, "tenfold::gather_rows::forward");
  detail::expect_selection(x, out, index, count);
  by_storage_type(x, "gather_rows: x", [&]<class T>() {
    launch(gather<T>, grid_over_rows(out[0]), stream_of(queue), elements<T>(x), index.data<std::int32_t>(),
           count.data<std::int32_t>(), elements<T>(out), out[0], static_cast<int>(x[1]));
  });
}

void scatter_rows(Queue& queue, const Tensor& dout, const Tensor& index, const Tensor& count, const Tensor& dx) {
  const Queue::Region region(queue, "tenfold::gather_rows::backward");
  detail::expect_selection(dx, dout, index, count);
  by_storage_type(dx, "scatter_rows: dx", [&]<class T>() {
    queue.clear(dx);
    launch(scatter<T>, grid_over_rows(dout[0]), stream_of(queue), elements<T>(dout), index.data<std::int32_t>(),
           count.data<std::int32_t>(), elements<T>(dx), static_cast<int>(dx[1]));
  });
}

}  // namespace cuda

const Implementation gather_rows_on_cuda{gather_rows, DeviceKind::cuda, cuda::gather_rows};
const Implementation scatter_rows_on_cuda{scatter_rows, DeviceKind::cuda, cuda::scatter_rows};

}  // namespace tenfold::kernels
