#include "model/parameters.hpp"

#include "base/random.hpp"
#include "base/special_tokens.hpp"
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
}  // namespace

ParameterView Parameters::add(const std::string& name, Shape shape, Initial initial, Storage storage) {
  return add_stacked({name}, shape, initial, storage);
}

ParameterView Parameters::add_stacked(const std::vector<std::string>& names, Shape shape, Initial initial,
                                      Storage storage) {
  TENFOLD_VERIFY(!masters_, "parameters are declared before memory is taken");
  const std::int64_t first = aligned(size_);
  std::int64_t offset = first;
  for (const std::string& name : names) {
    parameters_.push_back({name, shape, initial, storage, offset});
    offset += shape.elements();
  }
  size_ = aligned(offset);
  return {first, stacked(shape, static_cast<std::int64_t>(names.size())), storage};
}

void Parameters::allocate(Arena& arena, DType compute) {
  masters_ = arena.allocate(DType::f32, {size_});
  gradients_ = arena.allocate(DType::f32, {size_});
  compute_ = compute == DType::f32 ? masters_ : arena.allocate(compute, {size_});
}

void Parameters::initialise(Queue& queue, std::uint64_t seed) {
  for (const Parameter& parameter : parameters_) {
    const Tensor values = master(parameter);
    switch (parameter.initial) {
      case Initial::zero:
        kernels::fill(queue, 0.0F, values);
        break;
      case Initial::one:
        kernels::fill(queue, 1.0F, values);
        break;
      case Initial::normal:
      case Initial::token_table:
        kernels::fill_normal(queue, stream_key(seed, "initial." + parameter.name), 0.0F, initial_deviation, values);
    }
    if (parameter.initial == Initial::token_table) kernels::fill(queue, 0.0F, values.rows(pad_token, 1));
  }
  refresh(queue);
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
  for (const Parameter& parameter : parameters_) total += parameter.elements();
  return total;
}

Tensor Parameters::slice(const Tensor& flat, std::int64_t offset, Shape shape) {
  return flat.rows(offset, shape.elements()).reshaped(shape);
}

}  // namespace tenfold
