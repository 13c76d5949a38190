#include "preparation/survey.hpp"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "parallel/agree.hpp"
#include "preparation/progress_line.hpp"

namespace tenfold {

namespace {

constexpr std::int64_t batch_bytes = 1 << 20;

/// Adds up the bytes of a file and refuses what is no text as soon as it shows.
class TextCheck {
 public:
  explicit TextCheck(const std::string& path) : path_(path) {}

  void look(std::string_view bytes) {
    constexpr std::int64_t bytes_a_nul = 1000;
    constexpr std::int64_t bytes_an_error = 20;
    const bool beginning = bytes_ == 0;
    bytes_ += static_cast<std::int64_t>(bytes.size());
    nuls_ += std::count(bytes.begin(), bytes.end(), '\0');
    if (nuls_ * bytes_a_nul > bytes_)
      throw InputError(text("corpus.text: ", path_, " is a binary file or UTF-16 (", nuls_, " NUL bytes in the first ",
                            bytes_, "); give plain or gzipped UTF-8 text"));
    if (beginning) {
      std::string clean;
      CleaningCounts counts;
      clean_text(bytes, clean, counts);
      if (counts.invalid * bytes_an_error > bytes_)
        throw InputError(text("corpus.text: ", path_, " is not UTF-8 text (", counts.invalid,
                              " ill-formed sequences in ", bytes_, " bytes); convert it with iconv -t UTF-8"));
    }
    crc_ = crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  }

  std::int64_t bytes() const { return bytes_; }
  std::int64_t crc() const { return static_cast<std::int64_t>(crc_); }

