#pragma once
// What all ranks put into the corpus file together (io/corpus_writer.hpp has the file).

#include <cstdint>
#include <span>
#include <string>

#include "io/corpus_writer.hpp"
#include "parallel/communicator.hpp"
#include "preparation/spool.hpp"

namespace tenfold {

/// A data set of all ranks' elements, one rank after another. Collective.
template <class T>
void write_all(hdf5::Location& group, const std::string& name, std::span<const T> mine, Communicator& world);

/// The group /SPLIT/rare, from what each rank has spooled. Collective.
void write_rare_occurrences(hdf5::Location& file, Split split, const OccurrenceSpool& mine, Communicator& world);

}  // namespace tenfold
