#include "io/schema.hpp"

#include "base/check.hpp"

namespace tenfold {

void write_schema(hdf5::File& file, const std::string& format, std::int64_t version) {
  file.set_attribute("format", format);
  file.set_attribute("schema", version);
}

void expect_schema(const hdf5::File& file, const std::string& format, std::int64_t newest) {
  if (!file.has_attribute("format") || !file.has_attribute("schema")) {
    throw InputError(text(file.label(), " is not a tenfold ", format, ": it does not say what it is"));
  }
  const std::string found = file.text_attribute("format");
  if (found != format) throw InputError(text(file.label(), " is a tenfold ", found, ", not a ", format));
  const std::int64_t version = file.integer_attribute("schema");
  if (version > newest) {
    throw InputError(text(file.label(), " has schema version ", version, " of a ", format,
                          "; this tenfold reads up to ", newest, ": use a newer one"));
  }
}

}  // namespace tenfold
