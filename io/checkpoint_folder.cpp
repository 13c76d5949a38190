// Names and order of the files in a checkpoint folder.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/check.hpp"
#include "io/checkpoint.hpp"

namespace tenfold {

namespace {

constexpr std::string_view prefix = "step-";
constexpr std::string_view suffix = ".h5";

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size()) return {};
  const std::string_view digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return step;
}

}  // namespace

std::string checkpoint_path(const std::string& folder, std::int64_t step) {
  char name[40];
  TENFOLD_VERIFY(std::snprintf(name, sizeof name, "/step-%08lld.h5", static_cast<long long>(step)) > 0, "step ", step);
  return folder + name;
}

std::vector<std::string> newest_first(const std::string& folder) {
  if (!std::filesystem::exists(folder)) return {};
  std::vector<std::int64_t> steps;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto step = step_of(entry.path().filename().string());
    if (step && entry.path() == checkpoint_path(folder, *step)) steps.push_back(*step);  // not some "step-30.h5"
  }
  std::sort(steps.rbegin(), steps.rend());
  std::vector<std::string> paths;
  for (const std::int64_t step : steps) paths.push_back(checkpoint_path(folder, step));
  return paths;
}

}  // namespace tenfold
