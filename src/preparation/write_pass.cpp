#include <algorithm>
#include <iomanip>
#include <memory>
#include <sstream>
#include <unordered_map>

#include "base/random.hpp"
#include "parallel/agree.hpp"
#include "preparation/passes.hpp"

namespace tenfold {

namespace {

/// Keys of the encoder's words.
class RareKeys {
 public:
  explicit RareKeys(const std::vector<RareWord>& rare) {
    for (const RareWord& word : rare) keys_.emplace(word.text, static_cast<std::int32_t>(keys_.size()));
  }

  /// Rare words of an encoded text whose first token is number `position`.
  void find(const EncodedText& encoded, const TextEncoder& encoder, std::int64_t position,
            std::vector<RareOccurrence>& found) {
    for (std::size_t i = key_of_number_.size(); i < encoder.words().size(); ++i) {
      const auto key = keys_.find(encoder.words()[i]);
      key_of_number_.push_back(key == keys_.end() ? -1 : key->second);
    }
    found.clear();
    for (const WordOccurrence& word : encoded.words) {
      const std::int32_t key = key_of_number_[word.word];
      if (key >= 0 && word.end - word.begin >= 2)
        found.push_back({.key = key, .begin = position + word.begin, .end = position + word.end});
    }
  }
  void forget_numbers() { key_of_number_.clear(); }

 private:
  std::unordered_map<std::string, std::int32_t> keys_;
  std::vector<std::int32_t> key_of_number_;
};

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// One split of this rank's share.
struct SplitOutput {
  SplitWriter writer;
  OccurrenceSpool spool;
  std::int64_t document;  ///< of the last token
  std::int64_t rare_sentences = 0;
  std::uint64_t digest = 0;

  void append(const EncodedText& encoded, const std::vector<RareOccurrence>& rare, std::int64_t of_document) {
    if (encoded.tokens.empty()) return;
    const std::int64_t position = writer.position();
    if (of_document != document) writer.begin_document();
    document = of_document;
    writer.append(encoded.tokens, encoded.sentence_ends);
    spool.append(rare);
    auto occurrence = rare.begin();
    for (const std::int32_t end : encoded.sentence_ends) {
      const auto next = std::find_if(occurrence, rare.end(), [&](const auto& one) { return one.end > position + end; });
      rare_sentences += next != occurrence ? 1 : 0;
      occurrence = next;
    }
    // A sum, since it does not depend on which rank adds what; the position says where in the stream the unit stands.
    const auto seed = static_cast<std::uint64_t>(position);
    digest += stream_key(seed, bytes_of(encoded.tokens)) + 3 * stream_key(seed, bytes_of(encoded.sentence_ends));
    for (const RareOccurrence& one : rare)
      digest +=
          stream_key(static_cast<std::uint64_t>(one.begin), std::to_string(one.key) + '+' + std::to_string(one.end));
  }
};

std::string combine_digests(const std::array<std::unique_ptr<SplitOutput>, 2>& splits, Communicator& world) {
  std::ostringstream hexadecimal;
  for (const auto& split : splits) {
    std::uint64_t sum = 0;
    for (const std::uint64_t part : world.all_gather(split->digest)) sum += part;
    hexadecimal << std::hex << std::setw(16) << std::setfill('0') << sum;
  }
  return hexadecimal.str();
}

}  // namespace

WrittenText write_text(hdf5::File& file, const std::string& path, const Survey& survey, TextEncoder& encoder,
                       const WritePlan& plan, MpiCommunicator& world) {
  std::array<std::unique_ptr<SplitOutput>, 2> splits;
  for (const Split split : {Split::train, Split::validation}) {
    const auto& place = plan.places.splits[static_cast<std::size_t>(split)];
    SplitWriter writer(file, split, plan.vocabulary_size, place.total, place.before,
                       {.first = world.rank() == 0, .last = world.rank() + 1 == world.size()});
    splits[static_cast<std::size_t>(split)] = agree(world, [&] {
      return std::unique_ptr<SplitOutput>(new SplitOutput{.writer = std::move(writer),
                                                          .spool = OccurrenceSpool(text(path, ".rare", world.rank())),
                                                          .document = place.document_before});
    });
  }
  RareKeys keys(plan.rare);
  std::vector<RareOccurrence> found;
  EncodedText encoded;
  const auto visit = [&](const CleanUnit& unit, std::int64_t document) {
    if (encoder.full()) {
      encoder.forget();
      keys.forget_numbers();
    }
    SplitOutput& output = *splits[static_cast<std::size_t>(split_of(unit, plan.valid_fraction))];
    encoder.encode_lines(unit.lines, encoded);
    keys.find(encoded, encoder, output.writer.position(), found);
    output.append(encoded, found, document);
  };
  const auto meet = [&] {
    const Progress::Waiting waiting(world.progress(), "writing the corpus");
    for (const auto& split : splits) split->writer.flush();
  };
  pass_over(survey, "write", world, visit, meet);
  const Progress::Waiting waiting(world.progress(), "writing the corpus");
  WrittenText written;
  for (const Split split : {Split::train, Split::validation}) {
    const auto index = static_cast<std::size_t>(split);
    splits[index]->writer.finish();
    write_rare_occurrences(file, split, splits[index]->spool, world);
    written.rare_occurrences[index] = world.all_reduce_sum(splits[index]->spool.size());
    written.rare_sentences[index] = world.all_reduce_sum(splits[index]->rare_sentences);
  }
  written.digest = combine_digests(splits, world);
  return written;
}

}  // namespace tenfold
