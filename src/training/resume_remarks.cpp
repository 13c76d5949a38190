#include "training/resume_remarks.hpp"

#include <iomanip>
#include <set>

#include "config/configuration.hpp"

namespace tenfold {

std::vector<std::string> remarks_on(const FoundCheckpoint& found, int ranks) {
  constexpr double mebi = 1024.0 * 1024.0;
  std::vector<std::string> remarks;
  for (const DamagedCheckpoint& each : found.damaged)
    remarks.push_back(text("skipped damaged checkpoint ", each.path, ": ", each.reason));
  const LoadedCheckpoint& checkpoint = *found.checkpoint;
  remarks.push_back(text("loaded ", checkpoint.path(), ": read ", std::fixed, std::setprecision(2),
                         static_cast<double>(found.bytes_read) / mebi, " MiB of ",
                         static_cast<double>(checkpoint.bytes()) / mebi, " MiB in all over ", ranks,
                         ranks == 1 ? " rank" : " ranks"));
  return remarks;
}

std::vector<std::string> changed_keys(const std::string& stored, const Settings& settings) {
  const auto now = to_map(settings, "pretrain");
  const auto before = to_map(from_ini(stored), "pretrain");
  std::set<std::string> keys;
  for (const auto* values : {&now, &before})
    for (const auto& [key, value] : *values) keys.insert(key);
  const auto value_in = [](const auto& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? std::string("n/a") : found->second;
  };
  std::vector<std::string> lines;
  for (const std::string& key : keys) {
    if (value_in(before, key) == value_in(now, key)) continue;
    lines.push_back(text("changed since the checkpoint: ", key, ' ', value_in(before, key), " -> ", value_in(now, key),
                         key == "run.steps" ? "; the learning rate follows the new number of steps from here on" : ""));
  }
  return lines;
}

}  // namespace tenfold
