#include "kernels/host/detail/product.hpp"

#include "kernels/host/detail/instruction_set.hpp"
#include "op_test.hpp"

namespace tenfold::test {
namespace {

using kernels::detail::Matrix, kernels::detail::Product, kernels::detail::ProductShape;

class ProductTest : public OpTest {};
// Of the host alone: what is tested are oneDNN's layouts.
INSTANTIATE_TEST_SUITE_P(Targets, ProductTest,
                         ::testing::Values(Target{DeviceKind::host, DType::f32}, Target{DeviceKind::host, DType::bf16}),
                         target_name);

// What a layout that only the library knows is packed with.
TEST_P(ProductTest, TheLibraryPacksTheSameBytes) {
  if (!kernels::detail::packs_operands()) GTEST_SKIP() << "no product here has a packed operand";
  if (storage() == DType::bf16 && !kernels::detail::multiplies_bf16()) GTEST_SKIP() << "bf16 is widened here";
  for (const auto& [n, k] :
       {std::pair<std::int64_t, std::int64_t>{64, 64}, {100, 37}, {256, 1024}, {1, 5}, {17, 300}}) {
    const Product product(ProductShape{128, n, k, storage(), DType::f32});
    const std::int64_t bytes = kernels::detail::packed_bytes(n, k, storage());
    for (const bool by_rows : {true, false}) {
      const Tensor values = random({n * k}), ours = zeros(DType::u8, {bytes}), librarys = zeros(DType::u8, {bytes});
      const Matrix b{values.raw(), storage(), n, k, by_rows ? k : 1, by_rows ? 1 : n};
      product.pack(b, ours.raw());
      product.pack_by_library(b, librarys.raw());
      EXPECT_EQ(read(ours), read(librarys)) << n << " x " << k << (by_rows ? " by rows" : " by columns");
    }
  }
}

// The first rows of a table may be packed for a product of more.
TEST_P(ProductTest, MissingRowsOfBAreZeros) {
  const std::int64_t m = 5, n = 40, k = 24, rows = 33;
  Product product(ProductShape{m, n, k, storage(), DType::f32});
  const Tensor a = random({m, k}), b = random({n, k}),
               packed = zeros(DType::u8, {kernels::detail::packed_bytes(n, k, storage())});
  const Tensor whole = poisoned(DType::f32, {m, n}), part = poisoned(DType::f32, {m, n});
  product.pack({b.raw(), storage(), n, k, k, 1}, packed.raw());
  product.execute(a.raw(), packed.raw(), nullptr, whole.raw());
  product.pack({b.raw(), storage(), rows, k, k, 1}, packed.raw());
  product.execute(a.raw(), packed.raw(), nullptr, part.raw());
  Values expected = read(whole);
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (i % n >= rows) expected[i] = 0;
  EXPECT_EQ(read(part), expected);
}

// A result in bf16 is the result in f32, rounded to nearest even, whatever the processor multiplies.
TEST_P(ProductTest, AResultIsTheRoundedSum) {
  const std::int64_t m = 9, n = 50, k = 70;
  const Tensor a = random({m, k}), b = random({n, k}),
               packed = zeros(DType::u8, {kernels::detail::packed_bytes(n, k, storage())});
  const Tensor sums = poisoned(DType::f32, {m, n}), result = poisoned({m, n}), bias = random(DType::f32, {n});
  Product in_f32(ProductShape{m, n, k, storage(), DType::f32, true});
  Product stored(ProductShape{m, n, k, storage(), storage(), true});
  in_f32.pack({b.raw(), storage(), n, k, k, 1}, packed.raw());
  in_f32.execute(a.raw(), packed.raw(), bias.data<float>(), sums.raw());
  stored.execute(a.raw(), packed.raw(), bias.data<float>(), result.raw());
  Values expected = read(sums);
  if (storage() == DType::bf16)
    for (double& value : expected) {
      int exponent = 0;
      std::frexp(value, &exponent);
      value = std::ldexp(std::nearbyint(std::ldexp(value, 8 - exponent)), exponent - 8);
    }
  EXPECT_EQ(read(result), expected);
}

}  // namespace
}  // namespace tenfold::test
