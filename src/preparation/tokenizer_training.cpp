#include "preparation/tokenizer_training.hpp"

#include <sentencepiece_trainer.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <cctype>
#include <unordered_map>
#include <unordered_set>

#include "base/check.hpp"
#include "base/random.hpp"
#include "preparation/characters.hpp"
#include "preparation/utf8.hpp"

namespace tenfold {

namespace {

/// Bytes of the longest word that is trained on. SentencePiece's trainer overflows at 32,768 characters and leaves out
/// what has more than 4,192 bytes; Tokenizer parts words of more than 4,096.
constexpr std::size_t longest_word = 2048;

/// Bytes of different words that are trained on at most: time grows with them. English of 8 MB has a third of it; of
/// text that hardly repeats itself (scripts without spaces, data), a smaller part is taken.
constexpr std::size_t most_to_train_on = 2U << 20U;

/// What the trainer neither counts nor merges: it stands for a character without a piece, and between two parts of a
/// word that no piece may join.
constexpr char no_piece = '\0';

/// What is written in lines of the trainer's format "tsv": a word and how often it stands in the text.
using Words = std::unordered_map<std::string, std::int64_t>;

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const Words& words) {
    for (const auto& [word, count] : words) lines_.push_back(text(word, '\t', count));
    std::ranges::sort(lines_);
  }
  bool done() const override { return at_ == lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

/// SentencePiece joins no characters of two scripts in a piece. `common` are the other printable characters of ASCII;
/// of `other` characters it is left to the trainer.
enum class Kind { letter, common, other };

Kind kind_of(char32_t character) {
  if (character < 0x80) return std::isalpha(static_cast<int>(character)) != 0 ? Kind::letter : Kind::common;
  UErrorCode status = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(character), &status);
  const bool clear = u_isalpha(static_cast<UChar32>(character)) != 0 && script > USCRIPT_INHERITED &&
                     script != USCRIPT_UNKNOWN && U_SUCCESS(status) != 0;
  return clear ? Kind::letter : Kind::other;
}

/// Cuts words to what the trainer can take.
class WordCutter {
 public:
  WordCutter(const std::vector<char32_t>& alphabet, const TokenizerSettings& settings)
      : alphabet_(alphabet.begin(), alphabet.end()), normaliser_(train_normaliser(settings)) {}

  /// A run of text between spaces that stands `count` times in the text.
  void add(std::string_view run, std::int64_t count) {
    normaliser_.encode_pieces(run, normalised_, pieces_);
    bool whole = true;
    std::size_t begin = 0;
    while ((begin = normalised_.find_first_not_of(' ', begin)) != std::string::npos) {
      const std::size_t end = std::min(normalised_.find(' ', begin), normalised_.size());
      whole = add_word(std::string_view(normalised_).substr(begin, end - begin), count) && whole;
      begin = end;
    }
    long_words += whole ? 0 : count;
  }

  Words words;
  std::int64_t long_words = 0;

  /// Of all words, each counted once.
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& [word, count] : words) sum += word.size();
    return sum;
  }

 private:
  /// Counts each part between a letter and a common character on its own, which changes no count of what may become a
  /// piece, and leaves far fewer different ones. False: a part was too long.
  bool add_word(std::string_view word, std::int64_t count) {
    std::string part;
    Kind before = Kind::other;
    bool whole = true;
    const auto finish = [&] {
      if (part.size() <= longest_word) {
        words[part] += count;
      } else {
        whole = false;
      }
      part.assign(1, no_piece);
    };
    for_each_character(word, [&](char32_t character) {
      const Kind kind = kind_of(character);
      if (kind != before && kind != Kind::other && before != Kind::other) finish();
      before = kind;
      append(character, part);
    });
    finish();
    return whole;
  }

  void append(char32_t character, std::string& part) const {
    if (alphabet_.contains(character)) {
      part += utf8_of(character);
    } else {
      part += no_piece;
    }
  }

  std::unordered_set<char32_t> alphabet_;
  Tokenizer normaliser_;
  std::string normalised_;
  std::vector<Tokenizer::Piece> pieces_;
};

/// Adds each character of the alphabet once, alone, so that the trainer knows it even if no word has it.
void add_alphabet(const std::vector<char32_t>& alphabet, Words& words) {
  std::string line;
  for (const char32_t character : alphabet) {
    line += no_piece;
    line += utf8_of(character);
    if (line.size() < longest_word - 8) continue;
    ++words[line];
    line.clear();
  }
  if (!line.empty()) ++words[line];
}

