#pragma once
// The input of an encoder: token (and, for absolute positions, position) embeddings, normalised and dropped out; rows
// that belong to no sequence are 0. The second form has a projection A from the token table's width to the encoder's:
//
//   X0 = dropout(LN(E[x] + P))
//   X0 = dropout(LN(A E[x] + P))
//
// Notes on rare words are mixed in before A and before the layer norm.

#include "base/arena.hpp"
#include "model/encoder_layer.hpp"

namespace tenfold {

/// The table that tokens are looked up in, [V, e], and the map to the encoder's width d, [d, e] and [d]; absent: e = d.
struct TokenTable {
  ParameterView table;
  ParameterView projection = {}, projection_bias = {};
  std::int64_t width() const { return projection ? projection.shape[0] : table.shape[1]; }
};

class Embedding {
 public:
  /// `positions`: whether a table [T, d] is added.
  Embedding(Parameters& parameters, const std::string& prefix, const TokenTable& tokens, std::int64_t length,
            bool positions, const EncoderShape& shape, std::uint64_t seed);
  void allocate(Arena& arena, const RowBudget& budget, DType type);

  /// X0, [n, d], of the computed rows.
  Tensor forward(const Pass& pass);
  /// gradient: of X0, [n, d], overwritten.
  void backward(const Pass& pass, const Tensor& gradient);

 private:
  void look_up(const Pass& pass, const Tensor& sum);
  void look_up_backward(const Pass& pass, const Tensor& gradient);

  const Parameters& parameters_;
  TokenTable tokens_;
  ParameterView positions_, gain_, bias_;
  double dropout_;
  float epsilon_;
  std::uint64_t dropout_key_;
  Tensor wide_, wide_gradient_, sum_, mean_, rstd_, output_;
};

}  // namespace tenfold
