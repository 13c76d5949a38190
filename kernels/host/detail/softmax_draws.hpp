#pragma once
// Exact draws from softmax(logits / temperature) of one row, one after another, each token drawn leaving the row if so
// wished: the law of Gumbel arg-max and top-k without a random number and two logarithms for every logit. Cheap upper
// bounds of the exponentials are summed over blocks of the vocabulary; a draw goes by inverse distribution to a block,
// then to a token, and stands with probability exponential / bound, which is at least 0.94. Otherwise it is made anew.

#include <cmath>

#include "base/random.hpp"

namespace tenfold::kernels::detail {

/// Tokens of a block; rows are padded to whole blocks with `removed`.
inline constexpr std::int64_t draw_block = 256;
/// Weights that are drawn among come in groups of this many.
inline constexpr std::int64_t draw_lanes = 16;
/// The logit of a token that is not to be drawn.
inline constexpr float removed = -1e30F;

/// The random numbers of one row: 65536 Philox blocks of (key, step, sample) from position 65536 t on.
class DrawStream {
 public:
  struct Numbers {
    double place;   ///< uniform in [0, 1) with 53 bits
    double accept;  ///< uniform in [0, 1) with 32 bits
  };
  DrawStream(std::uint64_t key, std::uint32_t step, std::uint64_t sample, std::int64_t t)
      : key_(key), sample_(sample), step_(step), position_(static_cast<std::uint32_t>(t) << 16U) {}
  Numbers next() {
    const auto words = philox(key_, position_++, step_, sample_);
    return {(words[0] * 0x1p-32 + (words[1] >> 11U) * 0x1p-53), words[2] * 0x1p-32};
  }

 private:
  std::uint64_t key_;
  std::uint64_t sample_;
  std::uint32_t step_;
  std::uint32_t position_;
};

/// Where the logits of a row lie: block b at first + (b / per_tile) * tile_stride + b % per_tile * draw_block.
struct RowLogits {
  float* first;
  std::int64_t per_tile;
  std::int64_t tile_stride;
  float* block(std::int64_t b) const { return first + b / per_tile * tile_stride + b % per_tile * draw_block; }
};

/// The mass of each block of a row: sum * 2^exponent bounds the sum of 2^(logit * scale) over its tokens from above;
/// scale = log2(e) / temperature. Tokens whose logit is not finite have none. Arrays of padded_blocks(blocks).
struct RowMasses {
  float* sum;
  float* exponent;

  static std::int64_t padded_blocks(std::int64_t blocks) { return (blocks + draw_lanes - 1) / draw_lanes * draw_lanes; }
  void measure(std::int64_t block, const float* logits, float scale) const;
  /// Those that stand for no block.
  void clear(std::int64_t begin, std::int64_t end) const;
};

/// One token of `blocks` measured blocks, or -1 if none has mass.
std::int32_t draw_token(const RowLogits& logits, const RowMasses& masses, std::int64_t blocks, float scale,
                        DrawStream& stream);

/// The token is not drawn again.
void remove_token(const RowLogits& logits, const RowMasses& masses, std::int32_t token, float scale);

}  // namespace tenfold::kernels::detail