std::string control_symbols() {
  std::string list;
  for (const int id : {class_token, separator_token, mask_token, none_of_the_above_token})
    list += text(list.empty() ? "" : ",", special_pieces[static_cast<std::size_t>(id)]);
  return list;
}

std::string train(const Words& words, int vocabulary_size, const TokenizerSettings& settings) {
  Lines sentences(words);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      {{"model_type", "bpe"},
       {"input_format", "tsv"},
       {"vocab_size", std::to_string(vocabulary_size)},
       {"character_coverage", "1.0"},
       {"normalization_rule_name", settings.lowercase ? "nmt_nfkc_cf" : "nmt_nfkc"},
       {"pad_id", std::to_string(pad_token)},
       {"pad_piece", special_pieces[pad_token]},
       {"unk_id", std::to_string(unknown_token)},
       {"unk_piece", special_pieces[unknown_token]},
       {"bos_id", "-1"},
       {"eos_id", "-1"},
       {"control_symbols", control_symbols()},
       {"byte_fallback", settings.byte_fallback ? "true" : "false"},
       {"num_threads", "1"},
       {"minloglevel", "3"}},
      &sentences, &model);
  if (!status.ok()) {
    const std::string message = status.ToString();
    const std::size_t end_of_place = message.rfind("] ");
    const std::string reason = end_of_place == std::string::npos ? "" : message.substr(end_of_place + 2);
    throw InputError(text("tokenizer.vocabulary_size = ", vocabulary_size,
                          " does not suit this text: ", reason.empty() ? message : reason));
  }
  return model;
}

/// Pieces that any vocabulary with this alphabet has: special tokens, the mark of a word's front, bytes, characters.
int least_vocabulary(std::size_t alphabet, const TokenizerSettings& settings) {
  return static_cast<int>(special_pieces.size() + 1 + (settings.byte_fallback ? 256 : 0) + alphabet);
}

/// What stands between spaces, and how often, in the lines of a text that a hash of them chooses.
std::unordered_map<std::string_view, std::int64_t> runs_of(std::string_view cleaned, double share) {
  std::unordered_map<std::string_view, std::int64_t> runs;
  for (std::size_t line_begin = 0, line_end = 0; line_begin < cleaned.size(); line_begin = line_end + 1) {
    line_end = std::min(cleaned.find('\n', line_begin), cleaned.size());
    const std::string_view line = cleaned.substr(line_begin, line_end - line_begin);
    if (static_cast<double>(stream_key(3, line) >> 11U) * 0x1p-53 >= share) continue;
    std::size_t begin = 0;
    while ((begin = line.find_first_not_of(' ', begin)) != std::string_view::npos) {
      const std::string_view run = line.substr(begin, line.find(' ', begin) - begin);
      ++runs[run];
      begin += run.size();
    }
  }
  return runs;
}

}  // namespace

TrainedTokenizer train_tokenizer(std::string_view cleaned, const std::vector<char32_t>& alphabet,
                                 const TokenizerSettings& settings) {
  const int least = least_vocabulary(alphabet.size(), settings);
  if (settings.size() < least)
    throw InputError(text("tokenizer.vocabulary_size = ", settings.size(), " is too small: this text needs ", least,
                          " pieces for its ", alphabet.size(), " characters, special tokens",
                          settings.byte_fallback ? ", bytes" : "", " and the mark of a word's front; give ", least,
                          " or more, or lower tokenizer.character_coverage"));
  for (double share = 1;; share /= 2) {
    WordCutter cutter(alphabet, settings);
    for (const auto& [run, count] : runs_of(cleaned, share)) cutter.add(run, count);
    if (cutter.bytes() > most_to_train_on) continue;
    add_alphabet(alphabet, cutter.words);
    return {.model = train(cutter.words, settings.size(), settings), .long_words = cutter.long_words};
  }
}

Tokenizer train_normaliser(const TokenizerSettings& settings) {
  TokenizerSettings smallest;
  smallest.lowercase = settings.lowercase;
  const std::vector<char32_t> alphabet = alphabet_of({}, smallest);
  Words words;
  add_alphabet(alphabet, words);
  return {train(words, least_vocabulary(alphabet.size(), smallest), smallest), "the normaliser"};
}

}  // namespace tenfold
