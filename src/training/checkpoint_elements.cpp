#include "training/checkpoint_elements.hpp"

#include <algorithm>

#include "io/hdf5_parallel.hpp"
#include "parallel/agree.hpp"

namespace tenfold {

namespace {

using hdf5::Size;
using hdf5::Slab;

/// What a rank hands to one write at most, unless a row is longer: a sign of life after each, and MPI counts in 32
/// bits.
constexpr Size write_bytes = 4 << 20;

/// All boxes of a content as numbers: tensor, row step, rank, start, extent, one box after another.
std::vector<Size> as_numbers(const CheckpointContent& content) {
  std::vector<Size> numbers;
  for (std::size_t i = 0; i < content.tensors.size(); ++i)
    for (const TensorPiece& piece : content.tensors[i].pieces) {
      numbers.insert(numbers.end(), {i, piece.slab.row_step, piece.slab.start.size()});
      numbers.insert(numbers.end(), piece.slab.start.begin(), piece.slab.start.end());
      numbers.insert(numbers.end(), piece.slab.extent.begin(), piece.slab.extent.end());
    }
  return numbers;
}

/// By tensor.
std::vector<std::vector<Slab>> slabs_from(const std::vector<Size>& numbers, std::size_t tensors) {
  std::vector<std::vector<Slab>> slabs(tensors);
  for (auto at = numbers.begin(); at != numbers.end();) {
    const Size tensor = *at++;
    const Size row_step = *at++;
    const auto rank = static_cast<std::ptrdiff_t>(*at++);
    slabs[tensor].push_back({hdf5::Extents(at, at + rank), hdf5::Extents(at + rank, at + 2 * rank), row_step});
    at += 2 * rank;
  }
  return slabs;
}

Size row_bytes(const Slab& slab, DType type) {
  Size bytes = size_of(type);
  for (std::size_t i = 1; i < slab.extent.size(); ++i) bytes *= slab.extent[i];
  return bytes;
}

/// Rows [first, first + count) of a piece, as many as it has of them, perhaps none.
TensorPiece rows_of(const TensorPiece& piece, DType type, Size first, Size count) {
  Slab part = piece.slab;
  first = std::min(first, part.extent[0]);
  part.extent[0] = std::min(count, part.extent[0] - first);
  part.start[0] += part.extent[0] == 0 ? 0 : first * part.row_step;
  const auto* data = static_cast<const std::byte*>(piece.data);
  return {part, data == nullptr ? nullptr : data + first * row_bytes(piece.slab, type)};
}

void write_piece(hdf5::Dataset& data, DType type, const TensorPiece& piece, Progress& progress) {
  if (piece.slab.extent.empty()) return data.write_slab(type, piece.data, piece.slab);
  const Size rows = std::max<Size>(write_bytes / std::max<Size>(row_bytes(piece.slab, type), 1), 1);
  for (Size first = 0; first < piece.slab.extent[0]; first += rows) {
    const TensorPiece part = rows_of(piece, type, first, rows);
    data.write_slab(type, part.data, part.slab);
    progress.tick();
  }
}

/// The one piece that each rank has, in as many collective writes as the longest takes.
void write_interleaved(hdf5::Dataset& data, const CheckpointTensor& tensor, MpiCommunicator& ranks) {
  const hdf5::Extents whole = hdf5::extents_of(tensor.shape);
  const Size rows = std::max<Size>(write_bytes / std::max<Size>(row_bytes({{}, whole}, tensor.type), 1), 1);
  const TensorPiece nothing{{hdf5::Extents(whole.size()), hdf5::Extents(whole.size())}, nullptr};
  const TensorPiece& mine = tensor.pieces.empty() ? nothing : tensor.pieces.front();
  const auto longest = static_cast<Size>(ranks.all_reduce_max(static_cast<std::int64_t>(mine.slab.extent[0])));
  for (Size first = 0; first < longest; first += rows) {
    const TensorPiece part = rows_of(mine, tensor.type, first, rows);
    const Progress::Waiting waiting(ranks.progress(), "HDF5's collective write");
    data.write_slab(tensor.type, part.data, part.slab, hdf5::Transfer::collective);
  }
}

}  // namespace

void expect_full_cover(const CheckpointContent& content, MpiCommunicator& ranks) {
  const std::vector<Size> numbers = ranks.all_gather_v(std::span<const Size>(as_numbers(content))).values;
  agree_on_root(ranks, [&] {
    const auto slabs = slabs_from(numbers, content.tensors.size());
    for (std::size_t i = 0; i < slabs.size(); ++i) {
      const CheckpointTensor& tensor = content.tensors[i];
      const std::string fault = cover_fault(tensor.shape, slabs[i]);
      if (!fault.empty())
        throw Error(text("the ranks supply for ", tensor.name, " ", tensor.shape.describe(), ' ', fault));
    }
  });
}

void write_elements(const std::string& path, const CheckpointContent& content, MpiCommunicator& ranks) {
  Progress& progress = ranks.progress();
  agree(ranks, [&] { hdf5::expect_hdf5(path, hdf5::Access::read_write); });
  hdf5::File file = agree(ranks, [&] {
    const Progress::Waiting waiting(progress, "HDF5's open");
    return hdf5::open_shared(path, ranks.native(), hdf5::Access::read_write);
  });
  std::vector<hdf5::Dataset> tensors;
  agree(ranks, [&] {
    const Progress::Waiting waiting(progress, "HDF5's open of a data set");
    for (const CheckpointTensor& each : content.tensors) tensors.push_back(file.dataset("tensors/" + each.name));
  });
  agree(ranks, [&] {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (content.tensors[i].interleaved) continue;
      for (const TensorPiece& piece : content.tensors[i].pieces)
        write_piece(tensors[i], content.tensors[i].type, piece, progress);
    }
  });
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (content.tensors[i].interleaved) agree(ranks, [&] { write_interleaved(tensors[i], content.tensors[i], ranks); });
  tensors.clear();
  agree(ranks, [&] {
    const Progress::Waiting waiting(progress, "HDF5's flush");
    file.flush();
  });
  agree(ranks, [&] {
    const Progress::Waiting waiting(progress, "HDF5's close");
    file.close();
  });
}

}  // namespace tenfold
