#pragma once
// The input of an encoder: token (and, for absolute positions, position) embeddings, normalised and dropped out; rows of
// padding are 0. X0 = dropout(LN(E[x] + P)).

#include "base/arena.hpp"
#include "model/parameters.hpp"
#include "model/pass.hpp"

namespace tenfold {

class Embedding {
 public:
  /// `tokens`: the token table [V, d], which other parts may share. `positions`: whether a table [T, d] is added.
  Embedding(Parameters& parameters, const std::string& prefix, ParameterView tokens, std::int64_t length, bool positions,
            double dropout, std::uint64_t seed);
  void allocate(Arena& arena, const BatchShape& batch, DType type);

  /// X0, [B*T, d].
  const Tensor& forward(const Pass& pass);
  /// gradient: of X0, [B*T, d], overwritten.
  void backward(const Pass& pass, const Tensor& gradient);

 private:
  const Parameters& parameters_;
  ParameterView tokens_, positions_, gain_, bias_;
  double dropout_;
  std::uint64_t dropout_key_;
  Tensor sum_, mean_, rstd_, output_;
};

}  // namespace tenfold
