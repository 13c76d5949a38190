#pragma once
// A tensor is a non-owning view: pointer, element type, row-major contiguous shape, and the device it lies on.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

#include "base/check.hpp"

namespace tenfold {

enum class DeviceKind : std::uint8_t { host, cuda };

enum class DType : std::uint8_t { f32, bf16, f64, i32, i64, u8 };

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

const char* name_of(DType type);

/// bfloat16 storage: the upper half of an IEEE float. Arithmetic happens in f32 inside kernels.
struct BFloat16 {
  std::uint16_t bits;
};

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, BFloat16>) return DType::bf16;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::i64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::u8;
}

/// Up to four dimensions, outermost first.
class Shape {
 public:
  constexpr Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents) {
    TENFOLD_VERIFY(extents.size() <= extents_.size(), "a shape has at most four dimensions, got ", extents.size());
    for (std::int64_t extent : extents) extents_[rank_++] = extent;
  }
  int rank() const { return rank_; }
  std::int64_t operator[](int dimension) const { return extents_[dimension]; }
  std::span<const std::int64_t> extents() const { return std::span(extents_).first(static_cast<std::size_t>(rank_)); }
  std::int64_t elements() const {
    std::int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= extents_[i];
    return product;
  }
  /// The same with another outermost extent.
  Shape with_rows(std::int64_t count) const {
    Shape other = *this;
    other.extents_[0] = count;
    return other;
  }
  bool operator==(const Shape&) const = default;
  std::string describe() const;  ///< "[32, 128, 256]"

 private:
  std::array<std::int64_t, 4> extents_{};
  int rank_ = 0;
};

/// Non-owning view. An empty view (no data, no shape) stands for an absent optional operand.
class Tensor {
 public:
  Tensor() = default;
  Tensor(void* data, DType type, Shape shape, DeviceKind device = DeviceKind::host)
      : data_(data), shape_(shape), type_(type), device_(device) {}

  explicit operator bool() const { return shape_.rank() != 0; }
  DType dtype() const { return type_; }
  DeviceKind device() const { return device_; }
  const Shape& shape() const { return shape_; }
  std::int64_t operator[](int dimension) const { return shape_[dimension]; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(type_); }
  void* raw() const { return data_; }

  /// The elements as T; throws when T is not the element type. Only kernels/ and parallel/ may dereference it.
  template <class T>
  T* data() const {
    TENFOLD_VERIFY(dtype_of<T>() == type_, "tensor holds ", name_of(type_), ", asked for ", name_of(dtype_of<T>()));
    return static_cast<T*>(data_);
  }

  /// The same elements under another shape of as many elements.
  Tensor reshaped(Shape shape) const {
    TENFOLD_VERIFY(shape.elements() == elements(), shape_.describe(), " seen as ", shape.describe());
    return {data_, type_, shape, device_};
  }

  /// Rows [begin, begin + count) of the outermost dimension.
  Tensor rows(std::int64_t begin, std::int64_t count) const;

 private:
  void* data_ = nullptr;
  Shape shape_;
  DType type_ = DType::f32;
  DeviceKind device_ = DeviceKind::host;
};

/// A view of host memory that the caller owns.
template <class T>
Tensor host_view(std::span<T> values, Shape shape) {
  TENFOLD_VERIFY(shape.elements() == static_cast<std::int64_t>(values.size()), shape.describe(), " over ",
                 values.size(), " elements");
  return {const_cast<std::remove_const_t<T>*>(values.data()), dtype_of<std::remove_const_t<T>>(), shape};
}

}  // namespace tenfold
