#include "kernels/embedding.hpp"

#include <algorithm>

#include "kernels/host/detail/bfloat16.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/operands.hpp"

namespace tenfold::kernels {

namespace {

/// tokens: i32 of as many entries as there are rows, each a row of the table.
void verify_tokens(const Tensor& tokens, std::int64_t rows, std::int64_t vocabulary, const char* name) {
  detail::expect(tokens, DType::i32, {rows}, name);
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

void embedding_forward(Queue& queue, const Tensor& tokens, const Tensor& table, const Tensor& positions,
                       const Tensor& out) {
  static detail::Label label = "tenfold::embedding::forward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(table.shape().rank() == 2 && out.shape().rank() == 2, "table ", table.shape().describe(), ", out ",
                 out.shape().describe());
  const std::int64_t width = table[1];
  const std::int64_t length = positions ? positions[0] : 1;
  detail::expect(out, table.dtype(), {out[0], width}, "embedding_forward: out");
  if (positions) {
    detail::expect(positions, table.dtype(), {length, width}, "embedding_forward: positions");
    TENFOLD_VERIFY(length > 0 && out[0] % length == 0, out[0], " rows, ", length, " positions");
  }
  verify_tokens(tokens, out[0], table[0], "embedding_forward: tokens");
  detail::by_storage_type(table, "embedding_forward: table", [&]<class T>() {
    const auto* token = tokens.data<std::int32_t>();
    const T* rows = table.data<T>();
    const T* added = positions ? positions.data<T>() : nullptr;
    T* to = out.data<T>();
    detail::for_blocks(label, out[0], detail::rows_per_block(width), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const T* from = rows + token[n] * width;
        if (added != nullptr)
          add_rows(from, added + n % length * width, to + n * width, width);
        else
          std::copy_n(from, width, to + n * width);
      }
    });
  });
}

void embedding_backward(Queue& queue, const Tensor& tokens, const Tensor& lengths, const Tensor& dout,
                        const Tensor& dtable, const Tensor& dpositions) {
  static detail::Label label = "tenfold::embedding::backward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(dtable.shape().rank() == 2 && dout.shape().rank() == 2 && lengths.shape().rank() == 1, "dtable ",
                 dtable.shape().describe(), ", dout ", dout.shape().describe(), ", lengths ",
                 lengths.shape().describe());
  const std::int64_t rows = dout[0];
  const std::int64_t width = dtable[1];
  const std::int64_t batch = lengths[0];
  TENFOLD_VERIFY(batch > 0 && rows % batch == 0, rows, " rows for ", batch, " lengths");
  const std::int64_t length = rows / batch;
  detail::expect(dout, dout.dtype(), {rows, width}, "embedding_backward: dout");
  detail::expect(lengths, DType::i32, {batch}, "embedding_backward: lengths");
  detail::expect(dtable, DType::f32, {dtable[0], width}, "embedding_backward: dtable");
  if (dpositions) detail::expect(dpositions, DType::f32, {length, width}, "embedding_backward: dpositions");
  verify_tokens(tokens, rows, dtable[0], "embedding_backward: tokens");
  detail::by_storage_type(dout, "embedding_backward: dout", [&]<class T>() {
    const auto* token = tokens.data<std::int32_t>();
    const auto* valid = lengths.data<std::int32_t>();
    const T* from = dout.data<T>();
    float* to = dtable.data<float>();
    // A table row is summed by one thread in row order, whatever the number of threads.
    const std::int64_t parts = Kokkos::DefaultHostExecutionSpace().concurrency();
    detail::for_blocks(label, parts, 1, [=](std::int64_t part, std::int64_t) {
      for (std::int64_t n = 0; n < rows; ++n)
        if (token[n] % parts == part && n % length < valid[n / length])
          accumulate(from + n * width, to + token[n] * width, width);
    });
  });
  if (dpositions) positions_backward(queue, lengths, dout, dpositions);
}

void positions_forward(Queue& queue, const Tensor& positions, const Tensor& x) {
  static detail::Label label = "tenfold::positions::forward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(positions.shape().rank() == 2 && x.shape().rank() == 2 && positions[0] > 0 && x[0] % positions[0] == 0,
                 "positions ", positions.shape().describe(), " for rows ", x.shape().describe());
  const std::int64_t length = positions[0];
  const std::int64_t width = positions[1];
  detail::expect(x, positions.dtype(), {x[0], width}, "positions_forward: x");
  detail::by_storage_type(x, "positions_forward: x", [&]<class T>() {
    const T* added = positions.data<T>();
    T* to = x.data<T>();
    detail::for_blocks(label, x[0], detail::rows_per_block(width), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n)
        add_rows(to + n * width, added + n % length * width, to + n * width, width);
    });
  });
}

void positions_backward(Queue& queue, const Tensor& lengths, const Tensor& dx, const Tensor& dpositions) {
  static detail::Label label = "tenfold::positions::backward";
  const Queue::Region region(queue, label.c_str());
  TENFOLD_VERIFY(dpositions.shape().rank() == 2 && lengths.shape().rank() == 1, "dpositions ",
                 dpositions.shape().describe(), ", lengths ", lengths.shape().describe());
  const std::int64_t length = dpositions[0];
  const std::int64_t width = dpositions[1];
  const std::int64_t batch = lengths[0];
  detail::expect(dx, dx.dtype(), {batch * length, width}, "positions_backward: dx");
  detail::expect(lengths, DType::i32, {batch}, "positions_backward: lengths");
  detail::expect(dpositions, DType::f32, {length, width}, "positions_backward: dpositions");
  detail::by_storage_type(dx, "positions_backward: dx", [&]<class T>() {
    const auto* valid = lengths.data<std::int32_t>();
    const T* from = dx.data<T>();
    float* position = dpositions.data<float>();
    detail::for_blocks(label, length, 1, [=](std::int64_t t, std::int64_t) {
      for (std::int64_t b = 0; b < batch; ++b)
        if (t < valid[b]) accumulate(from + (b * length + t) * width, position + t * width, width);
    });
  });
}

}  // namespace tenfold::kernels
