#pragma once
// What stands before the output matrix of a language-model head: dense, GELU, layer norm (Devlin et al. 2019).

#include "base/arena.hpp"
#include "model/parameters.hpp"

namespace tenfold {

class HeadTransform {
 public:
  HeadTransform(Parameters& parameters, const std::string& prefix, int width, float epsilon);

  /// What one application to n rows keeps for backward; dense: the inputs of GELU, then what its backward wants.
  struct Rows {
    Tensor dense, activated, output, mean, rstd;
    Rows() = default;
    Rows(Arena& arena, std::int64_t n, int width, DType type);
    Rows first(std::int64_t n) const;
  };

  /// rows.output = LN(GELU(dense(x))); x: [n, d].
  void forward(Queue& queue, const Tensor& x, const Rows& rows) const;
  /// gradient: [n, d], in of the output, used up; dx: [n, d], written. `rows.activated` is used up.
  /// Marks its parameters as complete.
  void backward(Queue& queue, const Tensor& x, const Rows& rows, const Tensor& gradient, const Tensor& dx) const;

 private:
  Parameters& parameters_;
  float epsilon_;
  ParameterView dense_weight_, dense_bias_, gain_, bias_;
};

}  // namespace tenfold
