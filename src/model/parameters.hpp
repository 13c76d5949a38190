#pragma once
// The trainable parameters of a run, in flat buffers: f32 master weights, f32 gradients, and (for bf16) a copy of the
// weights in the compute type. Parameters are declared in the order of the forward pass, so that backward completes the
// gradient buffer from its end to its beginning and finished ranges can be reduced while it still runs.

#include <string>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"

namespace tenfold {

enum class Initial {
  zero,
  one,
  normal,       ///< N(0, 0.02)
  token_table,  ///< N(0, 0.02), but zero in the row of [PAD]
};

/// Which copy kernels read: matrices and tables in the compute type; vectors and all of the position bias in f32.
enum class Storage { compute, master };

struct Parameter {
  std::string name;  ///< e.g. encoder.layer.3.attention.query.weight
  Shape shape;
  Initial initial;
  Storage storage;
  std::int64_t offset;  ///< first element in the flat buffers
  std::int64_t elements() const { return shape.elements(); }
};

/// A range of the flat buffers that one or several consecutive parameters fill: what a layer keeps of them.
struct ParameterView {
  std::int64_t offset = -1;
  Shape shape;
  Storage storage = Storage::master;
  explicit operator bool() const { return offset >= 0; }
};

class Parameters {
 public:
  /// Declares a parameter; its offset is aligned to 64 elements.
  ParameterView add(const std::string& name, Shape shape, Initial initial, Storage storage);
  /// Declares parameters of one shape [rows, ...] side by side, seen as one of shape [names * rows, ...].
  ParameterView add_stacked(const std::vector<std::string>& names, Shape shape, Initial initial, Storage storage);

  /// Takes memory for all declared so far; `compute` is f32 or bf16.
  void allocate(Arena& arena, DType compute);
  /// Sets initial values; every parameter from a stream of its own name.
  void initialise(Queue& queue, std::uint64_t seed);
  /// Brings the compute copy up to date with the master weights.
  void refresh(Queue& queue);

  Tensor weight(const ParameterView& view) const;    ///< what kernels read
  Tensor gradient(const ParameterView& view) const;  ///< f32

  const std::vector<Parameter>& all() const { return parameters_; }
  std::int64_t count() const;  ///< scalars, without padding
  std::int64_t padded_size() const { return size_; }
  Tensor masters() const { return masters_; }      ///< f32 [padded_size]
  Tensor gradients() const { return gradients_; }  ///< f32 [padded_size]
  Tensor master(const Parameter& parameter) const { return slice(masters_, parameter.offset, parameter.shape); }
  Tensor gradient(const Parameter& parameter) const { return slice(gradients_, parameter.offset, parameter.shape); }

  /// The part of a flat buffer (weights, gradients, moments) that belongs to [offset, offset + shape).
  static Tensor slice(const Tensor& flat, std::int64_t offset, Shape shape);

 private:
  std::vector<Parameter> parameters_;
  std::int64_t size_ = 0;
  Tensor masters_, gradients_, compute_;
};

}  // namespace tenfold
