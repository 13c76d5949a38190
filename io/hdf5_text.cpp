// Attributes and texts.
#include <algorithm>

#include "base/check.hpp"
#include "io/detail/hdf5_handles.hpp"
#include "io/hdf5.hpp"

namespace tenfold::hdf5 {

using detail::check;
using detail::space_of;

namespace {

Handle utf8_string(std::size_t bytes, const std::string& label) {
  Handle type(check(H5Tcopy(H5T_C_S1), label, "create a string type"), H5Tclose);
  check(H5Tset_size(type.get(), std::max<std::size_t>(bytes, 1)), label, "size a string type");
  check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), label, "pad a string type");
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), label, "set a string type to UTF-8");
  return type;
}

/// Length of a stored string type, which must be fixed.
std::size_t string_length(hid_t type, const std::string& label) {
  const bool fixed = H5Tget_class(type) == H5T_STRING && check(H5Tis_variable_str(type), label, "read a type") == 0;
  TENFOLD_VERIFY(fixed, label, " is not a string of fixed length");
  return H5Tget_size(type);
}

std::string without_padding(std::string value) {
  value.resize(value.find_last_not_of('\0') + 1);
  return value;
}

Handle open_attribute(hid_t owner, const std::string& name, const std::string& label) {
  return {check(H5Aopen(owner, name.c_str(), H5P_DEFAULT), label, "open the attribute"), H5Aclose};
}

void write_attribute(hid_t owner, const std::string& name, hid_t type, const void* value, const std::string& label) {
  if (check(H5Aexists(owner, name.c_str()), label, "look up the attribute") > 0) {
    check(H5Adelete(owner, name.c_str()), label, "replace the attribute");
  }
  const Handle space = space_of({}, label);
  const Handle attribute(check(H5Acreate2(owner, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), label,
                               "create the attribute"),
                         H5Aclose);
  check(H5Awrite(attribute.get(), type, value), label, "write the attribute");
}

template <class T>
T read_number(hid_t owner, const std::string& name, const std::string& label) {
  const Handle attribute = open_attribute(owner, name, label);
  const Handle space(check(H5Aget_space(attribute.get()), label, "read the attribute's extents"), H5Sclose);
  TENFOLD_VERIFY(H5Sget_simple_extent_npoints(space.get()) == 1, label, " is not one number");
  T value{};
  check(H5Aread(attribute.get(), native_type<T>(), &value), label, "read the attribute");
  return value;
}

}  // namespace

void Location::set_attribute(const std::string& name, std::int64_t value) {
  write_attribute(handle_.get(), name, native_type<std::int64_t>(), &value, label_ + "@" + name);
}

void Location::set_attribute(const std::string& name, double value) {
  write_attribute(handle_.get(), name, native_type<double>(), &value, label_ + "@" + name);
}

void Location::set_attribute(const std::string& name, const std::string& value) {
  const Handle type = utf8_string(value.size(), label_);
  write_attribute(handle_.get(), name, type.get(), value.c_str(), label_ + "@" + name);
}

bool Location::has_attribute(const std::string& name) const {
  return check(H5Aexists(handle_.get(), name.c_str()), label_ + "@" + name, "look up the attribute") > 0;
}

std::vector<std::string> Location::attribute_names() const {
  std::vector<std::string> found;
  const H5A_operator2_t visit = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Aiterate2(handle_.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &found), label_, "list the attributes");
  return found;
}

std::int64_t Location::integer_attribute(const std::string& name) const {
  return read_number<std::int64_t>(handle_.get(), name, label_ + "@" + name);
}

double Location::real_attribute(const std::string& name) const {
  return read_number<double>(handle_.get(), name, label_ + "@" + name);
}

std::string Location::text_attribute(const std::string& name) const {
  const std::string label = label_ + "@" + name;
  const Handle attribute = open_attribute(handle_.get(), name, label);
  const Handle type(check(H5Aget_type(attribute.get()), label, "read the attribute's type"), H5Tclose);
  std::string value(string_length(type.get(), label), '\0');
  check(H5Aread(attribute.get(), type.get(), value.data()), label, "read the attribute");
  return without_padding(std::move(value));
}

void Location::write_text(const std::string& name, std::string_view value) {
  TENFOLD_VERIFY(value.empty() || value.back() != '\0', label_, "/", name, " ends in a NUL byte");
  const Handle type = utf8_string(value.size(), label_);
  const Dataset made = create_dataset(name, type.get(), {});
  std::string padded(std::max<std::size_t>(value.size(), 1), '\0');
  std::copy(value.begin(), value.end(), padded.begin());
  made.move_slab(true, type.get(), padded.data(), {}, Transfer::independent);
}

void Location::write_texts(const std::string& name, const std::vector<std::string>& values) {
  std::size_t longest = 1;
  for (const std::string& value : values) longest = std::max(longest, value.size());
  const Handle type = utf8_string(longest, label_);
  const Dataset made = create_dataset(name, type.get(), {values.size()});
  std::string padded(values.size() * longest, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) values[i].copy(padded.data() + i * longest, longest);
  made.move_row(true, type.get(), padded.data(), 0, values.size(), Transfer::independent);
}

std::string Location::read_text(const std::string& name) const {
  const Dataset stored = dataset(name);
  const Handle type(check(H5Dget_type(stored.handle_.get()), stored.label_, "read the type"), H5Tclose);
  std::string value(string_length(type.get(), stored.label_), '\0');
  stored.move_slab(false, type.get(), value.data(), {}, Transfer::independent);
  return without_padding(std::move(value));
}

std::vector<std::string> Location::read_texts(const std::string& name) const {
  const Dataset stored = dataset(name);
  const Handle type(check(H5Dget_type(stored.handle_.get()), stored.label_, "read the type"), H5Tclose);
  const std::size_t length = string_length(type.get(), stored.label_);
  std::vector<std::string> values(stored.one_dimension());
  std::string padded(values.size() * length, '\0');
  stored.move_row(false, type.get(), padded.data(), 0, values.size(), Transfer::independent);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = without_padding(padded.substr(i * length, length));
  return values;
}

}  // namespace tenfold::hdf5
