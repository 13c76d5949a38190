#include "kernels/draw_candidates.hpp"

#include <algorithm>
#include <numbers>

#include "kernels/detail/draw_candidates.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/packed_view.hpp"
#include "kernels/host/detail/product.hpp"
#include "kernels/host/detail/softmax_draws.hpp"

namespace tenfold::kernels {
namespace {

/// How rows and vocabulary are cut. Tiles are always whole, filled up with rows of zeros and with tokens that are never
/// drawn, and position t of any sequence is row t % rows of a tile: the bits of a row then depend neither on what else
/// is in the batch nor on where in it the row lies.
struct Tiles {
  static constexpr std::int64_t most_rows = 128;
  static constexpr std::int64_t most_logits = 131072;  ///< of one product: they stay in cache for the masses

  std::int64_t vocabulary, width;
  DType type;
  std::int64_t rows;    ///< the table is read once for so many: the more bytes it has, the more
  std::int64_t tokens;  ///< of a tile of the vocabulary
  std::int64_t count;   ///< tiles of the vocabulary

  Tiles(const Tensor& table) : Tiles(table[0], table[1], table.dtype()) {}
  Tiles(std::int64_t vocabulary_size, std::int64_t table_width, DType table_type)
      : vocabulary(vocabulary_size), width(table_width), type(table_type) {
    rows = type == DType::f32 ? most_rows : most_rows / 2;
    const std::int64_t whole_blocks = (vocabulary + detail::draw_block - 1) / detail::draw_block * detail::draw_block;
    tokens = std::min(most_logits / rows, whole_blocks);
    count = (vocabulary + tokens - 1) / tokens;
  }
  std::int64_t blocks() const { return count * tokens / detail::draw_block; }
  std::int64_t padded_blocks() const { return detail::RowMasses::padded_blocks(blocks()); }
  std::int64_t row_bytes() const { return width * static_cast<std::int64_t>(size_of(type)); }
  detail::Product& product() const { return detail::Product::of({rows, tokens, width, type, DType::f32, true}); }
};

/// What lies where in the workspace.
struct Workspace {
  std::byte* table;  ///< [tile] packed for the product, table_step bytes apart
  std::int64_t table_step;
  float* bias;        ///< [tile, token]
  std::byte* hidden;  ///< [row, width]
  float* logits;      ///< [tile, row, token]
  float* sums;        ///< [row, padded block]
  float* exponents;   ///< [row, padded block]
  std::int64_t bytes = 0;

  Workspace(const Tiles& tiles, void* memory)
      : table_step(whole_lines(detail::packed_bytes(tiles.tokens, tiles.width, tiles.type))) {
    auto* begin = static_cast<std::byte*>(memory);
    table = take<std::byte>(begin, tiles.count * table_step);
    bias = take<float>(begin, tiles.count * tiles.tokens);
    hidden = take<std::byte>(begin, tiles.rows * tiles.row_bytes());
    logits = take<float>(begin, tiles.count * tiles.rows * tiles.tokens);
    sums = take<float>(begin, tiles.rows * tiles.padded_blocks());
    exponents = take<float>(begin, tiles.rows * tiles.padded_blocks());
  }

 private:
  static std::int64_t whole_lines(std::int64_t count) { return (count + 63) / 64 * 64; }
  template <class T>
  T* take(std::byte* begin, std::int64_t count) {
    T* first = reinterpret_cast<T*>(begin + bytes);
    bytes += whole_lines(count * static_cast<std::int64_t>(sizeof(T)));
    return first;
  }
};

/// One call.
struct Job {
  Tiles tiles;
  Workspace memory;
  const std::byte *hidden, *table;
  const float* bias;
  const std::int32_t *truth, *excluded;
  std::int64_t excluded_count;
  const CandidateDraws& law;
  std::uint32_t step;
  detail::PackedView rows;
  float scale;  ///< log2(e) / temperature
  std::int64_t draws, slots;
  std::int32_t* negatives;

