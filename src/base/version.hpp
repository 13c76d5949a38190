#pragma once
// What was built.

namespace tenfold {

const char* version();     ///< "0.1.0"
const char* git_commit();  ///< commit of the source, with "-dirty" when it had changes; "unknown" outside a repository

}  // namespace tenfold
