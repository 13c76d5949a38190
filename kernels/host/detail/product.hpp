#pragma once
// Matrix products of one shape by oneDNN, C = A B^T (+ bias) (+ C), by one thread.
//
// Two forms. With AVX-512 its inner product with a packed second operand is the fastest on every shape measured: up to
// 1.7 times its matmul in bf16 on AMX, more on the small products of attention, and 1.1 times in f32. With less its
// f32 inner product is its sgemm, which is then called by itself on the transpose of B, and nothing is made a shape.
// Where the processor does not multiply bf16, operands are widened to f32 and the result is rounded to bf16.
//
// A row's bits may depend on where in A it lies and on how many rows A has, never on what other rows hold.

#include <functional>
#include <memory>

#include "kernels/host/detail/pack.hpp"
#include "kernels/linear.hpp"

namespace tenfold::kernels::detail {

/// A: [m, k], B: [n, k], both of type `operands`, C: [m, n] of type `result`; sums in f32.
struct ProductShape {
  std::int64_t m, n, k;
  DType operands, result;
  bool bias = false, accumulate = false;
  bool operator==(const ProductShape&) const = default;
};

/// Room for a packed B of any product with this n, k and type of operands, in bytes. No product need exist.
std::int64_t packed_bytes(std::int64_t n, std::int64_t k, DType operands);

/// A product of one shape, for the calling thread. Made once a shape and thread; a call allocates nothing of ours from
/// the second time on.
class Product {
 public:
  /// The calling thread's product of this shape.
  static Product& of(const ProductShape& shape);

  explicit Product(const ProductShape& shape);
  ~Product();
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  /// B as execute() wants it, in packed_bytes(). Rows of B that the shape has beyond those of `b` are zero.
  void pack(const Matrix& b, void* packed) const;
  /// The same by all threads; b has the rows of the shape.
  void pack_in_parallel(const Matrix& b, void* packed) const;
  /// The same as pack() where operands are packed, by the library's own means, which take two to eight times as long:
  /// for layouts that only the library knows.
  void pack_by_library(const Matrix& b, void* packed) const;
  /// Whether B needs no packing as it lies.
  bool takes(const Matrix& b) const;

  /// a, c: dense row-major; packed_b: as pack() makes it, or data of a B that it takes; bias: f32 [n] or null.
  void execute(const void* a, const void* packed_b, const float* bias, void* c);

 private:
  struct Primitive;
  void pack(const Matrix& b, void* packed, bool in_parallel) const;
  void multiply(const void* a, const void* packed_b, const float* bias, void* c);

  ProductShape shape_;
  bool widened_;                          ///< worked out in f32
  std::unique_ptr<Primitive> primitive_;  ///< null: sgemm
};

/// C = A B^T, or C += A B^T, in f32 by the library's sgemm; c_stride from row to row of C. Operands as they lie: one
/// stride of each is 1.
void sgemm(const Matrix& a, const Matrix& b, bool accumulate, float* c, std::int64_t c_stride);

/// oneDNN's own C = A B of row-major [n, n] matrices, ready to be called: it packs what it wants inside.
std::function<void()> row_major_product(DType type, std::int64_t n, void* a, void* b, void* c);

/// C = A B^T (+ bias) (+ C) of any shape, by blocks that follow from the shape alone, by all threads; B is packed, and
/// A copied if it is not dense, in scratch memory of the threads. Where A is dense, a row's bits do not depend on how
/// many rows come after it: A is worked out in blocks of row_block rows, the last one filled up with zeros. a_row_sums,
/// if given: += sums of the rows of A over k; then, and where A is not dense, C is f32 and bias null.
void product(const Matrix& a, const Matrix& b, const float* bias, void* c, DType c_type, bool accumulate,
             float* a_row_sums = nullptr);

}  // namespace tenfold::kernels::detail
