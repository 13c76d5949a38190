#pragma once
// What a test that runs on several ranks stands on.

#include "process/runtime.hpp"

namespace tenfold::testing {

/// Signals that ask for a stop are noted.
Runtime& runtime();
/// All ranks of the test program.
MpiCommunicator& world();

}  // namespace tenfold::testing
