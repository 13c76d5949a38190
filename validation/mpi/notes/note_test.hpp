#pragma once
// What the tests of the note dictionary stand on: contributions that are the same on every rank, whole tables, and
// steps as a trainer makes them.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "allocations.hpp"
#include "kernel_environment.hpp"
#include "notes/note_dictionary.hpp"
#include "world.hpp"

namespace tenfold::testing {

struct Contribution {
  NoteSource source;
  std::vector<float> vector;
};
using Contributions = std::vector<Contribution>;

/// Those of one step in global sample order: samples with up to three occurrences each, few enough keys that many are
/// seen more than once.
inline Contributions draw(std::int64_t step, std::int64_t keys, int width) {
  std::mt19937 generator(static_cast<unsigned>(step));
  std::normal_distribution<float> normal;
  Contributions all;
  for (std::int64_t sample = 100 * step; sample < 100 * step + 16; ++sample) {
    for (auto occurrences = generator() % 4; occurrences > 0; --occurrences) {
      const auto key = static_cast<std::int32_t>(generator() % static_cast<unsigned>(keys));
      all.push_back({{sample, key, static_cast<std::int32_t>(10 * occurrences)}, {}});
      for (int i = 0; i < width; ++i) all.back().vector.push_back(normal(generator));
    }
  }
  return all;
}

inline void contribute(NoteDictionary& notes, std::int64_t step, const Contributions& mine) {
  std::vector<NoteSource> sources;
  std::vector<float> vectors;
  for (const Contribution& contribution : mine) {
    sources.push_back(contribution.source);
    vectors.insert(vectors.end(), contribution.vector.begin(), contribution.vector.end());
  }
  notes.contribute(step, sources, vectors);
}

/// A step that looks nothing up.
inline void update(NoteDictionary& notes, std::int64_t step, const Contributions& mine) {
  const std::unique_ptr<Queue> queue = device().make_queue();
  notes.request({});
  contribute(notes, step, mine);
  notes.wait(*queue);
}

/// The logical table, whole on every rank.
struct Table {
  std::vector<float> rows;
  std::vector<std::int64_t> updates;
  std::vector<std::int64_t> last_steps;
  bool operator==(const Table&) const = default;
};

inline Table whole(NoteDictionary& notes, Communicator& group) {
  const NoteShare share = notes.share();
  const auto by_key = [&]<class T>(std::span<const T> mine, std::int64_t elements) {
    const Received<T> all = group.all_gather_v(mine);
    std::vector<T> table(all.values.size());
    std::int64_t from = 0;
    for (std::int64_t rank = 0; rank < group.size(); ++rank)
      for (std::int64_t key = rank; key < notes.keys(); key += group.size(), from += elements)
        std::copy_n(all.values.begin() + from, elements, table.begin() + key * elements);
    return table;
  };
  return {by_key(share.rows, notes.width()), by_key(share.updates, 1), by_key(share.last_steps, 1)};
}

/// A dictionary with its first rows, and its memory.
struct Notes {
  Notes(Communicator& group, std::int64_t keys, int width, float rate, std::int64_t capacity = 64)
      : dictionary(group, keys, width, rate, capacity, host, tensors) {
    dictionary.initialise(7);
  }
  Arena host{device(), MemoryKind::pinned}, tensors{device()};
  NoteDictionary dictionary;
};

}  // namespace tenfold::testing
