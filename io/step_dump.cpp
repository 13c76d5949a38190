#include "io/step_dump.hpp"

#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/check.hpp"
#include "io/detail/norm.hpp"
#include "io/schema.hpp"

namespace tenfold {

namespace {

constexpr std::int64_t dump_schema = 1;
constexpr const char* format = "step dump";

double norm_of(const hdf5::Dataset& tensor) {
  const hdf5::Extents extents = tensor.extents();
  const auto elements = std::reduce(extents.begin(), extents.end(), hdf5::Size{1}, std::multiplies<>());
  return detail::norm(static_cast<std::int64_t>(elements), [&](std::int64_t begin, std::span<float> values) {
    tensor.read_range(DType::f32, values.data(), static_cast<hdf5::Size>(begin), values.size());
  });
}

}  // namespace

StepDumpFile::StepDumpFile(const std::string& path, std::int64_t step, const std::string& configuration)
    : file_(hdf5::File::create(path)) {
  write_schema(file_, format, dump_schema);
  file_.set_attribute("step", step);
  file_.write_text("configuration", configuration);
}

void StepDumpFile::finish(double loss) {
  file_.set_attribute("loss", loss);
  file_.close();
}

nlohmann::ordered_json describe_step_dump(const std::string& path) {
  const hdf5::File file = hdf5::File::open(path);
  expect_schema(file, format, dump_schema);
  if (!file.has_attribute("loss")) throw InputError(text(path, " is not complete: its run ended within that step"));
  nlohmann::ordered_json facts = {{"kind", format}};
  for (const char* name : {"step", "selected", "notes"})
    if (file.has_attribute(name)) facts[name] = file.integer_attribute(name);
  facts["loss"] = file.real_attribute("loss");
  facts["configuration"] = file.read_text("configuration");
  for (const char* group : {"batch", "draws", "notes"}) {
    if (!file.has(group)) continue;
    for (const std::string& name : file.open_group(group).names())
      facts["data"].push_back(
          {{"name", text(group, '/', name)}, {"shape", file.dataset(text(group, '/', name)).extents()}});
  }
  for (const std::string& name : file.open_group("parameters").names())
    facts["parameters"].push_back({{"name", name},
                                   {"shape", file.dataset("parameters/" + name).extents()},
                                   {"norm", norm_of(file.dataset("parameters/" + name))},
                                   {"gradient_norm", norm_of(file.dataset("gradients/" + name))}});
  return facts;
}

}  // namespace tenfold
