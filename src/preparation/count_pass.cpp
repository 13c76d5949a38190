#include "preparation/passes.hpp"

namespace tenfold {

namespace {

/// What a rank counts of a split.
struct SplitCounts {
  SplitSizes sizes;
  std::int64_t first_document = -1;
  std::int64_t last_document = -1;

  void add(const EncodedText& encoded, std::int64_t document) {
    if (encoded.tokens.empty()) return;
    if (document != last_document) ++sizes.documents;
    if (first_document < 0) first_document = document;
    last_document = document;
    sizes.tokens += static_cast<std::int64_t>(encoded.tokens.size());
    sizes.sentences += static_cast<std::int64_t>(encoded.sentence_ends.size());
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

TextCounts count_text(const Survey& survey, UnitEncoder& encoder, double valid_fraction, MpiCommunicator& world) {
  RankCounts mine;
  WordTable table(world);
  std::vector<WordCount> counts;  // of the encoder's words, since the ranks last met
  std::int64_t running_words = 0;
  const auto visit = [&](const Unit& unit, std::int64_t document) {
    const Split split = split_of(unit, valid_fraction);
    const EncodedText& encoded = encoder.encode(unit);
    mine[static_cast<std::size_t>(split)].add(encoded, document);
    counts.resize(encoder.text().words().size());
    if (split != Split::train) return;
    for (const WordOccurrence& word : encoded.words) {
      ++counts[word.word].occurrences;
      counts[word.word].pieces_apart += word.end - word.begin >= 2 ? 1 : 0;
    }
    running_words += static_cast<std::int64_t>(encoded.words.size());
  };
  const auto meet = [&] {
    table.add(encoder.text().words(), counts);
    if (encoder.text().full()) encoder.text().forget();
    counts.assign(encoder.text().words().size(), {});
  };
  pass_over(survey, "count", world, visit, meet);
  TextCounts result;
  result.places = places_of(world.all_gather(mine), world.rank());
  result.words = table.take_sorted();
  result.running_words = world.all_reduce_sum(running_words);
  result.cleaning = {.invalid = world.all_reduce_sum(encoder.cleaning().invalid),
                     .control = world.all_reduce_sum(encoder.cleaning().control)};
  return result;
}

}  // namespace tenfold
