# Finds Kokkos 3.4 to 5 and defines the target tenfold::kokkos.
# Debian's libtrilinos-kokkos-dev ships a KokkosConfig.cmake that names a folder which does not exist. So a package
# configuration is believed only if it leads to Kokkos_Core.hpp; otherwise headers (under trilinos/) and library
# (libtrilinos_kokkoscore) are looked for directly.
find_package(Kokkos QUIET CONFIG)
add_library(tenfold::kokkos INTERFACE IMPORTED)
if(TARGET Kokkos::kokkoscore)
  get_target_property(kokkos_includes Kokkos::kokkoscore INTERFACE_INCLUDE_DIRECTORIES)
elseif(TARGET Kokkos::kokkos)
  get_target_property(kokkos_includes Kokkos::kokkos INTERFACE_INCLUDE_DIRECTORIES)
endif()
find_file(KOKKOS_CONFIGURED_HEADER Kokkos_Core.hpp PATHS ${kokkos_includes} NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
if(TARGET Kokkos::kokkos AND KOKKOS_CONFIGURED_HEADER)
  find_package_handle_standard_args(TenfoldKokkos REQUIRED_VARS Kokkos_DIR)
  target_link_libraries(tenfold::kokkos INTERFACE Kokkos::kokkos)
else()
  find_path(KOKKOS_INCLUDE_DIR Kokkos_Core.hpp PATH_SUFFIXES trilinos)
  find_library(KOKKOS_CORE_LIBRARY NAMES kokkoscore trilinos_kokkoscore)
  find_package_handle_standard_args(TenfoldKokkos REQUIRED_VARS KOKKOS_CORE_LIBRARY KOKKOS_INCLUDE_DIR)
  target_include_directories(tenfold::kokkos SYSTEM INTERFACE ${KOKKOS_INCLUDE_DIR})
  target_link_libraries(tenfold::kokkos INTERFACE ${KOKKOS_CORE_LIBRARY} ${CMAKE_DL_LIBS})
endif()
