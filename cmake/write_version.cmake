# Run at every build: writes version.cpp with the commit of the source, touching it only when that changed.
execute_process(COMMAND git describe --always --abbrev=12 --dirty WORKING_DIRECTORY ${SOURCE_DIR}
                OUTPUT_VARIABLE TENFOLD_GIT_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT TENFOLD_GIT_COMMIT)
  set(TENFOLD_GIT_COMMIT unknown)
endif()
configure_file(${SOURCE_DIR}/cmake/version.cpp.in ${OUTPUT} @ONLY)
