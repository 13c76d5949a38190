#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "io/checkpoint.hpp"
#include "io/schema.hpp"
#include "io/seal.hpp"

namespace tenfold {

namespace {

hdf5::File open_sealed(const std::string& path) {
  hdf5::expect_hdf5(path, hdf5::Access::read);
  Progress unwatched;
  const std::string damage = seal::damage_of(path, unwatched);
  if (!damage.empty()) throw InputError(tenfold::text("checkpoint ", path, " is damaged: ", damage));
  expect_known_schema(path, seal::schema_of(seal::read_beginning(path).block));
  return hdf5::File::open(path);
}

/// Calls visit(name, data set) of all data sets below a group.
template <class Visit>
void visit_datasets(const hdf5::Group& group, const std::string& prefix, const Visit& visit) {
  for (const std::string& name : group.names()) {
    if (group.is_group(name)) {
      visit_datasets(group.open_group(name), prefix + name + "/", visit);
    } else {
      visit(prefix + name, group.dataset(name));
    }
  }
}

}  // namespace

void expect_known_schema(const std::string& path, std::uint32_t schema) {
  if (schema <= checkpoint_schema) return;
  throw InputError(tenfold::text(path, " is a checkpoint of schema version ", schema, "; this tenfold reads up to ",
                                 checkpoint_schema, ": use the newer one that wrote it"));
}

Checkpoint::Checkpoint(const std::string& path) : Checkpoint(open_sealed(path)) {}

Checkpoint::Checkpoint(hdf5::File file) : file_(std::move(file)) {
  expect_schema(file_, "checkpoint", checkpoint_schema);
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
  visit_datasets(file_.open_group("tensors"), "",
                 [&](const std::string& name, const hdf5::Dataset&) { found.push_back(name); });
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
  file_.dataset("tensors/" + name)
      .read_range(type, values, static_cast<hdf5::Size>(offset), static_cast<hdf5::Size>(count));
}

CheckpointDirectory Checkpoint::directory() const {
  CheckpointDirectory directory{.step = step(), .integers = {}, .data = {}};
  const hdf5::Group integers = file_.open_group("integers");
  for (const std::string& name : integers.attribute_names())
    directory.integers[name] = integers.integer_attribute(name);
  for (const char* group : {"tensors", "texts", "bytes"})
    visit_datasets(file_.open_group(group), std::string(group) + "/",
                   [&](const std::string& name, const hdf5::Dataset& data) {
                     const hdf5::Extents extents = data.extents();
                     const auto offset = data.file_offset();
                     directory.data.push_back({.name = name,
                                               .extents = {extents.begin(), extents.end()},
                                               .type = data.element_type(),
                                               .offset = offset.value_or(0),
                                               .bytes = offset ? data.stored_bytes() : 0});
                   });
  return directory;
}

std::string to_text(const CheckpointDirectory& directory) {
  nlohmann::json data = nlohmann::json::array();
  for (const StoredData& each : directory.data)
    data.push_back({each.name, each.extents, each.type ? static_cast<int>(*each.type) : -1, each.offset, each.bytes});
  return nlohmann::json({directory.step, directory.integers, data}).dump();
}

CheckpointDirectory directory_from(const std::string& words) {
  const nlohmann::json parsed = nlohmann::json::parse(words);
  CheckpointDirectory directory{.step = parsed.at(0), .integers = parsed.at(1), .data = {}};
  for (const nlohmann::json& each : parsed.at(2)) {
    const int type = each.at(2);
    directory.data.push_back({.name = each.at(0),
                              .extents = each.at(1),
                              .type = type < 0 ? std::nullopt : std::optional(static_cast<DType>(type)),
                              .offset = each.at(3),
                              .bytes = each.at(4)});
  }
  return directory;
}

}  // namespace tenfold
