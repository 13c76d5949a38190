#pragma once
// Text and a tokenizer for tests.

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <string>
#include <unordered_map>

#include "preparation/characters.hpp"
#include "preparation/tokenizer_training.hpp"

namespace tenfold {

/// Jane Austen, Persuasion (1817), with the marks that make segmentation hard added at the end.
inline const std::string sample_paragraphs[] = {
    "Sir Walter Elliot, of Kellynch Hall, in Somersetshire, was a man who, for his own amusement, never took up any "
    "book "
    "but the Baronetage; there he found occupation for an idle hour, and consolation in a distressed one; there his "
    "faculties were roused into admiration and respect, by contemplating the limited remnant of the earliest patents; "
    "there any unwelcome sensations, arising from domestic affairs changed naturally into pity and contempt as he "
    "turned "
    "over the almost endless creations of the last century; and there, if every other leaf were powerless, he could "
    "read "
    "his own history with an interest which never failed. This was the page at which the favourite volume always "
    "opened:",
    "\"Walter Elliot, born March 1, 1760, married, July 15, 1784, Elizabeth, daughter of James Stevenson, Esq. of "
    "South "
    "Park, in the county of Gloucester, by which lady (who died 1800) he has issue Elizabeth, born June 1, 1785; Anne, "
    "born August 9, 1787; a still-born son, November 5, 1789; Mary, born November 20, 1791.\"",
    "Vanity was the beginning and the end of Sir Walter Elliot's character; vanity of person and of situation. He had "
    "been remarkably handsome in his youth; and, at fifty-four, was still a very fine man. Few women could think more "
    "of "
    "their personal appearance than he did, nor could the valet of any new made lord be more delighted with the place "
    "he "
    "held in society. He considered the blessing of beauty as inferior only to the blessing of a baronetcy; and the "
    "Sir "
    "Walter Elliot, who united these gifts, was the constant object of his warmest respect and devotion.",
    "What?No!Yes...perhaps. \"Is it?\" he asked. (It is.) Version 3.14 costs $5. See e.g. the U.S. don't-know, "
    "O'Neill's "
    "can't; a.b.c [MASK] and [CLS]. [SEP]? <unk> [UNK]",
    "\u00a1Se\u00f1or! Na\u00efve caf\u00e9 cafe\u0301, \u00b4acute\u00b4 \ufb01ne \uff21\uff22\uff23 \u1e9b\u0323 "
    "stra\u00dfe co\u00adoperate a\u200bb zero\u200djoin \u0301alone x\u0308\u0301 "
    "\u65e5\u672c\u8a9e\u3002\u6587\u7ae0\uff1f\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a "
    "\U0001F600\U0001F468\u200d\U0001F469 \u2026 \u2103 \u00bd \u212b \u0130stanbul \u03a3\u03a3",
};

/// A model trained on cleaned text as prepare does.
inline TrainedTokenizer trained_on(const std::string& cleaned, const TokenizerSettings& settings) {
  CharacterCounter counter(settings);
  counter.add(cleaned);
  return train_tokenizer(cleaned, alphabet_of(counter.counts(), settings), settings);
}

inline std::string sample_model(bool lowercase = false, int vocabulary_size = 400) {
  std::string all;
  for (const std::string& paragraph : sample_paragraphs) all += paragraph + "\n";
  TokenizerSettings settings;
  settings.vocabulary_size = vocabulary_size;
  settings.lowercase = lowercase;
  settings.character_coverage = 0.8;  // so that some characters have no piece
  return trained_on(all, settings).model;
}

/// One line, fifty times.
class RepeatedLine : public sentencepiece::SentenceIterator {
 public:
  explicit RepeatedLine(std::string line) : line_(std::move(line)) {}
  bool done() const override { return at_ == 50; }
  void Next() override { ++at_; }
  const std::string& value() const override { return line_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::string line_;
  int at_ = 0;
};

/// A model that another program may have trained, with these settings beside or in place of ours.
inline std::string foreign_model(std::unordered_map<std::string, std::string> settings,
                                 const std::string& line = "some words and more words of a text") {
  settings.insert({{"model_type", "bpe"},
                   {"vocab_size", "40"},
                   {"minloglevel", "3"},
                   {"bos_id", "-1"},
                   {"eos_id", "-1"},
                   {"pad_id", "0"},
                   {"pad_piece", "[PAD]"},
                   {"unk_id", "1"},
                   {"unk_piece", "[UNK]"},
                   {"control_symbols", "[CLS],[SEP],[MASK],[NOTA]"},
                   {"hard_vocab_limit", "false"}});
  RepeatedLine lines(line);
  std::string model;
  EXPECT_TRUE(sentencepiece::SentencePieceTrainer::Train(settings, &lines, &model).ok());
  return model;
}

}  // namespace tenfold