  detail::RowMasses masses(std::int64_t r) const {
    return {memory.sums + r * tiles.padded_blocks(), memory.exponents + r * tiles.padded_blocks()};
  }
  /// The draws of row n, the r-th of the tile.
  detail::RowDraws row(std::int64_t r, std::int64_t n) const {
    return {{memory.logits + r * tiles.tokens, tiles.tokens / detail::draw_block, tiles.rows * tiles.tokens},
            masses(r),
            {law.draws.key, step, static_cast<std::uint64_t>(rows.sample(n)), rows.position(n)},
            negatives + n * slots};
  }
};

/// The table packed and the bias copied, without mass for what is not to be drawn.
void pack_table(const Job& job) {
  static detail::Label label = "tenfold::draw_candidates::pack";
  const Tiles& tiles = job.tiles;
  detail::for_blocks(label, tiles.count, 1, [&](std::int64_t tile, std::int64_t) {
    const std::int64_t first = tile * tiles.tokens, count = std::min(tiles.tokens, tiles.vocabulary - first);
    const detail::Matrix rows{job.table + first * tiles.row_bytes(), tiles.type, count, tiles.width, tiles.width, 1};
    tiles.product().pack(rows, job.memory.table + tile * job.memory.table_step);
  });
  std::copy_n(job.bias, tiles.vocabulary, job.memory.bias);
  std::fill(job.memory.bias + tiles.vocabulary, job.memory.bias + tiles.count * tiles.tokens, detail::removed);
  for (std::int64_t i = 0; i < job.excluded_count; ++i) job.memory.bias[job.excluded[i]] = detail::removed;
}

/// The rows of a tile: rows of the batch, or none.
struct TileRows {
  static constexpr std::int64_t none = -1;
  std::int64_t n[Tiles::most_rows];
  std::int64_t count = 0;  ///< that are not `none`
  TileRows() { clear(); }
  void clear() {
    std::fill(std::begin(n), std::end(n), none);
    count = 0;
  }
};

/// Logits of a tile of the vocabulary for a tile of rows and, while they are in cache, the masses of its blocks.
void measure(const Job& job, std::int64_t tile, const TileRows& rows) {
  static detail::Label label = "tenfold::draw_candidates::measure";
  const Tiles& tiles = job.tiles;
  float* logits = job.memory.logits + tile * tiles.rows * tiles.tokens;
  tiles.product().execute(job.memory.hidden, job.memory.table + tile * job.memory.table_step,
                          job.memory.bias + tile * tiles.tokens, logits);
  detail::for_blocks(label, tiles.rows, 1, [&](std::int64_t r, std::int64_t) {
    if (rows.n[r] == TileRows::none) return;
    float* row = logits + r * tiles.tokens;
    const std::int64_t truth = job.truth[rows.n[r]] - tile * tiles.tokens;
    if (!job.law.with_replacement && truth >= 0 && truth < tiles.tokens) row[truth] = detail::removed;
    const std::int64_t blocks = tiles.tokens / detail::draw_block;
    job.masses(r).measure(tile * blocks, (tile + 1) * blocks, row, job.scale);
  });
}

/// Candidates of a tile of rows, if it has any.
void draw_rows(const Job& job, TileRows& rows) {
  static detail::Label label = "tenfold::draw_candidates::draw";
  if (rows.count == 0) return;
  const Tiles& tiles = job.tiles;
  const std::int64_t bytes = tiles.row_bytes();
  for (std::int64_t r = 0; r < tiles.rows; ++r) {
    std::byte* row = job.memory.hidden + r * bytes;
    if (rows.n[r] == TileRows::none)
      std::fill_n(row, bytes, std::byte{0});
    else
      std::copy_n(job.hidden + rows.n[r] * bytes, bytes, row);
    job.masses(r).clear(tiles.blocks(), tiles.padded_blocks());
  }
  for (std::int64_t tile = 0; tile < tiles.count; ++tile) measure(job, tile, rows);
  detail::for_blocks(label, tiles.rows, detail::rows_together, [&](std::int64_t begin, std::int64_t end) {
    detail::RowDraws draws[detail::rows_together];
    std::size_t count = 0;
    for (std::int64_t r = begin; r < end; ++r)
      if (rows.n[r] != TileRows::none) draws[count++] = job.row(r, rows.n[r]);
    detail::draw_tokens({draws, count}, tiles.blocks(), job.scale, job.draws, job.law.with_replacement);
  });
  rows.clear();
}

void verify(const Tensor& table, const Tensor& excluded) {
  for (std::int64_t i = 0; i < excluded[0]; ++i) {
    const std::int32_t id = excluded.data<std::int32_t>()[i];
    TENFOLD_VERIFY(id >= 0 && id < table[0], "excluded id ", id, " of ", table[0], " tokens");
  }
}

/// For all rows that belong to a sequence.
void draw(const Job& job) {
  TileRows rows;
  for (std::int64_t n = 0; n < job.rows.filled(); ++n) {
    std::int64_t& row = rows.n[job.rows.position(n) % job.tiles.rows];
    if (row != TileRows::none) draw_rows(job, rows);
    row = n;
    ++rows.count;
  }
  draw_rows(job, rows);
}

}  // namespace

namespace host {

std::int64_t candidate_workspace_bytes(DeviceKind /*device*/, std::int64_t vocabulary, std::int64_t width, DType type) {
  return Workspace(Tiles(vocabulary, width, type), nullptr).bytes;
}

void draw_candidates(Queue& queue, const Tensor& hidden, const Tensor& table, const Tensor& bias, const Tensor& truth,
                     const Tensor& excluded, const CandidateDraws& draws, const Tensor& temperature,
                     const Tensor& count, const Tensor& negatives, const Tensor& workspace) {
  const Queue::Region region(queue, "tenfold::draw_candidates::forward");
  detail::expect_draw_candidates(hidden, table, bias, truth, excluded, draws, temperature, count, negatives);
  verify(table, excluded);
  const float degree = *temperature.data<float>();
  const std::int64_t wanted = *count.data<std::int32_t>();
  TENFOLD_VERIFY(degree > 0 && std::isfinite(degree), "temperature ", degree);
  TENFOLD_VERIFY(wanted >= 0 && wanted <= negatives[1], wanted, " draws for ", negatives[1], " slots");
  TENFOLD_VERIFY(draws.with_replacement || wanted < table[0] - excluded[0], wanted, " distinct draws from ", table[0],
                 " tokens without ", excluded[0], " and the truth");
  const Tiles tiles(table);
  const Workspace memory(tiles, workspace.raw());
  detail::expect(workspace, DType::u8, {memory.bytes}, "draw_candidates: workspace");
  const Job job{tiles,
                memory,
                static_cast<const std::byte*>(hidden.raw()),
                static_cast<const std::byte*>(table.raw()),
                bias.data<float>(),
                truth.data<std::int32_t>(),
                excluded.data<std::int32_t>(),
                excluded[0],
                draws,
                static_cast<std::uint32_t>(*draws.draws.step.data<std::int64_t>()),
                detail::PackedView(draws.draws.rows, hidden[0], "draw_candidates: rows"),
                std::numbers::log2e_v<float> / degree,
                wanted,
                negatives[1],
                negatives.data<std::int32_t>()};
  std::fill_n(job.negatives, negatives.elements(), -1);
  pack_table(job);
  draw(job);
}

}  // namespace host

const Implementation candidate_workspace_bytes_on_host{candidate_workspace_bytes, DeviceKind::host,
                                                       host::candidate_workspace_bytes};
const Implementation draw_candidates_on_host{draw_candidates, DeviceKind::host, host::draw_candidates};

}  // namespace tenfold::kernels
