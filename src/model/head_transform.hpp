#pragma once
// What stands before the output matrix of a language-model head: dense, GELU, layer norm (Devlin et al. 2019).

#include "base/arena.hpp"
#include "model/parameters.hpp"

namespace tenfold {

class HeadTransform {
 public:
  HeadTransform(Parameters& parameters, const std::string& prefix, int width);

  /// What one application to n rows keeps for backward; dense: the inputs of GELU, then its derivative there.
  struct Rows {
    Tensor dense, activated, output, mean, rstd;
    Rows() = default;
    Rows(Arena& arena, std::int64_t n, int width, DType type);
  };

  /// rows.output = LN(GELU(dense(x))); x: [n, d].
  void forward(Queue& queue, const Tensor& x, const Rows& rows) const;
  /// gradient: [n, d], in of the output, used up; dx: [n, d], written. `rows.activated` is used up.
  void backward(Queue& queue, const Tensor& x, const Rows& rows, const Tensor& gradient, const Tensor& dx) const;

  std::int64_t first_parameter() const { return dense_weight_.offset; }

 private:
  const Parameters& parameters_;
  ParameterView dense_weight_, dense_bias_, gain_, bias_;
};

}  // namespace tenfold
