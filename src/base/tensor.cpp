#include "base/tensor.hpp"

namespace tenfold {

const char* name_of(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
    case DType::u8:
      return "u8";
  }
  return "unknown";
}

std::string Shape::describe() const {
  std::string out = "[";
  for (int i = 0; i < rank_; ++i) out += (i ? ", " : "") + std::to_string(extents_[i]);
  return out + "]";
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t count) const {
  TENFOLD_VERIFY(shape_.rank() >= 1 && begin >= 0 && count >= 0 && begin + count <= shape_[0], "rows ", begin, " to ",
                 begin + count, " of ", shape_.describe());
  const std::int64_t row = shape_[0] == 0 ? 0 : elements() / shape_[0];
  auto* first = static_cast<std::byte*>(data_);
  if (first != nullptr) first += static_cast<std::size_t>(begin * row) * size_of(type_);
  return {first, type_, shape_.with_rows(count), device_};
}

}  // namespace tenfold
