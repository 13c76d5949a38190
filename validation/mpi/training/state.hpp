#pragma once
// A small training state whose values follow from the step, shared out over ranks.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "training/checkpoints.hpp"

namespace tenfold::testing {

/// Holds all of it; what a rank hands in are pieces of it.
class State {
 public:
  explicit State(std::int64_t step) : step_(step) {
    add("weights/embedding.weight", {37, 11});
    add("weights/encoder.layer.0.bias", {5});
    add("weights/a.scalar", {1});
    add("first_moment/encoder.layer.0.attention", {3, 5, 7});
    add("second_moment/deep", {2, 3, 4, 5});
    add("weights/large", {600, 1024});
    for (std::int64_t i = 0; i < 40; ++i) counts_.push_back(step * 1'000'000'007 + i);
  }

  /// The share of one of `ranks`, cut anywhere, rows or not. With `scattered` a share is every so-many-th few elements.
  CheckpointContent content(int rank, int ranks, bool scattered = false) const {
    CheckpointContent content;
    for (const auto& each : tensors_) {
      content.tensors.push_back({each.name, each.shape, {}, DType::f32});
      auto& pieces = content.tensors.back().pieces;
      const auto piece = [&](std::int64_t begin, std::int64_t end) {
        if (begin >= end) return;
        std::ranges::move(pieces_of(each.shape, {}, begin, end - begin, each.values.data() + begin, DType::f32),
                          std::back_inserter(pieces));
      };
      const std::int64_t size = each.shape.elements();
      const std::int64_t run = scattered ? std::max<std::int64_t>(size / 16, 3) : (size + ranks - 1) / ranks;
      for (std::int64_t begin = rank * run; begin < size; begin += ranks * run)
        piece(begin, std::min(begin + run, size));
    }
    const std::int64_t rows = rank == ranks - 1 ? static_cast<std::int64_t>(counts_.size()) : 0;
    const Shape all{8, 5};
    content.tensors.push_back({"counts", all, pieces_of(all, {}, 0, rows, counts_.data(), DType::i64), DType::i64});
    content.tensors.push_back({"nothing", {0, 7}, {}, DType::f32});
    if (rank == 0) {
      content.integers = {{"tokens", step_ * 100}, {"skipped", 0}};
      content.texts = {{"configuration", "[run]\nseed = 1\n"}, {"empty", ""}};
      content.bytes = {{"tokenizer", std::string("\0\1\2\0\xff\0", 6)}};
    }
    return content;
  }

  /// Everything in the checkpoint, read in odd portions, is what was saved, bit for bit.
  template <class AnyCheckpoint>
  bool equals(AnyCheckpoint& checkpoint, std::int64_t portion) const {
    bool same = checkpoint.step() == step_ && checkpoint.integer("tokens") == step_ * 100 &&
                checkpoint.text("configuration") == "[run]\nseed = 1\n" && checkpoint.text("empty").empty() &&
                checkpoint.bytes("tokenizer") == std::string("\0\1\2\0\xff\0", 6);
    for (const auto& each : tensors_) same = same && checkpoint.shape(each.name) == each.shape;
    for (const auto& each : tensors_) {
      const std::int64_t size = each.shape.elements();
      std::vector<float> values(each.values.size());
      for (std::int64_t begin = 0; begin < size; begin += portion) {
        const std::int64_t count = std::min(portion, size - begin);
        checkpoint.read(each.name, begin, std::span(values).subspan(begin, count));
      }
      for (std::size_t i = 0; i < values.size(); ++i) same = same && bits(values[i]) == bits(each.values[i]);
    }
    std::vector<std::int64_t> counts(counts_.size());
    checkpoint.read("counts", 0, std::span(counts));
    return same && counts == counts_ && checkpoint.shape("nothing") == Shape{0, 7};
  }

 private:
  struct Named {
    std::string name;
    Shape shape;
    std::vector<float> values;
  };
  static std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

  /// Values with every kind of bit pattern, NaN and infinities too.
  void add(const std::string& name, Shape shape) {
    Named& made = tensors_.emplace_back(Named{name, shape, {}});
    auto word = static_cast<std::uint32_t>(step_ * 2654435761 + static_cast<std::int64_t>(tensors_.size()));
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      word = word * 1664525U + 1013904223U;
      made.values.push_back(std::bit_cast<float>(word));
    }
  }

  std::int64_t step_;
  std::vector<Named> tensors_;
  std::vector<std::int64_t> counts_;
};

}  // namespace tenfold::testing
