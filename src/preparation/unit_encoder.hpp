#pragma once
// A unit of text, cleaned and encoded.

#include "preparation/cleaning.hpp"
#include "preparation/text_encoder.hpp"
#include "preparation/unit_reader.hpp"

namespace tenfold {

class UnitEncoder {
 public:
  explicit UnitEncoder(const Tokenizer& tokenizer) : encoder_(tokenizer) {}

  /// Valid until the next call.
  const EncodedText& encode(const Unit& unit) {
    encoded_.clear();
    for (std::size_t i = 0; i < unit.ends.size(); ++i) {
      clean_text(unit.paragraph(i), clean_, cleaning_);
      encoder_.encode(clean_, encoded_);
    }
    return encoded_;
  }

  TextEncoder& text() { return encoder_; }
  /// Of all units so far.
  const CleaningCounts& cleaning() const { return cleaning_; }

 private:
  TextEncoder encoder_;
  EncodedText encoded_;
  CleaningCounts cleaning_;
  std::string clean_;
};

}  // namespace tenfold
