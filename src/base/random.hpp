#pragma once
// Counter-based random numbers (Philox 4x32-10 of Random123; Salmon et al., SC'11). A number is a function of
// (seed, stream name, step, global sample index, position), never of rank, device or order.

#include <Random123/philox.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace tenfold {

/// 64-bit key of a named stream under a seed: FNV-1a of the name, mixed with the seed by splitmix64.
constexpr std::uint64_t stream_key(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  std::uint64_t z = seed + 0x9e3779b97f4a7c15ULL + hash;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U) ^ hash;
}

/// One Philox block: 128 random bits for (key, position, step, sample).
inline std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint32_t position, std::uint32_t step,
                                           std::uint64_t sample) {
  r123::Philox4x32 generator;
  const r123::Philox4x32::ctr_type counter{
      {position, step, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(sample >> 32U)}};
  const r123::Philox4x32::key_type words{{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32U)}};
  const auto block = generator(counter, words);
  return {block[0], block[1], block[2], block[3]};
}

/// Uniform in [0, 1) with 24 bits.
constexpr float uniform(std::uint32_t bits) {
  return static_cast<float>(bits >> 8U) * 0x1p-24F;
}

/// A sequential reader of one stream at one (step, sample): draws words one after another.
class RandomSequence {
 public:
  RandomSequence(std::uint64_t key, std::uint32_t step, std::uint64_t sample)
      : key_(key), sample_(sample), step_(step) {}

  std::uint32_t bits() {
    if (used_ == 4) {
      block_ = philox(key_, position_++, step_, sample_);
      used_ = 0;
    }
    return block_[used_++];
  }
  float uniform() { return tenfold::uniform(bits()); }

  /// Uniform in [0, bound), without bias (Lemire 2019); bound > 0.
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = static_cast<std::uint64_t>(bits()) * bound;
    const std::uint32_t threshold = (0U - bound) % bound;
    while (static_cast<std::uint32_t>(product) < threshold) product = static_cast<std::uint64_t>(bits()) * bound;
    return static_cast<std::uint32_t>(product >> 32U);
  }

 private:
  std::array<std::uint32_t, 4> block_{};
  std::uint64_t key_;
  std::uint64_t sample_;
  std::uint32_t step_;
  std::uint32_t position_ = 0;
  unsigned used_ = 4;
};

}  // namespace tenfold
