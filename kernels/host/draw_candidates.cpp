#include <algorithm>

#include "kernels/gumbel.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/operands.hpp"
#include "kernels/host/detail/product.hpp"
#include "kernels/host/detail/softmax_draws.hpp"

namespace tenfold::kernels {
namespace {

/// Rows of one product. Always as many, the last ones zero if need be: the bits of a row then do not depend on how many
/// there are.
constexpr std::int64_t tile_rows = 128;
constexpr std::int64_t widest_tile = 1024;

/// The vocabulary cut into tiles of equal width, the last one filled up with tokens that are never drawn.
struct Tiles {
  std::int64_t vocabulary, width, tokens, count;
  DType type;

  Tiles(const std::int64_t vocabulary_, std::int64_t width_, DType type_)
      : vocabulary(vocabulary_), width(width_), type(type_) {
    const std::int64_t whole_blocks = (vocabulary + detail::draw_block - 1) / detail::draw_block * detail::draw_block;
    tokens = std::min(widest_tile, whole_blocks);
    count = (vocabulary + tokens - 1) / tokens;
  }
  std::int64_t blocks() const { return count * tokens / detail::draw_block; }
  std::int64_t padded_blocks() const { return detail::RowMasses::padded_blocks(blocks()); }
  std::int64_t row_bytes() const { return width * static_cast<std::int64_t>(size_of(type)); }
  detail::Product& product() const {
    return detail::Product::of({tile_rows, tokens, width, type, DType::f32, true});
  }
};

/// What the workspace holds.
struct Workspace {
  std::byte* begin;
  std::int64_t bytes = 0;
  std::byte* table;   ///< [tile] packed for the product, `table_step` bytes apart
  std::int64_t table_step;
  float* bias;        ///< [tile, token]
  std::byte* hidden;  ///< [row, width]
  float* logits;      ///< [tile, row, token]
  float* sums;        ///< [row, padded block]
  float* exponents;   ///< [row, padded block]

  Workspace(const Tiles& tiles, void* memory) : begin(static_cast<std::byte*>(memory)) {
    table_step = (tiles.product().layout().bytes + 63) / 64 * 64;
    table = take<std::byte>(tiles.count * table_step);
    bias = take<float>(tiles.count * tiles.tokens);
    hidden = take<std::byte>(tile_rows * tiles.row_bytes());
    logits = take<float>(tiles.count * tile_rows * tiles.tokens);
    sums = take<float>(tile_rows * tiles.padded_blocks());
    exponents = take<float>(tile_rows * tiles.padded_blocks());
  }

