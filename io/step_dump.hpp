#pragma once
// A step dump: one optimizer step in full, for comparison with another program (FORMATS.md, "Step dump").

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "base/tensor.hpp"
#include "io/hdf5.hpp"

namespace tenfold {

class StepDumpFile {
 public:
  StepDumpFile(const std::string& path, std::int64_t step, const std::string& configuration);

  template <class T>
  void write(const std::string& name, std::span<const T> values, const Shape& shape) {
    file_.create_dataset<T>(name, hdf5::extents_of(shape)).write_range(dtype_of<T>(), values.data(), 0, values.size());
  }
  void set(const std::string& name, std::int64_t value) { file_.set_attribute(name, value); }
  /// Completes the file.
  void finish(double loss);

 private:
  hdf5::File file_;
};

/// What a step dump holds: shapes and norms; `configuration` as INI text. InputError if it is none, or not complete.
nlohmann::ordered_json describe_step_dump(const std::string& path);

}  // namespace tenfold
