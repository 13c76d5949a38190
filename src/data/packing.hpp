#pragma once
// FULL-SENTENCES packing (Liu et al. 2019): whole sentences, each ending in [SEP], are joined until the next one would
// exceed T - 1 tokens; documents may be crossed; [CLS] is put in front later. A sentence longer than T - 1 tokens is
// cut into pieces of T - 1. Packing restarts every 2^16 sentences, so that it depends on the corpus and T alone while
// ranks share the work.

#include <cstdint>
#include <functional>
#include <span>

#include "io/corpus.hpp"
#include "parallel/node_memory.hpp"

namespace tenfold {

inline constexpr std::int64_t packing_block = std::int64_t{1} << 16;

/// Packs the sentences with these offsets (S + 1 of them, in tokens): calls add(first token) of every sequence in
/// order.
template <class Add>
void pack_sentences(std::span<const std::int64_t> sentence_offsets, int sequence_length, const Add& add) {
  const std::int64_t room = sequence_length - 1;
  std::int64_t begin = sentence_offsets.front();
  for (std::size_t s = 0; s + 1 < sentence_offsets.size(); ++s) {
    const std::int64_t first = sentence_offsets[s];
    const std::int64_t end = sentence_offsets[s + 1];
    if (end - begin <= room) continue;
    if (first > begin) add(begin);
    begin = first;
    for (; end - begin > room; begin += room) add(begin);
  }
  if (sentence_offsets.back() > begin) add(begin);
}

/// First token of every sequence of a split, and the split's end: sequence s is [begins[s], begins[s + 1]).
using PackedIndex = NodeArray<std::int64_t>;

/// The same on every rank, once a node. Collective; throws Error when the corpus cannot be read.
PackedIndex pack(const Corpus& corpus, Split split, int sequence_length, MpiCommunicator& world);

namespace detail {
/// An index of the elements of all ranks, one rank after another, and `end`: each rank's are written by
/// fill(span of its `count` elements). Collective over `world`; `node`: the ranks that share it.
PackedIndex share_index(std::int64_t count, std::int64_t end, MpiCommunicator& world, MpiCommunicator& node,
                        const std::function<void(std::span<std::int64_t>)>& fill);
}  // namespace detail

}  // namespace tenfold
