#pragma once
// How a value of each type is read from text, printed as text that reads back to the same value, and described.

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "config/settings.hpp"

namespace tenfold::detail {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Values that a number may take: between whole bounds, and finite.
struct Range {
  double low = -infinity;
  double high = infinity;
  bool low_open = false;
  bool high_open = false;

  bool holds(double value) const {
    return std::isfinite(value) && (low_open ? value > low : value >= low) &&
           (high_open ? value < high : value <= high);
  }
  /// ", 1 to 8", ", more than 0", ", 0 or more, less than 1"; empty without bounds.
  std::string describe() const {
    const auto print = [](double bound) { return text(static_cast<std::int64_t>(bound)); };  // all bounds are whole
    if (std::isfinite(high) && !low_open && !high_open) return ", " + print(low) + " to " + print(high);
    std::string words;
    if (std::isfinite(low)) words += low_open ? ", more than " + print(low) : ", " + print(low) + " or more";
    if (std::isfinite(high)) words += ", less than " + print(high);
    return words;
  }
};

constexpr Range between(double low, double high) {
  return {low, high};
}
constexpr Range at_least(double low) {
  return {low, infinity};
}
constexpr Range above(double low) {
  return {low, infinity, true};
}
constexpr Range from_to_below(double low, double high) {
  return {low, high, false, true};
}
constexpr Range strictly_between(double low, double high) {
  return {low, high, true, true};
}

/// Names of the choices that work today; a choice enters this list with the code behind it.
template <class Enum, std::size_t n>
using Names = std::array<std::pair<Enum, const char*>, n>;
constexpr auto names_of(Resume /*tag*/) {
  return Names<Resume, 3>{{{Resume::never, "never"}, {Resume::auto_, "auto"}, {Resume::always, "always"}}};
}
constexpr auto names_of(RunDevice /*tag*/) {
  return Names<RunDevice, 3>{{{RunDevice::auto_, "auto"}, {RunDevice::host, "host"}, {RunDevice::cuda, "cuda"}}};
}
constexpr auto names_of(CommunicatorKind /*tag*/) {
  return Names<CommunicatorKind, 3>{
      {{CommunicatorKind::auto_, "auto"}, {CommunicatorKind::mpi, "mpi"}, {CommunicatorKind::nccl, "nccl"}}};
}
constexpr auto names_of(PositionEncoding /*tag*/) {
  return Names<PositionEncoding, 4>{{{PositionEncoding::absolute, "absolute"},
                                     {PositionEncoding::relative, "relative"},
                                     {PositionEncoding::tupe_a, "tupe-a"},
                                     {PositionEncoding::tupe_r, "tupe-r"}}};
}
constexpr auto names_of(ObjectiveKind /*tag*/) {
  return Names<ObjectiveKind, 3>{{{ObjectiveKind::mlm, "mlm"},
                                  {ObjectiveKind::electra, "electra"},
                                  {ObjectiveKind::multiple_choice, "multiple-choice"}}};
}
constexpr auto names_of(Sampling /*tag*/) {
  return Names<Sampling, 2>{{{Sampling::exact, "exact"}, {Sampling::released, "released"}}};
}
constexpr auto names_of(Precision /*tag*/) {
  return Names<Precision, 2>{{{Precision::f32, "f32"}, {Precision::bf16, "bf16"}}};
}

/// Numbers. Printed in the fewest digits that read back to the same value.
template <class T>
struct Value {
  static_assert(std::is_arithmetic_v<T>);
  static std::string describe(const Range& range) {
    return (std::is_integral_v<T> ? "integer" : "number") + range.describe();
  }
  static bool read(const std::string& text, const Range& range, T& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && range.holds(static_cast<double>(value));
  }
  static std::string print(T value) {
    std::array<char, 32> digits;
    char* const end = digits.data() + digits.size();
    if constexpr (std::is_floating_point_v<T>) {
      return {digits.data(), std::to_chars(digits.data(), end, value, std::chars_format::general).ptr};
    } else {
      return {digits.data(), std::to_chars(digits.data(), end, value).ptr};
    }
  }
};

template <>
struct Value<bool> {
  static std::string describe(const Range& /*none*/) { return "true or false"; }
  static bool read(const std::string& text, const Range& /*none*/, bool& value) {
    value = text == "true";
    return value || text == "false";
  }
  static std::string print(bool value) { return value ? "true" : "false"; }
};

template <>
struct Value<std::string> {
  static std::string describe(const Range& /*none*/) { return "text"; }
  static bool read(const std::string& text, const Range& /*none*/, std::string& value) {
    value = text;
    return true;
  }
  static std::string print(const std::string& value) { return value; }
};

template <class T>
requires std::is_enum_v<T>
struct Value<T> {
  static std::string describe(const Range& /*none*/) {
    std::string list;
    for (const auto& [choice, name] : names_of(T{})) list += list.empty() ? name : std::string(", ") + name;
    return list;
  }
  static bool read(const std::string& text, const Range& /*none*/, T& value) {
    for (const auto& [choice, name] : names_of(T{})) {
      if (text != name) continue;
      value = choice;
      return true;
    }
    return false;
  }
  static std::string print(T value) {
    for (const auto& [choice, name] : names_of(T{})) {
      if (choice == value) return name;
    }
    throw Error(text("a choice without a name: ", static_cast<int>(value)));
  }
};

/// `auto`: to be filled from other settings.
template <class T>
struct Value<std::optional<T>> {
  static std::string describe(const Range& range) { return "auto or " + Value<T>::describe(range); }
  static bool read(const std::string& text, const Range& range, std::optional<T>& value) {
    value.reset();
    return text == "auto" || Value<T>::read(text, range, value.emplace());
  }
  static std::string print(const std::optional<T>& value) { return value ? Value<T>::print(*value) : "auto"; }
};

}  // namespace tenfold::detail
