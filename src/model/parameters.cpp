#include "model/parameters.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "kernels/elementwise.hpp"

namespace tenfold {

namespace {
constexpr std::int64_t alignment = 64;      // elements: a cache line of bf16 or more, and room for optimizer shards
constexpr float initial_deviation = 0.02F;  // BERT's init (Devlin et al. 2019)

std::int64_t aligned(std::int64_t offset) {
  return (offset + alignment - 1) / alignment * alignment;
}

Shape stacked(Shape shape, std::int64_t times) {
  return shape.rank() == 1 ? Shape{times * shape[0]} : Shape{times * shape[0], shape[1]};
}

/// Places a parameter's part of the logical tensor.
void place(Parameter& parameter, const TensorRank& tensor) {
  std::array<std::int64_t, 2> extent{}, start{};
  const Shape& whole = parameter.shape;
  std::copy(whole.extents().begin(), whole.extents().end(), extent.begin());
  if (parameter.split != TensorSplit::none) {
    const int dimension = parameter.split == TensorSplit::rows ? 0 : 1;
    TENFOLD_VERIFY(dimension < whole.rank() && whole[dimension] % tensor.ranks == 0, parameter.name, " ",
                   whole.describe(), " cannot be split over ", tensor.ranks, " ranks");
    extent[dimension] /= tensor.ranks;
    start[dimension] = extent[dimension] * tensor.rank;
  }
  const auto rank = static_cast<std::size_t>(whole.rank());
  parameter.local = Shape(std::span<const std::int64_t>(extent).first(rank));
  parameter.start = Shape(std::span<const std::int64_t>(start).first(rank));
}

}  // namespace

ParameterView Parameters::add(const std::string& name, Shape shape, Initial initial, Storage storage,
                              TensorSplit split) {
  return add_stacked({name}, shape, initial, storage, split);
}

ParameterView Parameters::add_stacked(const std::vector<std::string>& names, Shape shape, Initial initial,
                                      Storage storage, TensorSplit split) {
  TENFOLD_VERIFY(!masters_, "parameters are declared before memory is taken");
  TENFOLD_VERIFY(shape.rank() == 1 || shape.rank() == 2, names.front(), " is ", shape.describe());
  const std::int64_t first = aligned(size_);
  std::int64_t offset = first;
  for (const std::string& name : names) {
    Parameter& parameter = parameters_.emplace_back(Parameter{name, shape, split, initial, storage, {}, {}, offset});
    place(parameter, tensor_);
    offset += parameter.elements();
  }
  size_ = aligned(offset);
  return {first, stacked(parameters_.back().local, static_cast<std::int64_t>(names.size())), storage};
}

void Parameters::allocate(Arena& arena, DType compute) {
  masters_ = arena.allocate(DType::f32, {size_});
  gradients_ = arena.allocate(DType::f32, {size_});
  compute_ = compute == DType::f32 ? masters_ : arena.allocate(compute, {size_});
}

void Parameters::initialise(Queue& queue, std::uint64_t seed, std::int32_t pad) {
  for (const Parameter& parameter : parameters_)
    initialise(queue, parameter, stream_key(seed, "initial." + parameter.name), pad);
  refresh(queue);
}

void Parameters::initialise(Queue& queue, const Parameter& parameter, std::uint64_t key, std::int32_t pad) const {
  const Tensor values = master(parameter);
  if (parameter.initial == Initial::zero || parameter.initial == Initial::one) {
    kernels::fill(queue, parameter.initial == Initial::one ? 1.0F : 0.0F, values);
    return;
  }
  const std::int64_t row = parameter.shape.elements() / parameter.shape[0];
  const auto draw = [&](std::int64_t first, const Tensor& run) {
    kernels::fill_normal(queue, key, 0.0F, initial_deviation, first, run);
  };
  if (parameter.split == TensorSplit::columns)
    for (std::int64_t r = 0; r < values[0]; ++r) draw(r * row + parameter.start[1], values.rows(r, 1));
  else
    draw(parameter.start[0] * row, values);
  const std::int64_t zero = pad - parameter.start[0];
  if (parameter.initial == Initial::token_table && zero >= 0 && zero < values[0])
    kernels::fill(queue, 0.0F, values.rows(zero, 1));
}

void Parameters::refresh(Queue& queue) {
  if (compute_.dtype() != DType::f32) kernels::convert(queue, masters_, compute_);
}

Tensor Parameters::weight(const ParameterView& view) const {
  return view ? slice(view.storage == Storage::compute ? compute_ : masters_, view.offset, view.shape) : Tensor();
}

Tensor Parameters::gradient(const ParameterView& view) const {
  return view ? slice(gradients_, view.offset, view.shape) : Tensor();
}

std::int64_t Parameters::count() const {
  std::int64_t total = 0;
  for (const Parameter& parameter : parameters_) total += parameter.shape.elements();
  return total;
}

Parameters::Share Parameters::share(int rank, int ranks) const {
  const std::int64_t lines = size_ / alignment;
  return {lines * rank / ranks * alignment, lines * (rank + 1) / ranks * alignment};
}

Parameters::Share Parameters::part(const Parameter& parameter, const Share& share) const {
  if (parameter.split == TensorSplit::none && tensor_.rank != 0) return {0, 0};
  const auto inside = [&](std::int64_t at) {
    return std::clamp(at - parameter.offset, std::int64_t{0}, parameter.elements());
  };
  return {inside(share.first), inside(share.last)};
}

Tensor Parameters::slice(const Tensor& flat, std::int64_t offset, Shape shape) {
  return flat.rows(offset, shape.elements()).reshaped(shape);
}

}  // namespace tenfold
