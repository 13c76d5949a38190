#include "kernels/position_bias.hpp"

#include "op_test.hpp"

namespace tenfold::test {
namespace {

using kernels::PositionBias;

// The table as the TUPE code computes it: bucket of a distance for 32 buckets and maximal distance 128.
std::int32_t tupe_bucket(int distance) {
  if (distance < 8) return distance;
  const int thresholds[] = {12, 16, 23, 32, 46, 64, 91};
  std::int32_t bucket = 8;
  for (int threshold : thresholds) bucket += distance >= threshold ? 1 : 0;
  return bucket;
}

TEST(RelativeBuckets, AreThoseOfTupe) {
  const int length = 512;
  const std::vector<std::int32_t> buckets = kernels::relative_buckets(length, 32, 128);
  ASSERT_EQ(buckets.size(), 1023U);
  for (int offset = 1 - length; offset < length; ++offset)
    EXPECT_EQ(buckets[static_cast<std::size_t>(length - 1 + offset)],
              (offset > 0 ? 16 : 0) + tupe_bucket(std::abs(offset)))
        << "key minus query " << offset;
}

TEST(RelativeBuckets, GrowWithDistanceAndFillTheirHalf) {
  for (const auto& [buckets, max_distance] : {std::pair{32, 128}, {64, 512}, {16, 20}, {4, 2}, {320, 2048}}) {
    const int length = 3000;
    const std::vector<std::int32_t> table = kernels::relative_buckets(length, buckets, max_distance);
    const auto before = [&, size = length](int distance) {
      return table[static_cast<std::size_t>(size - 1 - distance)];
    };
    for (int distance = 1; distance < length; ++distance) {
      EXPECT_GE(before(distance), before(distance - 1));
      EXPECT_EQ(table[static_cast<std::size_t>(length - 1 + distance)], before(distance) + buckets / 2);
    }
    for (int distance = 0; distance < buckets / 4; ++distance) EXPECT_EQ(before(distance), distance);
    EXPECT_EQ(before(max_distance), buckets / 2 - 1);
  }
}

TEST(RelativeBuckets, RefuseWhatMakesNoBuckets) {
  EXPECT_THROW(kernels::relative_buckets(8, 3, 128), Error);
  EXPECT_THROW(kernels::relative_buckets(8, 32, 8), Error);
}

struct Variant {
  const char* name;
  bool position, relative, cls, untied;
};
constexpr Variant variants[] = {{"relative", false, true, false, false},
                                {"tupe_a_tied", true, false, false, false},
                                {"tupe_r_tied", true, true, false, false},
                                {"tupe_a", true, false, false, true},
                                {"tupe_r", true, true, true, true}};

struct Size {
  std::int64_t heads, length, head_width;
};

class PositionBiasTest : public OpTest {
 protected:
  static constexpr int bucket_count = 8, max_distance = 20;
  static constexpr double f32_tolerance = 1e-5;

  struct Parameters {
    Values query, key, relative, cls;
  };

  PositionBias make_input(const Variant& variant, const Size& size) {
    const auto& [heads, length, head_width] = size;
    PositionBias input;
    input.untie_cls = variant.untied;
    if (variant.position) input.query = random({length, heads * head_width});
    if (variant.position) input.key = random({length, heads * head_width});
    if (variant.relative) {
      input.relative = random({bucket_count, heads});
      const std::vector<std::int32_t> buckets = buckets_of(size);
      input.buckets = make(DType::i32, {2 * length - 1}, Values(buckets.begin(), buckets.end()));
    }
    if (variant.cls) input.cls = random({heads});
    return input;
  }
  static std::vector<std::int32_t> buckets_of(const Size& size) {
    return kernels::relative_buckets(static_cast<int>(size.length), bucket_count, max_distance);
  }
  Parameters read_all(const PositionBias& input) {
    const auto values = [&](const Tensor& tensor) { return tensor ? read(tensor) : Values(); };
    return {values(input.query), values(input.key), values(input.relative), values(input.cls)};
  }

