#include "preparation/tokenizer_training.hpp"

#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/check.hpp"
#include "io/tokenizer.hpp"

namespace tenfold {

namespace {

/// Different words that training looks at, at most, as a multiple of the vocabulary.
constexpr std::size_t words_a_piece = 6;

/// Words with their counts, as lines of the trainer's format "tsv".
class Words : public sentencepiece::SentenceIterator {
 public:
  explicit Words(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

/// What stands between spaces, the most frequent first (ties by text). All that is as rare as what would exceed `most`
/// is left out.
std::vector<std::pair<std::string_view, std::int64_t>> frequent_words(std::string_view cleaned, std::size_t most) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  std::size_t begin = 0;
  while ((begin = cleaned.find_first_not_of(" \n", begin)) != std::string_view::npos) {
    const std::string_view word = cleaned.substr(begin, cleaned.find_first_of(" \n", begin) - begin);
    ++counts[word];
    begin += word.size();
  }
  std::vector<std::pair<std::string_view, std::int64_t>> words(counts.begin(), counts.end());
  std::ranges::sort(words, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (words.size() > most) {
    const std::int64_t too_rare = words[most].second;
    std::erase_if(words, [&](const auto& word) { return word.second <= too_rare; });
  }
  return words;
}

}  // namespace

std::string train_tokenizer(std::string_view cleaned, const TokenizerSettings& settings) {
  std::string controls;
  for (const int id : {class_token, separator_token, mask_token, none_of_the_above_token}) {
    if (!controls.empty()) controls += ',';
    controls += special_pieces[static_cast<std::size_t>(id)];
  }
  std::vector<std::string> lines;
  for (const auto& [word, count] : frequent_words(cleaned, words_a_piece * static_cast<std::size_t>(settings.size())))
    lines.push_back(text(word, '\t', count));
  Words sentences(std::move(lines));
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      {{"model_type", "bpe"},
       {"input_format", "tsv"},
       {"vocab_size", std::to_string(settings.size())},
       {"normalization_rule_name", settings.lowercase ? "nmt_nfkc_cf" : "nmt_nfkc"},
       {"pad_id", std::to_string(pad_token)},
       {"pad_piece", special_pieces[pad_token]},
       {"unk_id", std::to_string(unknown_token)},
       {"unk_piece", special_pieces[unknown_token]},
       {"bos_id", "-1"},
       {"eos_id", "-1"},
       {"control_symbols", controls},
       {"byte_fallback", "false"},
       {"max_sentence_length", "1073741824"},
       {"num_threads", "1"},
       {"minloglevel", "3"}},
      &sentences, &model);
  if (!status.ok()) {
    const std::string message = status.ToString();
    const std::size_t reason = message.rfind("] ");
    throw InputError(text("tokenizer.vocabulary_size = ", settings.size(), " does not suit this text: ",
                          reason == std::string::npos ? message : message.substr(reason + 2)));
  }
  return model;
}

}  // namespace tenfold
