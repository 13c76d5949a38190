#include <algorithm>

#include "preparation/passes.hpp"

namespace tenfold {

namespace {

/// What a rank counts of a split.
struct SplitCounts {
  SplitSizes sizes;
  std::int64_t first_document = -1;
  std::int64_t last_document = -1;
  std::int64_t unknown_tokens = 0;

  void add(const EncodedText& encoded, std::int64_t document) {
    if (encoded.tokens.empty()) return;
    if (document != last_document) ++sizes.documents;
    if (first_document < 0) first_document = document;
    last_document = document;
    sizes.tokens += static_cast<std::int64_t>(encoded.tokens.size());
    sizes.sentences += static_cast<std::int64_t>(encoded.sentence_ends.size());
    if (!encoded.unknown.empty()) unknown_tokens += std::ranges::count(encoded.tokens, unknown_token);
  }
};

using RankCounts = std::array<SplitCounts, 2>;

/// Appends what a higher rank counted; a document that both have is one.
void append(Places::Place& place, SplitSizes& sizes, const SplitCounts& counts) {
  const bool continues = counts.first_document >= 0 && counts.first_document == place.document_before;
  sizes.tokens += counts.sizes.tokens;
  sizes.sentences += counts.sizes.sentences;
  sizes.documents += counts.sizes.documents - (continues ? 1 : 0);
  if (counts.last_document >= 0) place.document_before = counts.last_document;
}

Places places_of(const std::vector<RankCounts>& ranks, int me) {
  Places places;
  for (std::size_t split = 0; split < places.splits.size(); ++split) {
    Places::Place all;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      if (rank == static_cast<std::size_t>(me)) places.splits[split] = {{}, all.total, all.document_before};
      append(all, all.total, ranks[rank][split]);
    }
    places.splits[split].total = all.total;
  }
  return places;
}

}  // namespace

TextCounts count_text(const Survey& survey, TextEncoder& encoder, double valid_fraction, MpiCommunicator& world) {
  RankCounts mine;
  WordTable table(world);
  std::vector<WordCount> counts;  // of the encoder's words, since the ranks last met
  std::int64_t running_words = 0;
  CleaningCounts cleaning;
  CharacterCounts without_piece;
  EncodedText encoded;
  const auto visit = [&](const CleanUnit& unit, std::int64_t document) {
    const Split split = split_of(unit, valid_fraction);
    encoder.encode_lines(unit.lines, encoded);
    cleaning += unit.cleaning;
    mine[static_cast<std::size_t>(split)].add(encoded, document);
    for (const char32_t character : encoded.unknown) ++without_piece[character];
    counts.resize(encoder.words().size());
    if (split != Split::train) return;
    for (const WordOccurrence& word : encoded.words) {
      ++counts[word.word].occurrences;
      counts[word.word].pieces_apart += word.end - word.begin >= 2 ? 1 : 0;
    }
    running_words += static_cast<std::int64_t>(encoded.words.size());
  };
  const auto meet = [&] {
    table.add(encoder.words(), counts);
    if (encoder.full()) encoder.forget();
    counts.assign(encoder.words().size(), {});
  };
  pass_over(survey, "count", world, visit, meet);
  TextCounts result;
  const std::vector<RankCounts> ranks = world.all_gather(mine);
  result.places = places_of(ranks, world.rank());
  for (const RankCounts& rank : ranks)
    for (std::size_t split = 0; split < rank.size(); ++split)
      result.unknown_tokens[split] += rank[split].unknown_tokens;
  result.without_piece = by_frequency(sum_of_ranks(without_piece, world));
  result.words = table.take_sorted();
  result.running_words = world.all_reduce_sum(running_words);
  result.cleaning = {.invalid = world.all_reduce_sum(cleaning.invalid),
                     .control = world.all_reduce_sum(cleaning.control)};
  return result;
}

}  // namespace tenfold
