#pragma once
// The first look at the text: what can be wrong with it is found here, before any work, and it is cut into batches that
// ranks can take up anywhere.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parallel/mpi_communicator.hpp"
#include "preparation/cleaning.hpp"
#include "preparation/unit_reader.hpp"

namespace tenfold {

/// About 1 MiB of whole units of one file.
struct TextBatch {
  std::int64_t file;
  std::int64_t begin;  ///< bytes of the (uncompressed) file
  std::int64_t end;
  std::int64_t documents;       ///< how many start in it
  std::int64_t first_document;  ///< how many start before it, over all files
};

struct SurveyedFile {
  std::string path;
  std::int64_t bytes;  ///< of text, uncompressed
  std::int64_t crc32;  ///< of the text, as `gzip -lv` shows it for a gzipped file
  bool gzipped;
};

struct Survey {
  std::vector<SurveyedFile> files;
  std::vector<TextBatch> batches;  ///< in the order of the text
  std::int64_t bytes = 0;          ///< sum of the batches
};

/// Reads every file once, each on one rank. Throws, on all ranks, an InputError that names a file that is
/// missing, unreadable, damaged, binary, not UTF-8, given twice, or without a word. Collective.
Survey survey_text(const std::vector<std::string>& paths, MpiCommunicator& world);

/// Batches [begin, end) of a rank: a contiguous part of the text of about 1/size of its bytes. A gzipped file, which
/// can be read only from its beginning, is one rank's as a whole.
struct Share {
  std::size_t begin;
  std::size_t end;
};
Share share_of(const Survey& survey, int rank, int size);

/// A unit as all passes see it.
struct CleanUnit {
  std::string lines;  ///< its cleaned paragraphs, each with a newline; those of which nothing is left are left out
  CleaningCounts cleaning;  ///< what was taken out of it
};

/// Replaces `clean` by a unit's cleaned paragraphs.
void clean_unit(const Unit& unit, CleanUnit& clean);

/// Reads batches of a survey; cheap when they are asked for in order. Of a gzipped file, the first must come first.
class BatchReader {
 public:
  /// Gives the progress a sign of life with every read.
  BatchReader(const Survey& survey, Progress& progress) : survey_(&survey), progress_(&progress) {}

  /// Visits the units of a batch with the number of the document that each belongs to, counted over all files.
  void read(std::size_t batch, const std::function<void(const CleanUnit& unit, std::int64_t document)>& visit);

 private:
  const Survey* survey_;
  Progress* progress_;
  std::int64_t file_index_ = -1;
  std::unique_ptr<TextFile> file_;
  std::unique_ptr<UnitReader> reader_;
  Unit unit_;
  CleanUnit clean_;
};

}  // namespace tenfold
