#pragma once
// The trainable parameters of a run, in flat buffers: f32 master weights, f32 gradients, and (for bf16) a copy of the
// weights in the compute type. Parameters are declared in the order of the forward pass, so that backward completes the
// gradient buffer from its end to its beginning and finished ranges can be reduced while it still runs.
//
// This class alone knows how a logical tensor lies in memory: which part of it this rank of the tensor group holds, and
// where in the flat buffers.

#include <string>
#include <vector>

#include "base/arena.hpp"
#include "base/queue.hpp"
#include "base/vocabulary.hpp"

namespace tenfold {

enum class Initial {
  zero,
  one,
  normal,       ///< N(0, 0.02)
  token_table,  ///< N(0, 0.02), but zero in the row of the padding token
};

/// Which copy kernels read: matrices and tables in the compute type; vectors and all of the position bias in f32.
enum class Storage { compute, master };

/// How a tensor is divided among the ranks of a tensor group: not at all (all hold it), or into equal parts of its rows
/// (the first dimension) or its columns (the second).
enum class TensorSplit { none, rows, columns };

/// This rank's place among those that hold slices of the same layers.
struct TensorRank {
  int rank = 0, ranks = 1;
};

struct Parameter {
  std::string name;  ///< e.g. encoder.layer.3.attention.query.weight
  Shape shape;       ///< of the logical tensor
  TensorSplit split;
  Initial initial;
  Storage storage;
  Shape local;          ///< of the part that lies here
  Shape start;          ///< its first row and column in the logical tensor
  std::int64_t offset;  ///< its first element in the flat buffers
  std::int64_t elements() const { return local.elements(); }
};

/// A range of the flat buffers that one or several consecutive parameters fill: what a layer keeps of them.
struct ParameterView {
  std::int64_t offset = -1;
  Shape shape;  ///< of what lies here
  Storage storage = Storage::master;
  explicit operator bool() const { return offset >= 0; }
};

class Parameters {
 public:
  explicit Parameters(TensorRank tensor = {}) : tensor_(tensor) {}

  /// Declares a parameter of this logical shape; its offset is aligned to 64 elements. Throws Error where the split
  /// does not divide it evenly.
  ParameterView add(const std::string& name, Shape shape, Initial initial, Storage storage,
                    TensorSplit split = TensorSplit::none);
  /// Declares parameters of one shape [rows, ...] side by side, seen as one of shape [names * rows, ...].
  ParameterView add_stacked(const std::vector<std::string>& names, Shape shape, Initial initial, Storage storage,
                            TensorSplit split = TensorSplit::none);

  /// Takes memory for all declared so far; `compute` is f32 or bf16.
  void allocate(Arena& arena, DType compute);
  /// Sets initial values: every parameter from a stream of its own name, every element by its index in the logical
  /// tensor, so that they do not depend on the ranks. `pad`: the row of a token table that is zero.
  void initialise(Queue& queue, std::uint64_t seed, std::int32_t pad);
  /// Brings the compute copy up to date with the master weights.
  void refresh(Queue& queue);

  Tensor weight(const ParameterView& view) const;    ///< what kernels read
  Tensor gradient(const ParameterView& view) const;  ///< f32

  /// To be said in a backward pass: the gradients of this parameter and of all that were declared after it are whole.
  void complete(const ParameterView& view) { complete_from_ = view.offset; }
  /// Forgets what is complete.
  void begin_backward() { complete_from_ = size_; }
  /// The flat gradients from here to the end are whole.
  std::int64_t complete_from() const { return complete_from_; }

  const std::vector<Parameter>& all() const { return parameters_; }
  std::int64_t count() const;  ///< scalars of the logical tensors
  std::int64_t padded_size() const { return size_; }
  Tensor masters() const { return masters_; }      ///< f32 [padded_size]
  Tensor gradients() const { return gradients_; }  ///< f32 [padded_size]
  Tensor master(const Parameter& parameter) const { return slice(masters_, parameter.offset, parameter.local); }
  Tensor gradient(const Parameter& parameter) const { return slice(gradients_, parameter.offset, parameter.local); }

  /// The share of the flat buffers that data rank `rank` of `ranks` keeps: [first, last), whole cache lines.
  struct Share {
    std::int64_t first, last;
  };
  Share share(int rank, int ranks) const;
  /// The elements of a parameter's part here that lie in a share, from its first on; of a tensor that all ranks of the
  /// group hold, on its first rank only: those of all data and tensor ranks cover the logical tensor exactly once.
  Share part(const Parameter& parameter, const Share& share) const;

  /// The part of a flat buffer (weights, gradients, moments) that belongs to [offset, offset + shape).
  static Tensor slice(const Tensor& flat, std::int64_t offset, Shape shape);

 private:
  void initialise(Queue& queue, const Parameter& parameter, std::uint64_t key, std::int32_t pad) const;

  TensorRank tensor_;
  std::vector<Parameter> parameters_;
  std::int64_t size_ = 0;
  std::int64_t complete_from_ = 0;
  Tensor masters_, gradients_, compute_;
};

}  // namespace tenfold
