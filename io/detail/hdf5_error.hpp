#pragma once
// Return codes of the HDF5 library.

#include <hdf5.h>

#include <string>

#include "base/check.hpp"

namespace tenfold::hdf5::detail {

/// Makes the library quiet and keeps it from closing files behind our back at exit, where a close that is collective
/// would wait for ranks that are gone. To be called before any other use; cheap when done.
void initialise();

/// The innermost reason on the HDF5 error stack, which it clears.
std::string reason();

/// Passes `code` through; throws Error "LABEL: cannot ACTION: reason" when it is negative.
template <class Code>
Code check(Code code, const std::string& label, const char* action, SourcePlace place = SourcePlace::current());

extern template hid_t check(hid_t, const std::string&, const char*, SourcePlace);
extern template int check(int, const std::string&, const char*, SourcePlace);

}  // namespace tenfold::hdf5::detail
