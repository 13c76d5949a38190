#include "data/packing.hpp"

#include <algorithm>

#include "parallel/agree.hpp"

namespace tenfold {

void pack_sentences(std::span<const std::int64_t> sentence_offsets, int sequence_length,
                    std::vector<std::int64_t>& begins) {
  const std::int64_t room = sequence_length - 1;
  std::int64_t begin = sentence_offsets.front();
  for (std::size_t s = 0; s + 1 < sentence_offsets.size(); ++s) {
    const std::int64_t first = sentence_offsets[s];
    const std::int64_t end = sentence_offsets[s + 1];
    if (end - begin <= room) continue;
    if (first > begin) begins.push_back(begin);
    begin = first;
    for (; end - begin > room; begin += room) begins.push_back(begin);
  }
  if (sentence_offsets.back() > begin) begins.push_back(begin);
}

std::vector<std::int64_t> pack(const Corpus& corpus, Split split, int sequence_length, Communicator& communicator) {
  const std::int64_t sentences = corpus.sentences(split);
  const std::int64_t blocks = (sentences + packing_block - 1) / packing_block;
  const std::int64_t first_block = blocks * communicator.rank() / communicator.size();
  const std::int64_t last_block = blocks * (communicator.rank() + 1) / communicator.size();
  std::vector<std::int64_t> mine;
  agree(communicator, [&] {
    std::vector<std::int64_t> offsets;
    for (std::int64_t block = first_block; block < last_block; ++block) {
      const std::int64_t first = block * packing_block;
      offsets.resize(static_cast<std::size_t>(std::min(packing_block, sentences - first) + 1));
      corpus.read_sentence_offsets(split, first, offsets);
      pack_sentences(offsets, sequence_length, mine);
    }
  });
  std::vector<std::int64_t> all = communicator.all_gather_v(std::span<const std::int64_t>(mine)).values;
  all.push_back(corpus.tokens(split));
  return all;
}

}  // namespace tenfold
