#include "base/progress.hpp"

#include <cstring>

namespace tenfold {

void SharedText::store(const char* text) {
  std::array<char, sizeof words_> bytes{};
  std::strncpy(bytes.data(), text, bytes.size() - 1);
  for (std::size_t i = 0; i < words_.size(); ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i * sizeof word, sizeof word);
    words_[i].store(word, std::memory_order_relaxed);
  }
}

std::string SharedText::load() const {
  std::array<char, sizeof words_> bytes{};
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t word = words_[i].load(std::memory_order_relaxed);
    std::memcpy(bytes.data() + i * sizeof word, &word, sizeof word);
  }
  bytes.back() = '\0';
  return bytes.data();
}

}  // namespace tenfold
