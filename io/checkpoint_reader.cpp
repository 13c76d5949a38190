// An open checkpoint, and how the newest good one is found.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"
#include "io/checkpoint.hpp"
#include "io/detail/checkpoint_folder.hpp"
#include "io/detail/seal.hpp"
#include "io/schema.hpp"
#include "parallel/agree.hpp"

namespace tenfold {

namespace {

void expect_known_schema(const std::string& path, std::uint32_t schema) {
  if (schema <= detail::checkpoint_schema) return;
  throw InputError(tenfold::text(path, " is a checkpoint of schema version ", schema, "; this tenfold reads up to ",
                                 detail::checkpoint_schema, ": use the newer one that wrote it"));
}

hdf5::File open_sealed(const std::string& path, MpiCommunicator& communicator) {
  agree(communicator, [&] { hdf5::File::open(path); });
  const detail::SealCheck seal = detail::check_seal(path, communicator);
  if (!seal.damage.empty()) throw InputError(tenfold::text("checkpoint ", path, " is damaged: ", seal.damage));
  expect_known_schema(path, seal.schema);
  return hdf5::File::open(path);
}

void collect_datasets(const hdf5::Group& group, const std::string& prefix, std::vector<std::string>& found) {
  for (const std::string& name : group.names()) {
    if (group.is_group(name)) {
      collect_datasets(group.open_group(name), prefix + name + "/", found);
    } else {
      found.push_back(prefix + name);
    }
  }
}

}  // namespace

FoundCheckpoint find_newest_checkpoint(const std::string& folder, MpiCommunicator& communicator) {
  FoundCheckpoint found;
  for (const std::string& path : detail::newest_first(folder, communicator)) {
    agree(communicator, [&] {  // what a rank may not read is not damaged
      if (::access(path.c_str(), R_OK) != 0)
        throw InputError(
            tenfold::text(path, " cannot be read: ", std::strerror(errno), "; make it readable on all hosts"));
    });
    const detail::SealCheck seal = detail::check_seal(path, communicator);
    if (seal.damage.empty()) {
      expect_known_schema(path, seal.schema);
      found.path = path;
      return found;
    }
    found.damaged.push_back({path, seal.damage});
  }
  if (found.damaged.empty()) return found;
  std::string list;
  for (const DamagedCheckpoint& each : found.damaged) list += "\n  " + each.path + ": " + each.reason;
  throw InputError("all checkpoints are damaged; move them away to start over, or put a good copy in place:" + list);
}

Checkpoint::Checkpoint(const std::string& path, MpiCommunicator& communicator)
    : progress_(communicator.progress()), file_(open_sealed(path, communicator)) {
  agree(communicator, [&] { expect_schema(file_, "checkpoint", detail::checkpoint_schema); });
}

std::int64_t Checkpoint::step() const {
  return file_.integer_attribute("step");
}

std::int64_t Checkpoint::integer(const std::string& name) const {
  return file_.open_group("integers").integer_attribute(name);
}

std::string Checkpoint::text(const std::string& name) const {
  return file_.read_text("texts/" + name);
}

std::string Checkpoint::bytes(const std::string& name) const {
  const auto values = file_.dataset("bytes/" + name).read_all<std::uint8_t>();
  return {values.begin(), values.end()};
}

bool Checkpoint::has_tensor(const std::string& name) const {
  return file_.has("tensors/" + name);
}

std::vector<std::string> Checkpoint::tensors() const {
  std::vector<std::string> found;
  collect_datasets(file_.open_group("tensors"), "", found);
  std::sort(found.begin(), found.end());
  return found;
}

Shape Checkpoint::shape(const std::string& name) const {
  const hdf5::Extents extents = file_.dataset("tensors/" + name).extents();
  return Shape(std::vector<std::int64_t>(extents.begin(), extents.end()));
}

void Checkpoint::read_elements(const std::string& name, std::int64_t offset, DType type, void* values,
                               std::int64_t count) const {
  TENFOLD_VERIFY(offset >= 0, name, " from element ", offset);
  file_.dataset("tensors/" + name).read_range(type, values, static_cast<hsize_t>(offset), static_cast<hsize_t>(count));
  progress_.tick();
}

}  // namespace tenfold