 private:
  std::string path_;
  std::int64_t bytes_ = 0;
  std::int64_t nuls_ = 0;
  uLong crc_ = crc32_z(0, nullptr, 0);
};

/// The part of SurveyedFile that travels.
struct FileFacts {
  std::int64_t file;
  std::int64_t bytes;
  std::int64_t crc32;
  bool gzipped;
};

FileFacts survey_file(const std::string& path, std::int64_t index, std::vector<TextBatch>& batches, Progress& heartbeat,
                      ProgressLine& progress) {
  TextFile file(path);
  TextCheck check(path);
  std::int64_t consumed = 0;
  UnitReader reader(file, 0, {}, [&](std::string_view bytes) {
    check.look(bytes);
    heartbeat.tick();
    progress.advance(file.consumed() - std::exchange(consumed, file.consumed()));
  });
  Unit unit;
  CleanUnit clean;  // of the first units, until one has text
  const std::size_t first = batches.size();
  bool full = true;
  while (reader.next(unit)) {
    if (clean.lines.empty()) clean_unit(unit, clean);
    if (full) {
      const std::int64_t begin = batches.size() == first ? 0 : batches.back().end;
      batches.push_back({.file = index, .begin = begin, .end = begin, .documents = 0, .first_document = 0});
    }
    batches.back().end = unit.end;
    batches.back().documents += unit.starts_document ? 1 : 0;
    full = unit.end - batches.back().begin >= batch_bytes;
  }
  if (batches.size() == first)
    throw InputError(text("corpus.text: ", path, " is empty; give one paragraph a line, or leave the file out"));
  if (clean.lines.empty())
    throw InputError(text("corpus.text: ", path,
                          " has nothing but control and format characters; give UTF-8 text, or leave the file out"));
  return {.file = index, .bytes = check.bytes(), .crc32 = check.crc(), .gzipped = file.gzipped()};
}

/// By what they name: "a" and "./a" are the same.
void refuse_repeated(const std::vector<std::string>& paths) {
  std::set<std::filesystem::path> seen;
  for (const std::string& path : paths) {
    std::error_code unreachable;  // which is told when it is opened
    const auto file = std::filesystem::weakly_canonical(path, unreachable);
    if (!seen.insert(unreachable ? std::filesystem::path(path) : file).second)
      throw InputError(text("corpus.text: ", path, " is given twice; name it once"));
  }
}

}  // namespace

Survey survey_text(const std::vector<std::string>& paths, MpiCommunicator& world) {
  std::vector<TextBatch> batches;
  std::vector<FileFacts> facts;
  const auto rank = static_cast<std::size_t>(world.rank());
  const auto size = static_cast<std::size_t>(world.size());
  // A wrong path is told before a long file is read.
  const std::int64_t bytes = agree(world, [&] {
    refuse_repeated(paths);
    std::int64_t sum = 0;
    for (std::size_t i = rank; i < paths.size(); i += size) sum += TextFile(paths[i]).size();
    return sum;
  });
  agree(world, [&] {
    ProgressLine progress(rank == 0, "survey", bytes);
    for (std::size_t i = rank; i < paths.size(); i += size)
      facts.push_back(survey_file(paths[i], static_cast<std::int64_t>(i), batches, world.progress(), progress));
  });
  Survey survey;
  survey.batches = world.all_gather_v(std::span<const TextBatch>(batches)).values;
  std::ranges::stable_sort(survey.batches, {}, &TextBatch::file);
  std::int64_t documents = 0;
  for (TextBatch& batch : survey.batches) {
    batch.first_document = documents;
    documents += batch.documents;
    survey.bytes += batch.end - batch.begin;
  }
  survey.files.resize(paths.size());
  for (const FileFacts& fact : world.all_gather_v(std::span<const FileFacts>(facts)).values) {
    const auto file = static_cast<std::size_t>(fact.file);
    survey.files[file] = {.path = paths[file], .bytes = fact.bytes, .crc32 = fact.crc32, .gzipped = fact.gzipped};
  }
  return survey;
}

namespace {

/// The first batch of a rank: the first that begins at or after its part of the bytes. Where that lies within a gzipped
/// file, the rank begins at the nearer end of the file.
std::size_t first_batch(const Survey& survey, int rank, int size) {
  std::int64_t before = 0;
  std::size_t batch = 0;
  while (batch < survey.batches.size() && before * size < survey.bytes * rank) {
    const std::int64_t file = survey.batches[batch].file;
    std::size_t next = batch;
    std::int64_t bytes = 0;
    const bool whole = survey.files[static_cast<std::size_t>(file)].gzipped;
    do {
      bytes += survey.batches[next].end - survey.batches[next].begin;
      ++next;
    } while (whole && next < survey.batches.size() && survey.batches[next].file == file);
    if (whole && (2 * before + bytes) * size > 2 * survey.bytes * rank) break;
    before += bytes;
    batch = next;
  }
  return batch;
}

}  // namespace

Share share_of(const Survey& survey, int rank, int size) {
  return {.begin = first_batch(survey, rank, size),
          .end = rank + 1 == size ? survey.batches.size() : first_batch(survey, rank + 1, size)};
}

void clean_unit(const Unit& unit, CleanUnit& clean) {
  clean.lines.clear();
  clean.cleaning = {};
  std::string paragraph;
  for (std::size_t i = 0; i < unit.ends.size(); ++i) {
    clean_text(unit.paragraph(i), paragraph, clean.cleaning);
    if (!paragraph.empty()) clean.lines.append(paragraph).append("\n");
  }
}

void BatchReader::read(std::size_t batch, const std::function<void(const CleanUnit&, std::int64_t)>& visit) {
  const TextBatch& wanted = survey_->batches.at(batch);
  const std::string& path = survey_->files[static_cast<std::size_t>(wanted.file)].path;
  if (wanted.file != file_index_) {
    reader_.reset();
    file_ = std::make_unique<TextFile>(path);
    file_index_ = wanted.file;
  }
  if (!reader_ || unit_.end != wanted.begin) {
    reader_ = std::make_unique<UnitReader>(*file_, wanted.begin, UnitLimits{},
                                           [this](std::string_view /*bytes*/) { progress_->tick(); });
    unit_.end = wanted.begin;
  }
  std::int64_t document = wanted.first_document - 1;
  while (unit_.end < wanted.end && reader_->next(unit_)) {
    document += unit_.starts_document ? 1 : 0;
    clean_unit(unit_, clean_);
    visit(clean_, document);
  }
  if (unit_.end != wanted.end || document + 1 != wanted.first_document + wanted.documents)
    throw InputError(text("corpus.text: ", path, " changed while it was read; run again when it is complete"));
}

}  // namespace tenfold
