#pragma once
// Shared by the tests of this folder: parsing from texts, and the message of an InputError.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/check.hpp"
#include "config/command.hpp"
#include "config/configuration.hpp"

namespace tenfold {

inline Source file(const std::string& text) {
  return {.name = "run.ini", .text = text};
}
inline Source command_line(const std::string& text) {
  return {.name = "command line", .text = text, .command_line = true};
}

/// What every pretrain needs, so that a test names only what it is about.
inline const Source needed = {.name = "needed.ini", .text = "[run]\nfolder = f\n[data]\ncorpus = c.h5\n"};

inline Settings pretrain(std::vector<Source> sources) {
  sources.insert(sources.begin(), needed);
  return parse_configuration("pretrain", sources);
}

/// The text of the InputError that `action` throws; fails if there is none.
template <class Action>
std::string complaint(Action action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no InputError";
  return "";
}

inline void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in: " << text;
}

}  // namespace tenfold
