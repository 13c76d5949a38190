#pragma once
// FULL-SENTENCES packing (Liu et al. 2019): whole sentences, each ending in [SEP], are joined until the next one would
// exceed T - 1 tokens; documents may be crossed; [CLS] is put in front later. A sentence longer than T - 1 tokens is
// cut into pieces of T - 1. Packing restarts every 2^16 sentences, so that it depends on the corpus and T alone while
// ranks share the work.

#include <cstdint>
#include <span>
#include <vector>

#include "io/corpus.hpp"
#include "parallel/communicator.hpp"

namespace tenfold {

inline constexpr std::int64_t packing_block = std::int64_t{1} << 16;

/// Packs the sentences with these offsets (S + 1 of them, in tokens) and appends the first token of every sequence to
/// `begins`.
void pack_sentences(std::span<const std::int64_t> sentence_offsets, int sequence_length,
                    std::vector<std::int64_t>& begins);

/// First token of every sequence of a split, and the split's end: sequence s is [begins[s], begins[s + 1]). Collective;
/// the same on every rank. Throws Error when the corpus cannot be read.
std::vector<std::int64_t> pack(const Corpus& corpus, Split split, int sequence_length, Communicator& communicator);

}  // namespace tenfold
