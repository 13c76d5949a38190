#include "kernels/sample_tokens.hpp"

#include <algorithm>
#include <numbers>

#include "kernels/detail/sample_tokens.hpp"
#include "kernels/host/detail/blocks.hpp"
#include "kernels/host/detail/packed_view.hpp"
#include "kernels/host/detail/softmax_draws.hpp"

namespace tenfold::kernels {
namespace {

struct ForLogits;  // names the scratch
struct ForMasses;

struct Job {
  const float* logits;
  std::int64_t vocabulary;
  const std::int32_t* places;
  const std::int32_t* excluded;
  std::int64_t excluded_count;
  detail::PackedView rows;
  std::uint64_t key;
  std::uint32_t step;
  std::int32_t* tokens;

  std::int64_t blocks() const { return (vocabulary + detail::draw_block - 1) / detail::draw_block; }
  std::int64_t padded_blocks() const { return detail::RowMasses::padded_blocks(blocks()); }
};

/// Row r, measured: its logits copied to `copy`, since a draw wants whole blocks and no mass for what is excluded.
detail::RowDraws row(const Job& job, std::int64_t r, float* copy, const detail::RowMasses& masses) {
  std::copy_n(job.logits + r * job.vocabulary, job.vocabulary, copy);
  std::fill(copy + job.vocabulary, copy + job.blocks() * detail::draw_block, detail::removed);
  for (std::int64_t i = 0; i < job.excluded_count; ++i) copy[job.excluded[i]] = detail::removed;
  masses.measure(0, job.blocks(), copy, std::numbers::log2e_v<float>);
  masses.clear(job.blocks(), job.padded_blocks());
  const std::int64_t place = job.places[r];
  const auto sample = static_cast<std::uint64_t>(job.rows.sample(place));
  return {{copy, 1, detail::draw_block}, masses, {job.key, job.step, sample, job.rows.position(place)}, job.tokens + r};
}

/// Rows [begin, end), at most detail::rows_together.
void sample(const Job& job, std::int64_t begin, std::int64_t end) {
  const std::int64_t tokens = job.blocks() * detail::draw_block, blocks = job.padded_blocks();
  float* copies = detail::scratch<float, ForLogits>(detail::rows_together * tokens);
  float* masses = detail::scratch<float, ForMasses>(detail::rows_together * 2 * blocks);
  detail::RowDraws rows[detail::rows_together];
  for (std::int64_t r = begin; r < end; ++r) {
    float* sums = masses + (r - begin) * 2 * blocks;
    rows[r - begin] = row(job, r, copies + (r - begin) * tokens, {sums, sums + blocks});
  }
  detail::draw_tokens({rows, static_cast<std::size_t>(end - begin)}, job.blocks(), std::numbers::log2e_v<float>, 1,
                      true);
}

void verify(const Job& job, std::int64_t valid) {
  for (std::int64_t r = 0; r < valid; ++r)
    TENFOLD_VERIFY(job.places[r] >= 0 && job.places[r] < job.rows.filled(), "row ", job.places[r], " of ",
                   job.rows.filled());
  for (std::int64_t i = 0; i < job.excluded_count; ++i)
    TENFOLD_VERIFY(job.excluded[i] >= 0 && job.excluded[i] < job.vocabulary, "excluded id ", job.excluded[i], " of ",
                   job.vocabulary, " tokens");
}

}  // namespace

namespace host {

void sample_tokens(Queue& queue, const Tensor& logits, const Tensor& places, std::int64_t first, const Tensor& count,
                   const Tensor& excluded, const Draws& draws, const Tensor& tokens) {
  static detail::Label label = "tenfold::sample_tokens::forward";
  const Queue::Region region(queue, label.c_str());
  detail::expect_sample_tokens(logits, places, count, excluded, draws, tokens);
  const Job job{logits.data<float>(),
                logits[1],
                places.data<std::int32_t>(),
                excluded.data<std::int32_t>(),
                excluded[0],
                detail::PackedView(draws.rows, draws.rows.sequence[0], "sample_tokens: rows"),
                draws.key,
                static_cast<std::uint32_t>(*draws.step.data<std::int64_t>()),
                tokens.data<std::int32_t>()};
  const std::int64_t valid = std::clamp<std::int64_t>(*count.data<std::int32_t>() - first, 0, logits[0]);
  verify(job, valid);
  std::fill_n(job.tokens, logits[0], -1);
  detail::for_blocks(label, valid, detail::rows_together,
                     [&](std::int64_t begin, std::int64_t end) { sample(job, begin, end); });
}

}  // namespace host

const Implementation sample_tokens_on_host{sample_tokens, DeviceKind::host, host::sample_tokens};

}  // namespace tenfold::kernels
