#include "kernels/gather_rows.hpp"

#include <cstring>

#include "kernels/detail/gather_rows.hpp"
#include "kernels/host/detail/blocks.hpp"

namespace tenfold::kernels {

namespace {

/// Checks a selection of rows of `all` [N, d] into `selected` [R, d]; returns how many of its entries are valid.
std::int64_t verify_selection(const Tensor& all, const Tensor& selected, const Tensor& index, const Tensor& count) {
  detail::expect_selection(all, selected, index, count);
  const std::int64_t valid = *count.data<std::int32_t>();
  TENFOLD_VERIFY(valid >= 0 && valid <= selected[0], "count ", valid, " of ", selected[0], " rows");
  const auto* rows = index.data<std::int32_t>();
  for (std::int64_t r = 0; r < valid; ++r)
    TENFOLD_VERIFY(rows[r] >= 0 && rows[r] < all[0], "row ", rows[r], " of ", all[0]);
  return valid;
}

}  // namespace

namespace host {

void gather_rows(Queue& queue, const Tensor& x, const Tensor& index, const Tensor& count, const Tensor& out) {
  static detail::Label label = "tenfold::gather_rows::forward";
  const Queue::Region region(queue, label.c_str());
  const std::int64_t valid = verify_selection(x, out, index, count);
  const std::size_t row = static_cast<std::size_t>(x[1]) * size_of(x.dtype());
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(out.raw());
  const auto* rows = index.data<std::int32_t>();
  detail::for_blocks(label, out[0], detail::rows_per_block(x[1]), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (r < valid)
        std::memcpy(to + r * row, from + rows[r] * row, row);
      else
        std::memset(to + r * row, 0, row);
    }
  });
}

void scatter_rows(Queue& queue, const Tensor& dout, const Tensor& index, const Tensor& count, const Tensor& dx) {
  static detail::Label label = "tenfold::gather_rows::backward";
  const Queue::Region region(queue, label.c_str());
  const std::int64_t valid = verify_selection(dx, dout, index, count);
  const std::size_t row = static_cast<std::size_t>(dx[1]) * size_of(dx.dtype());
  const auto* from = static_cast<const std::byte*>(dout.raw());
  auto* to = static_cast<std::byte*>(dx.raw());
  const auto* rows = index.data<std::int32_t>();
  const std::int64_t step = detail::rows_per_block(dx[1]);
  detail::for_blocks(label, dx[0], step, [=](std::int64_t begin, std::int64_t end) {
    std::memset(to + begin * row, 0, (end - begin) * row);
  });
  detail::for_blocks(label, valid, step, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) std::memcpy(to + rows[r] * row, from + r * row, row);
  });
}

}  // namespace host

const Implementation gather_rows_on_host{gather_rows, DeviceKind::host, host::gather_rows};
const Implementation scatter_rows_on_host{scatter_rows, DeviceKind::host, host::scatter_rows};

}  // namespace tenfold::kernels
