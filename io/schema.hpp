#pragma once
// Every HDF5 file of ours says what it is: root attributes `format` (text) and `schema` (version, from 1 up).

#include <cstdint>
#include <string>

#include "io/hdf5.hpp"

namespace tenfold {

void write_schema(hdf5::File& file, const std::string& format, std::int64_t version);

/// Throws InputError if the file is of another format, or of a newer schema version than `newest`.
void expect_schema(const hdf5::File& file, const std::string& format, std::int64_t newest);

}  // namespace tenfold