  /// The formulas at the head of kernels/position_bias.hpp, entry by entry.
  static Values reference(const Variant& variant, const Size& size, const Parameters& p) {
    const std::vector<std::int32_t> buckets = buckets_of(size);
    const auto position = [&](std::int64_t h, std::int64_t i, std::int64_t j) {
      double sum = 0;
      for (std::int64_t c = 0; variant.position && c < size.head_width; ++c) {
        const std::int64_t width = size.heads * size.head_width, column = h * size.head_width + c;
        sum +=
            p.query[static_cast<std::size_t>(i * width + column)] * p.key[static_cast<std::size_t>(j * width + column)];
      }
      return sum / std::sqrt(2.0 * static_cast<double>(size.head_width));
    };
    Values bias;
    for (std::int64_t h = 0; h < size.heads; ++h)
      for (std::int64_t i = 0; i < size.length; ++i)
        for (std::int64_t j = 0; j < size.length; ++j) {
          const std::int32_t bucket = buckets[static_cast<std::size_t>(size.length - 1 + j - i)];
          const double relative = variant.relative ? p.relative[static_cast<std::size_t>(bucket * size.heads + h)] : 0;
          const double others_to_cls = position(h, 0, 0) + (variant.cls ? p.cls[static_cast<std::size_t>(h)] : 0);
          if (variant.untied && i == 0)
            bias.push_back(0);
          else if (variant.untied && j == 0)
            bias.push_back(others_to_cls);
          else
            bias.push_back(position(h, i, j) + relative);
        }
    return bias;
  }
};
TENFOLD_F32(PositionBiasTest);

TEST_P(PositionBiasTest, ForwardAgreesWithTheDefinition) {
  for (const Variant& variant : variants)
    for (const Size& size : {Size{1, 1, 1}, Size{3, 7, 5}, Size{2, 33, 16}, Size{2, 128, 64}}) {
      const PositionBias input = make_input(variant, size);
      const Tensor bias = poisoned({size.heads, size.length, size.length});
      kernels::position_bias_forward(queue_, input, bias);
      expect_close(read(bias), reference(variant, size, read_all(input)), f32_tolerance, variant.name);
    }
}

TEST_P(PositionBiasTest, BackwardIsTheGradient) {
  for (const Variant& variant : variants)
    for (const Size& size : {Size{1, 1, 1}, Size{3, 7, 5}, Size{2, 19, 4}}) {
      const PositionBias input = make_input(variant, size);
      const auto like = [&](const Tensor& of, double fill) {
        return of ? make(of.shape(), Values(static_cast<std::size_t>(of.elements()), fill)) : Tensor();
      };
      PositionBias gradient{
          like(input.query, 1e30), like(input.key, 1e30), like(input.relative, 2), {}, like(input.cls, 3)};
      const Tensor dbias = random({size.heads, size.length, size.length});
      const Values upstream = read(dbias);
      kernels::position_bias_backward(queue_, dbias, input, gradient);

      const Parameters at = read_all(input);
      const auto check = [&](const Tensor& actual, Values Parameters::*member, double before, const std::string& what) {
        if (!actual) return;
        Values expected = finite_difference(
            [&](const Values& point) {
              Parameters moved = at;
              moved.*member = point;
              return dot(upstream, reference(variant, size, moved));
            },
            at.*member);
        for (double& value : expected) value += before;
        Values seen = read(actual);
        // Where all are zero (T = 1 without [CLS]) there is no scale to compare with.
        for (double& value : seen) value += 1;
        for (double& value : expected) value += 1;
        expect_close(seen, expected, f32_tolerance, text(variant.name, " ", what));
      };
      check(gradient.query, &Parameters::query, 0, "query");
      check(gradient.key, &Parameters::key, 0, "key");
      check(gradient.relative, &Parameters::relative, 2, "relative");
      check(gradient.cls, &Parameters::cls, 3, "cls");
    }
}

// Beyond a tile of any kernel: the bias is linear in query, table and scalar together, and in key, and a gradient is
// the transpose of such a map, so <dbias, map of v> = <gradient, v> for any v.
TEST_P(PositionBiasTest, BackwardIsTheTransposeOfForward) {
  for (const Variant& variant : variants)
    for (const Size& size : {Size{2, 37, 40}, Size{1, 70, 33}}) {
      const PositionBias input = make_input(variant, size), direction = make_input(variant, size);
      const auto like = [&](const Tensor& of) { return of ? zeros(of.shape()) : Tensor(); };
      const PositionBias gradient{like(input.query), like(input.key), like(input.relative), {}, like(input.cls)};
      const Tensor dbias = random({size.heads, size.length, size.length});
      const Values upstream = read(dbias);
      kernels::position_bias_backward(queue_, dbias, input, gradient);

      const Parameters at = read_all(input), along = read_all(direction), seen = read_all(gradient);
      const auto expect_transpose = [&](const Parameters& moved, double from_gradient, const char* what) {
        const Values image = reference(variant, size, moved);
        const double scale = std::sqrt(dot(upstream, upstream) * dot(image, image));
        EXPECT_NEAR(dot(upstream, image), from_gradient, f32_tolerance * scale) << variant.name << " " << what;
      };
      expect_transpose({along.query, at.key, along.relative, along.cls},
                       dot(seen.query, along.query) + dot(seen.relative, along.relative) + dot(seen.cls, along.cls),
                       "query, relative, cls");
      if (!variant.position) continue;
      const auto nothing = [](const Values& values) { return Values(values.size(), 0.0); };
      expect_transpose({at.query, along.key, nothing(at.relative), nothing(at.cls)}, dot(seen.key, along.key), "key");
    }
}

TEST_P(PositionBiasTest, AbsentGradientsAreSkipped) {
  const Size size{2, 5, 3};
  const PositionBias input = make_input(variants[4], size);
  PositionBias gradient;
  gradient.query = poisoned(input.query.shape());
  kernels::position_bias_backward(queue_, random({2, 5, 5}), input, gradient);
  for (double value : read(gradient.query)) EXPECT_LT(std::abs(value), 1e6);
}

TEST_P(PositionBiasTest, UntiedClsIsFreeOfPosition) {
  const Size size{2, 9, 4};
  const Tensor tensor = poisoned({2, 9, 9});
  kernels::position_bias_forward(queue_, make_input(variants[4], size), tensor);
  const Values bias = read(tensor);
  for (std::size_t h = 0; h < 2; ++h)
    for (std::size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(bias[h * 81 + i], 0) << "row 0";
      if (i > 1) {
        EXPECT_EQ(bias[h * 81 + i * 9], bias[h * 81 + 9]) << "column 0";
      }
    }
}

TEST_P(PositionBiasTest, RefusesWhatDoesNotFit) {
  const Size size{2, 5, 3};
  const Tensor bias = zeros({2, 5, 5});
  EXPECT_THROW(kernels::position_bias_forward(queue_, {}, bias), Error) << "nothing to do";
  PositionBias input = make_input(variants[4], size);
  EXPECT_THROW(kernels::position_bias_forward(queue_, input, zeros({2, 5, 6})), Error);
  input.untie_cls = false;
  EXPECT_THROW(kernels::position_bias_forward(queue_, input, bias), Error) << "[CLS] scalar of a tied [CLS]";
  input = make_input(variants[0], size);
  input.untie_cls = true;
  EXPECT_THROW(kernels::position_bias_forward(queue_, input, bias), Error) << "untied without TUPE";
}

}  // namespace
}  // namespace tenfold::test
