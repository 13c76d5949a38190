// Pieces of logical tensors, and the frame of a checkpoint that they are written into.
#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "base/check.hpp"
#include "io/checkpoint.hpp"
#include "io/posix.hpp"
#include "io/schema.hpp"
#include "io/seal.hpp"

namespace tenfold {

namespace {

using hdf5::Size;
using hdf5::Slab;

constexpr Size page = 4096;

/// Room for HDF5's own records of so many tensors, generously, and for what alignment leaves before them.
std::uint64_t frame_bytes(const CheckpointContent& content) {
  return (128U << 10U) + (2048 + page) * content.tensors.size();
}

std::uint64_t payload_bytes(const CheckpointContent& content) {
  std::uint64_t total = 0;
  for (const CheckpointTensor& each : content.tensors)
    total += static_cast<std::uint64_t>(each.shape.elements()) * size_of(each.type);
  for (const auto& [name, value] : content.texts) total += value.size();
  for (const auto& [name, value] : content.bytes) total += value.size();
  return total;
}

/// One past the last index of a dimension.
Size end_of(const Slab& slab, std::size_t dimension) {
  const Size step = dimension == 0 ? slab.row_step : 1;
  return slab.extent[dimension] == 0 ? slab.start[dimension]
                                     : slab.start[dimension] + (slab.extent[dimension] - 1) * step + 1;
}

bool share_rows(const Slab& a, const Slab& b) {
  const Size step = std::gcd(a.row_step, b.row_step);
  const Size first = std::max(a.start[0], b.start[0]);
  if (first >= std::min(end_of(a, 0), end_of(b, 0)) || a.start[0] % step != b.start[0] % step) return false;
  if (a.row_step == b.row_step) return true;
  for (Size row = a.start[0]; row < end_of(a, 0); row += a.row_step)
    if (row >= b.start[0] && row < end_of(b, 0) && (row - b.start[0]) % b.row_step == 0) return true;
  return false;
}

bool overlap(const Slab& a, const Slab& b) {
  for (std::size_t i = 1; i < a.start.size(); ++i)
    if (std::max(a.start[i], b.start[i]) >= std::min(end_of(a, i), end_of(b, i))) return false;
  return a.start.empty() || share_rows(a, b);
}

std::string words(const Slab& slab) {
  std::string result;
  for (std::size_t i = 0; i < slab.start.size(); ++i)
    result += text(i == 0 ? "[" : ", ", slab.start[i], " to ", end_of(slab, i));
  return slab.row_step == 1 ? result + "]" : text(result, "], each ", slab.row_step, "th row");
}

}  // namespace

std::vector<TensorPiece> pieces_of(const Shape& local, std::span<const std::int64_t> start, std::int64_t offset,
                                   std::int64_t count, const void* data, DType type) {
  std::vector<TensorPiece> pieces;
  const auto* bytes = static_cast<const std::byte*>(data);
  for (Slab& slab :
       hdf5::slabs_of_range(hdf5::extents_of(local), static_cast<Size>(offset), static_cast<Size>(count))) {
    const Size size = slab.elements() * size_of(type);
    for (std::size_t i = 0; i < start.size(); ++i) slab.start[i] += static_cast<Size>(start[i]);
    pieces.push_back({std::move(slab), bytes});
    bytes += size;
  }
  return pieces;
}

std::string cover_fault(const Shape& shape, std::vector<Slab> slabs) {
  std::erase_if(slabs, [](const Slab& slab) { return slab.elements() == 0; });
  Size elements = 0;
  for (const Slab& slab : slabs) {
    if (static_cast<int>(slab.start.size()) != shape.rank() || slab.extent.size() != slab.start.size())
      return text("a piece of ", slab.start.size(), " dimensions");
    for (std::size_t i = 0; i < slab.start.size(); ++i)
      if (end_of(slab, i) > static_cast<Size>(shape[static_cast<int>(i)]))
        return "a piece beyond its end, " + words(slab);
    elements += slab.elements();
  }
  if (elements != static_cast<Size>(shape.elements()))
    return text("pieces of ", elements, " elements in all, not ", shape.elements());
  // As many elements as there are, none of them twice: then each once.
  std::ranges::sort(slabs, {}, [](const Slab& slab) { return slab.start; });
  for (std::size_t i = 0; i < slabs.size(); ++i)
    for (std::size_t k = i + 1; k < slabs.size() && (shape.rank() == 0 || slabs[k].start[0] < end_of(slabs[i], 0)); ++k)
      if (overlap(slabs[i], slabs[k])) return text("pieces that overlap, ", words(slabs[i]), " and ", words(slabs[k]));
  return "";
}

std::uint64_t checkpoint_bytes(const CheckpointContent& content) {
  return payload_bytes(content) + frame_bytes(content);
}

void write_checkpoint_frame(const std::string& path, std::int64_t step, const CheckpointContent& content,
                            Progress& progress) {
  const std::uint64_t room = std::filesystem::space(std::filesystem::path(path).parent_path()).available;
  if (room < checkpoint_bytes(content)) throw Error(text("only ", room, " bytes are free"));
  // Records of HDF5 must not be what meets the end of the disk: their room, and a file of that length, are tried first.
  detail::Descriptor(path, O_RDWR | O_CREAT | O_TRUNC).reserve(payload_bytes(content), frame_bytes(content), progress);
  // Large tensors begin at pages, so that no two ranks write to one only because their tensors meet there. HDF5 aligns
  // what lies behind the user block, of which the seal is the beginning.
  static_assert(page >= seal::seal_bytes);
  hdf5::File file = hdf5::File::create(path, {.user_block = page, .swmr = false, .alignment = page});
  write_schema(file, "checkpoint", checkpoint_schema);
  file.set_attribute("step", step);
  std::vector<std::pair<Size, Size>> holes;  // where the elements will be
  {
    hdf5::Group integers = file.group("integers");
    for (const auto& [name, value] : content.integers) integers.set_attribute(name, value);
    hdf5::Group texts = file.group("texts");
    for (const auto& [name, value] : content.texts) texts.write_text(name, value);
    hdf5::Group bytes = file.group("bytes");
    for (const auto& [name, value] : content.bytes) {
      const std::span values(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
      bytes.create_dataset<std::uint8_t>(name, {value.size()}).write(values);
    }
    hdf5::Group tensors = file.group("tensors");
    for (const CheckpointTensor& each : content.tensors) {
      const hdf5::Dataset made =
          tensors.create_dataset(each.name, hdf5::native_type(each.type), hdf5::extents_of(each.shape));
      if (const auto offset = made.file_offset()) holes.emplace_back(*offset, made.stored_bytes());
    }
  }
  file.close();
  detail::Descriptor made(path, O_RDWR);
  for (const auto& [offset, length] : holes) made.reserve(offset, length, progress);
}

}  // namespace tenfold
