#pragma once
// Matrix products by oneDNN, C = A B^T (+ bias) (+ C). Its inner product with a packed second operand is the fastest
// form on every shape measured: up to 1.7 times its matmul in bf16 on AMX, more on the small products of attention,
// and 1.1 times in f32. Primitives are made once a shape and thread; a call allocates nothing of ours from the second
// time on.

#include <functional>
#include <memory>

#include "kernels/host/detail/pack.hpp"

namespace tenfold::kernels::detail {

/// A: [m, k], B: [n, k], both of type `operands`, C: [m, n] of type `result`; sums in f32.
struct ProductShape {
  std::int64_t m, n, k;
  DType operands, result;
  bool bias = false, accumulate = false;
  bool operator==(const ProductShape&) const = default;
};

/// A product of one shape, for the calling thread.
class Product {
 public:
  /// The calling thread's product of this shape. Throws Error if this processor has only a reference implementation.
  static Product& of(const ProductShape& shape);

  explicit Product(const ProductShape& shape);
  ~Product();
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  const BlockedLayout& layout() const;  ///< in which B is wanted
  /// More than any layout of an [n, k] operand takes, whatever the processor.
  static std::int64_t packed_bytes(std::int64_t n, std::int64_t k);
  /// a, c: dense row-major; packed_b: as pack() makes it; bias: f32 [n] or null.
  void execute(const void* a, const void* packed_b, const float* bias, void* c);

 private:
  struct Primitive;
  std::unique_ptr<Primitive> primitive_;
};

/// oneDNN's own C = A B of row-major [n, n] matrices, ready to be called: it packs what it wants inside.
std::function<void()> row_major_product(DType type, std::int64_t n, void* a, void* b, void* c);

/// C = A B^T (+ bias) (+ C), packing B, and copying A if it is not dense, in scratch memory of the calling thread.
/// a_row_sums, if given: += sums of the rows of A over k; then, and where A is not dense, C is f32 and bias null.
void product(const Matrix& a, const Matrix& b, const float* bias, void* c, DType c_type, bool accumulate,
             float* a_row_sums = nullptr);

}  // namespace tenfold::kernels::detail
