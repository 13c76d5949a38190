#include "io/note_facts.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "base/check.hpp"
#include "base/edit_distance.hpp"

namespace tenfold {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t neighbours = 5;
constexpr std::int64_t rows_a_read = 4096;

template <class T>
std::vector<T> read_all(const Checkpoint& checkpoint, const std::string& tensor) {
  std::vector<T> values(static_cast<std::size_t>(checkpoint.shape(tensor).elements()));
  checkpoint.read(tensor, 0, std::span(values));
  return values;
}

std::vector<std::string> words_of(const Checkpoint& checkpoint) {
  std::istringstream lines(checkpoint.text("note_words"));
  std::vector<std::string> words;
  for (std::string word; std::getline(lines, word);) words.push_back(word);
  TENFOLD_VERIFY(static_cast<std::int64_t>(words.size()) == checkpoint.shape("notes/rows")[0], words.size(),
                 " words for ", checkpoint.shape("notes/rows")[0], " notes");
  return words;
}

std::size_t key_of(const std::string& word, const std::vector<std::string>& known) {
  const auto found = std::ranges::find(known, word);
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  const auto& meant =
      *std::ranges::min_element(known, {}, [&](const std::string& other) { return edit_distance(word, other); });
  throw InputError(text("--notes: ", word, " is no rare word of this run; did you mean ", meant, "?"));
}

double dot(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double norm(std::span<const float> row) {
  return std::sqrt(dot(row, row));
}

/// Cosine of `row` with every note of the table, which is read in parts.
std::vector<double> cosines(const Checkpoint& checkpoint, std::span<const float> row) {
  const Shape shape = checkpoint.shape("notes/rows");
  const auto width = static_cast<std::size_t>(shape[1]);
  std::vector<double> result;
  std::vector<float> part;
  for (std::int64_t first = 0; first < shape[0]; first += rows_a_read) {
    part.resize(static_cast<std::size_t>(std::min(rows_a_read, shape[0] - first)) * width);
    checkpoint.read("notes/rows", first * shape[1], std::span(part));
    for (std::size_t i = 0; i < part.size(); i += width) {
      const auto other = std::span<const float>(part).subspan(i, width);
      result.push_back(dot(row, other) / (norm(row) * norm(other)));
    }
  }
  return result;
}

/// Keys of the written notes with the largest cosine, without `key` itself.
std::vector<std::size_t> nearest(const std::vector<double>& cosine, const std::vector<std::int64_t>& updates,
                                 std::size_t key) {
  std::vector<std::size_t> keys;
  for (std::size_t other = 0; other < cosine.size(); ++other)
    if (other != key && updates[other] > 0) keys.push_back(other);
  const std::size_t count = std::min(neighbours, keys.size());
  std::partial_sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count), keys.end(),
                    [&](std::size_t a, std::size_t b) { return cosine[a] > cosine[b]; });
  keys.resize(count);
  return keys;
}

}  // namespace

bool has_notes(const Checkpoint& checkpoint) {
  return checkpoint.has_tensor("notes/rows");
}

Json note_dictionary_facts(const Checkpoint& checkpoint) {
  const Shape shape = checkpoint.shape("notes/rows");
  const auto updates = read_all<std::int64_t>(checkpoint, "notes/updates");
  return {{"rare_words", shape[0]},
          {"width", shape[1]},
          {"written", std::ranges::count_if(updates, [](std::int64_t count) { return count > 0; })},
          {"updates", std::accumulate(updates.begin(), updates.end(), std::int64_t{0})}};
}

Json note_facts(const Checkpoint& checkpoint, const std::vector<std::string>& words) {
  const std::vector<std::string> known = words_of(checkpoint);
  const auto updates = read_all<std::int64_t>(checkpoint, "notes/updates");
  const auto last_steps = read_all<std::int64_t>(checkpoint, "notes/last_steps");
  std::vector<float> row(static_cast<std::size_t>(checkpoint.shape("notes/rows")[1]));
  Json facts = Json::array();
  for (const std::string& word : words) {
    const std::size_t key = key_of(word, known);
    checkpoint.read("notes/rows", static_cast<std::int64_t>(key * row.size()), std::span(row));
    Json fact = {{"word", word},      {"updates", updates[key]},  {"age", nullptr},
                 {"norm", norm(row)}, {"nearest", Json::array()}, {"cosine", Json::array()}};
    if (updates[key] > 0) {  // what was never written is random, and near to nothing
      fact["age"] = checkpoint.step() - last_steps[key];
      const std::vector<double> cosine = cosines(checkpoint, row);
      for (const std::size_t other : nearest(cosine, updates, key)) {
        fact["nearest"].push_back(known[other]);
        fact["cosine"].push_back(cosine[other]);
      }
    }
    facts.push_back(fact);
  }
  return facts;
}

}  // namespace tenfold
