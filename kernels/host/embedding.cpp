#include "kernels/embedding.hpp"

#include <algorithm>

#include "kernels/detail/embedding.hpp"
#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/packed_view.hpp"

namespace tenfold::kernels {

namespace {

/// Each is a row of the table.
void verify_tokens(const Tensor& tokens, std::int64_t vocabulary) {
  const std::int64_t rows = tokens.elements();
  const auto* token = tokens.data<std::int32_t>();
  std::int32_t least = 0;
  std::int32_t greatest = 0;
#pragma omp simd reduction(min : least) reduction(max : greatest)
  for (std::int64_t i = 0; i < rows; ++i) {
    least = std::min(least, token[i]);
    greatest = std::max(greatest, token[i]);
  }
  TENFOLD_VERIFY(least >= 0 && greatest < vocabulary, "token ", least < 0 ? least : greatest,
                 " outside the vocabulary of ", vocabulary);
}

/// positions: [T, d] for sequences of at most T tokens.
void verify_lengths(const detail::PackedView& rows, const Tensor& positions, const char* name) {
  for (std::int64_t b = 0; b < rows.sequences; ++b)
    TENFOLD_VERIFY(rows.length(b) <= positions[0], name, ": sequence ", b, " has ", rows.length(b),
                   " tokens, there are ", positions[0], " positions");
}

template <class T>
void add_rows(const T* a, const T* b, T* out, std::int64_t width) {
#pragma omp simd
  for (std::int64_t c = 0; c < width; ++c)
    out[c] = detail::from_float<T>(detail::to_float(a[c]) + detail::to_float(b[c]));
}

template <class T>
void accumulate(const T* from, float* to, std::int64_t width) {
#pragma omp simd
  for (std::int64_t c = 0; c < width; ++c) to[c] += detail::to_float(from[c]);
}

}  // namespace

namespace host {

void embedding_forward(Queue& queue, const Tensor& tokens, const PackedRows& rows, const Tensor& table,
                       const Tensor& positions, const Tensor& out) {
  static detail::Label label = "tenfold::embedding::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_embedding_forward(tokens, table, positions, out);
  const std::int64_t width = table[1];
  const detail::PackedView packed(rows, out[0], "embedding_forward: rows");
  verify_tokens(tokens, table[0]);
  if (positions) verify_lengths(packed, positions, "embedding_forward: positions");
  detail::by_storage_type(table, "embedding_forward: table", [&]<class T>() {
    const auto* token = tokens.data<std::int32_t>();
    const T* entries = table.data<T>();
    const T* added = positions ? positions.data<T>() : nullptr;
    T* to = out.data<T>();
    detail::for_blocks(label, out[0], detail::rows_per_block(width), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const T* from = entries + token[n] * width;
        if (n >= packed.filled())
          std::fill_n(to + n * width, width, detail::from_float<T>(0));
        else if (added != nullptr)
          add_rows(from, added + packed.position(n) * width, to + n * width, width);
        else
          std::copy_n(from, width, to + n * width);
      }
    });
  });
}

void embedding_backward(Queue& queue, const Tensor& tokens, const PackedRows& rows, const Tensor& dout,
                        const Tensor& dtable, const Tensor& dpositions) {
  static detail::Label label = "tenfold::embedding::backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_embedding_backward(tokens, dout, dtable);
  const std::int64_t width = dtable[1];
  const std::int64_t filled = detail::PackedView(rows, dout[0], "embedding_backward: rows").filled();
  verify_tokens(tokens, dtable[0]);
  detail::by_storage_type(dout, "embedding_backward: dout", [&]<class T>() {
    const auto* token = tokens.data<std::int32_t>();
    const T* from = dout.data<T>();
    float* to = dtable.data<float>();
    // A table row is summed by one thread in row order, whatever the number of threads.
    const std::int64_t parts = detail::threads();
    detail::for_blocks(label, parts, 1, [=](std::int64_t part, std::int64_t) {
      for (std::int64_t n = 0; n < filled; ++n)
        if (token[n] % parts == part) accumulate(from + n * width, to + token[n] * width, width);
    });
  });
  if (dpositions) positions_backward(queue, rows, dout, dpositions);
}

void positions_forward(Queue& queue, const PackedRows& rows, const Tensor& positions, const Tensor& x) {
  static detail::Label label = "tenfold::positions::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_positions(positions, x.dtype(), x, "positions_forward: positions");
  const std::int64_t width = x[1];
  const detail::PackedView packed(rows, x[0], "positions_forward: rows");
  verify_lengths(packed, positions, "positions_forward: positions");
  detail::by_storage_type(x, "positions_forward: x", [&]<class T>() {
    const T* added = positions.data<T>();
    T* to = x.data<T>();
    detail::for_blocks(label, packed.filled(), detail::rows_per_block(width),
                       [=](std::int64_t begin, std::int64_t end) {
                         for (std::int64_t n = begin; n < end; ++n)
                           add_rows(to + n * width, added + packed.position(n) * width, to + n * width, width);
                       });
  });
}

void positions_backward(Queue& queue, const PackedRows& rows, const Tensor& dx, const Tensor& dpositions) {
  static detail::Label label = "tenfold::positions::backward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_positions(dpositions, DType::f32, dx, "positions_backward: dpositions");
  const std::int64_t width = dx[1];
  const detail::PackedView packed(rows, dx[0], "positions_backward: rows");
  verify_lengths(packed, dpositions, "positions_backward: dpositions");
  detail::by_storage_type(dx, "positions_backward: dx", [&]<class T>() {
    const T* from = dx.data<T>();
    float* position = dpositions.data<float>();
    detail::for_blocks(label, dpositions[0], 1, [=](std::int64_t t, std::int64_t) {
      for (std::int64_t b = 0; b < packed.sequences; ++b)
        if (t < packed.length(b)) accumulate(from + (packed.offsets[b] + t) * width, position + t * width, width);
    });
  });
}

}  // namespace host

const Implementation embedding_forward_on_host{embedding_forward, DeviceKind::host, host::embedding_forward};
const Implementation embedding_backward_on_host{embedding_backward, DeviceKind::host, host::embedding_backward};
const Implementation positions_forward_on_host{positions_forward, DeviceKind::host, host::positions_forward};
const Implementation positions_backward_on_host{positions_backward, DeviceKind::host, host::positions_backward};

}  // namespace tenfold::kernels