 private:
  template <class T>
  T* take(std::int64_t count) {
    T* first = reinterpret_cast<T*>(begin + bytes);
    bytes += (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
    return first;
  }
};

struct Operands {
  const std::byte *hidden, *table;
  const float* bias;
  const std::int32_t *truth, *lengths, *excluded;
  std::int64_t excluded_count, batch;
  CandidateDraws law;
  std::uint32_t step;
  const std::int64_t* samples;
  float scale;  ///< log2(e) / temperature
  std::int64_t draws, slots;
  std::int32_t* negatives;
};

/// The table packed and the bias copied, without mass for what is not to be drawn.
void pack_table(const Operands& operands, const Tiles& tiles, const Workspace& workspace) {
  static detail::Label label = "tenfold::draw_candidates::pack";
  const detail::BlockedLayout& layout = tiles.product().layout();
  const std::int64_t tile_blocks = layout.padded[0] / layout.block(0);
  detail::for_blocks(label, tiles.count, 1, [&](std::int64_t tile, std::int64_t) {
    const std::int64_t first = tile * tiles.tokens, count = std::min(tiles.tokens, tiles.vocabulary - first);
    const detail::Matrix rows{operands.table + first * tiles.row_bytes(), tiles.type, count, tiles.width, tiles.width,
                              1};
    detail::pack(rows, layout, 0, tile_blocks, workspace.table + tile * workspace.table_step);
  });
  std::copy_n(operands.bias, tiles.vocabulary, workspace.bias);
  std::fill(workspace.bias + tiles.vocabulary, workspace.bias + tiles.count * tiles.tokens, detail::removed);
  for (std::int64_t i = 0; i < operands.excluded_count; ++i) workspace.bias[operands.excluded[i]] = detail::removed;
}

detail::RowMasses masses_of(const Tiles& tiles, const Workspace& workspace, std::int64_t row) {
  return {workspace.sums + row * tiles.padded_blocks(), workspace.exponents + row * tiles.padded_blocks()};
}

/// Logits of a tile of the rows n[0 .. count) and, while they are in cache, the masses of their blocks.
void measure_tile(const Operands& operands, const Tiles& tiles, const Workspace& workspace, std::int64_t tile,
                  const std::int64_t* n, std::int64_t count) {
  static detail::Label label = "tenfold::draw_candidates::measure";
  float* logits = workspace.logits + tile * tile_rows * tiles.tokens;
  tiles.product().execute(workspace.hidden, workspace.table + tile * workspace.table_step,
                          workspace.bias + tile * tiles.tokens, logits);
  detail::for_blocks(label, count, 1, [&](std::int64_t r, std::int64_t) {
    float* row = logits + r * tiles.tokens;
    const std::int64_t truth = operands.truth[n[r]] - tile * tiles.tokens;
    if (!operands.law.with_replacement && truth >= 0 && truth < tiles.tokens) row[truth] = detail::removed;
    const detail::RowMasses masses = masses_of(tiles, workspace, r);
    const std::int64_t blocks = tiles.tokens / detail::draw_block;
    for (std::int64_t b = 0; b < blocks; ++b)
      masses.measure(tile * blocks + b, row + b * detail::draw_block, operands.scale);
  });
}

/// The draws of a measured row n, the r-th of its tile.
void draw_row(const Operands& operands, const Tiles& tiles, const Workspace& workspace, std::int64_t r, std::int64_t n) {
  const std::int64_t length = operands.law.draws.length;
  detail::DrawStream stream(operands.law.draws.key, operands.step,
                            static_cast<std::uint64_t>(operands.samples[n / length]), n % length);
  const detail::RowMasses masses = masses_of(tiles, workspace, r);
  const detail::RowLogits logits{workspace.logits + r * tiles.tokens, tiles.tokens / detail::draw_block,
                                 tile_rows * tiles.tokens};
  for (std::int64_t draw = 0; draw < operands.draws; ++draw) {
    const std::int32_t token = detail::draw_token(logits, masses, tiles.blocks(), operands.scale, stream);
    if (token < 0) return;
    operands.negatives[n * operands.slots + draw] = token;
    if (!operands.law.with_replacement) detail::remove_token(logits, masses, token, operands.scale);
  }
}

/// Candidates of the rows n[0 .. count), count <= tile_rows.
void draw_tile(const Operands& operands, const Tiles& tiles, const Workspace& workspace, const std::int64_t* n,
               std::int64_t count) {
  static detail::Label label = "tenfold::draw_candidates::draw";
  const std::int64_t bytes = tiles.row_bytes();
  for (std::int64_t r = 0; r < count; ++r)
    std::copy_n(operands.hidden + n[r] * bytes, bytes, workspace.hidden + r * bytes);
  std::fill(workspace.hidden + count * bytes, workspace.hidden + tile_rows * bytes, std::byte{0});
  for (std::int64_t r = 0; r < count; ++r)
    masses_of(tiles, workspace, r).clear(tiles.blocks(), tiles.padded_blocks());
  for (std::int64_t tile = 0; tile < tiles.count; ++tile)
    measure_tile(operands, tiles, workspace, tile, n, count);
  detail::for_blocks(label, count, 1,
                     [&](std::int64_t r, std::int64_t) { draw_row(operands, tiles, workspace, r, n[r]); });
}

}  // namespace

std::int64_t candidate_workspace_bytes(std::int64_t vocabulary, std::int64_t width, DType type) {
  return Workspace(Tiles(vocabulary, width, type), nullptr).bytes;
}

void draw_candidates(Queue& queue, const Tensor& hidden, const Tensor& table, const Tensor& bias, const Tensor& truth,
                     const Tensor& lengths, const Tensor& excluded, const CandidateDraws& draws,
                     const Tensor& temperature, const Tensor& count, const Tensor& negatives, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::draw_candidates::forward");
  const Tiles tiles(table[0], table[1], table.dtype());
  const Workspace memory(tiles, workspace.raw());
  const Operands operands{
      static_cast<const std::byte*>(hidden.raw()),
      static_cast<const std::byte*>(table.raw()),
      bias.data<float>(),
      truth.data<std::int32_t>(),
      lengths.data<std::int32_t>(),
      excluded.data<std::int32_t>(),
      excluded[0],
      lengths[0],
      draws,
      static_cast<std::uint32_t>(*draws.draws.step.data<std::int64_t>()),
      draws.draws.samples.data<std::int64_t>(),
      1.44269504F / *temperature.data<float>(),
      *count.data<std::int32_t>(),
      negatives[1],
      negatives.data<std::int32_t>(),
  };
  pack_table(operands, tiles, memory);
  std::fill_n(operands.negatives, negatives.elements(), -1);
  std::int64_t rows[tile_rows];
  std::int64_t used = 0;
  const std::int64_t length = draws.draws.length;
  for (std::int64_t b = 0; b < operands.batch; ++b)
    for (std::int64_t t = 0; t < operands.lengths[b]; ++t) {
      rows[used++] = b * length + t;
      if (used < tile_rows) continue;
      draw_tile(operands, tiles, memory, rows, used);
      used = 0;
    }
  if (used > 0) draw_tile(operands, tiles, memory, rows, used);
}

}  // namespace tenfold::kernels
