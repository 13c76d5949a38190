#pragma once
// Which processor features a program needs and whether the processor has them. Plain data and one comparison: it is
// used before anything of the program has been initialised.

#include <cstddef>
#include <cstring>

namespace tenfold::processor {

/// What the compiler was free to use in this build: names as __builtin_cpu_supports takes them, then a null pointer.
/// Empty where the build is for any processor, or for none that is checked (other than x86-64).
extern const char* const built_for[];

/// A feature by name, and whether the processor at hand, with its operating system, has it.
struct Feature {
  const char* name;
  bool here;
};

/// The first name of `wanted` (which ends with a null pointer) that the processor lacks, or that is not among the
/// features; null if it has all.
inline const char* first_missing(const char* const* wanted, const Feature* features, std::size_t count) {
  for (; *wanted != nullptr; ++wanted) {
    bool found = false;
    for (std::size_t i = 0; i < count; ++i)
      found = found || (features[i].here && std::strcmp(features[i].name, *wanted) == 0);
    if (!found) return *wanted;
  }
  return nullptr;
}

}  // namespace tenfold::processor
