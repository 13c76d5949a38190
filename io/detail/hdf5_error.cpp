#include "io/detail/hdf5_error.hpp"

#include "base/check.hpp"

namespace tenfold::hdf5::detail {

void initialise() {
  static const bool ready = [] {
    TENFOLD_VERIFY(H5dont_atexit() >= 0 && H5open() >= 0 && H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0,
                   "the HDF5 library cannot be initialised");
    return true;
  }();
  static_cast<void>(ready);
}

std::string reason() {
  std::string innermost;
  const H5E_walk2_t visit = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, visit, &innermost) < 0 || innermost.empty())
    innermost = "no reason given";
  H5Eclear2(H5E_DEFAULT);
  std::erase(innermost, '\n');  // HDF5 puts the time in with one; an error is a line
  return innermost;
}

template <class Code>
Code check(Code code, const std::string& label, const char* action, SourcePlace place) {
  if (code < 0) throw Error(text(label, ": cannot ", action, ": ", reason()), ExitCode::failure, place);
  return code;
}

template hid_t check(hid_t, const std::string&, const char*, SourcePlace);
template int check(int, const std::string&, const char*, SourcePlace);

}  // namespace tenfold::hdf5::detail
