#pragma once

namespace tenfold::testing {

/// Calls of operator new in this program so far, but those that oneDNN makes.
int allocations();

}  // namespace tenfold::testing
