# Finds oneDNN and defines the target oneDNN::oneDNN. Debian's package configuration of libdnnl-dev asks for OpenCL, which
# its CPU library does not need, so header and library are looked for directly.
find_path(ONEDNN_INCLUDE_DIR dnnl.hpp)
find_library(ONEDNN_LIBRARY dnnl)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS ONEDNN_LIBRARY ONEDNN_INCLUDE_DIR)
if(NOT TARGET oneDNN::oneDNN)
  add_library(oneDNN::oneDNN UNKNOWN IMPORTED)
  set_target_properties(oneDNN::oneDNN PROPERTIES IMPORTED_LOCATION ${ONEDNN_LIBRARY})
  target_include_directories(oneDNN::oneDNN SYSTEM INTERFACE ${ONEDNN_INCLUDE_DIR})
endif()
