#pragma once
// How attention on CUDA divides the memory that it keeps for backward and that it works in.

#include <algorithm>

#include "kernels/attention.hpp"

namespace tenfold::cuda::attention {

constexpr int own_rows = 64;  ///< of a sequence: what a block has, 16 a warp

inline std::int64_t tiles_of(std::int64_t length) {
  return (length + own_rows - 1) / own_rows;
}
inline std::int64_t words_of(std::int64_t length) {
  return (length + 31) / 32;
}

/// Elements from one head to the next where each row has one: copies are of four, aligned.
inline std::int64_t stride_of(std::int64_t rows) {
  return (rows + 3) / 4 * 4;
}

/// Divides one piece of memory.
class Pieces {
 public:
  explicit Pieces(std::uint8_t* base) : base_(base) {}
  template <class Element>
  Element* take(std::int64_t count) {
    constexpr std::int64_t alignment = 128;
    const std::int64_t start = bytes_;
    bytes_ += (count * static_cast<std::int64_t>(sizeof(Element)) + alignment - 1) / alignment * alignment;
    return base_ == nullptr ? nullptr : reinterpret_cast<Element*>(base_ + start);
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::uint8_t* base_;
  std::int64_t bytes_ = 0;
};

/// What forward keeps.
struct Saved : Pieces {
  std::int32_t* biased;
  float* bias;
  float* logsumexp;
  std::uint32_t* kept;
  std::uint8_t* context;
  Saved(const kernels::AttentionShape& shape, DType type, std::uint8_t* base)
      : Pieces(base),
        biased(take<std::int32_t>(1)),
        bias(take<float>(shape.heads * shape.length * shape.length)),
        logsumexp(take<float>(shape.heads * stride_of(shape.rows))),
        kept(take<std::uint32_t>(shape.heads * stride_of(shape.rows) * words_of(shape.length))),
        context(take<std::uint8_t>(shape.rows * shape.heads * shape.head_width *
                                   static_cast<std::int64_t>(size_of(type)))) {}
};

struct Workspace : Pieces {
  std::int64_t parts;  ///< of the sequences, at most, whose sums of dS are added up afterwards: enough for a large GPU
  float* along;
  float* sums;
  Workspace(const kernels::AttentionShape& shape, std::uint8_t* base)
      : Pieces(base),
        parts(std::clamp<std::int64_t>(
            512 / std::max<std::int64_t>(1, shape.heads * tiles_of(shape.length) * tiles_of(shape.length)), 1, 8)),
        along(take<float>(shape.heads * stride_of(shape.rows))),
        sums(take<float>(parts > 1 ? parts * shape.heads * shape.length * shape.length : 0)) {}
};

}  // namespace tenfold::cuda::attention
