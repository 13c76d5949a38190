#include "preparation/prepare.hpp"

#include <fcntl.h>

#include <filesystem>
#include <future>
#include <iostream>

#include "base/clock.hpp"
#include "io/file_lock.hpp"
#include "io/hdf5_parallel.hpp"
#include "io/posix.hpp"
#include "io/schema.hpp"
#include "parallel/agree.hpp"
#include "preparation/passes.hpp"
#include "preparation/rare_words.hpp"
#include "preparation/report.hpp"
#include "preparation/tokenizer_training.hpp"
#include "process/watchdog.hpp"

namespace tenfold {

namespace {

/// Text that a tokenizer is trained on at most.
constexpr std::int64_t sample_bytes = 8 << 20;

/// The file itself, or what it points to if it is a link.
std::string target_of(const std::filesystem::path& file) {
  std::error_code none;
  const std::filesystem::path linked = std::filesystem::read_symlink(file, none);
  return none ? file : file.parent_path() / linked;
}

std::string temporary_of(const std::string& path) {
  return path + detail::unfinished;
}

/// InputError if writing the corpus would cost one of its texts, or what is no corpus.
void expect_replaceable(const CorpusSettings& keys) {
  for (const std::string& file : keys.text)
    for (const std::string& written : {keys.file, temporary_of(keys.file)})
      if (std::error_code missing; std::filesystem::equivalent(written, file, missing))
        throw InputError(
            text("corpus.file: ", keys.file, " would overwrite corpus.text = ", file, "; give another name"));
  if (!std::filesystem::exists(keys.file)) return;
  try {
    const Corpus replaced(keys.file);
  } catch (const Error&) {
    throw InputError(
        text("corpus.file: ", keys.file, " exists and is no corpus that could be replaced; give another name"));
  }
}

/// Keeps other jobs from writing the same corpus.
std::unique_ptr<FileLock> lock(const std::string& path) {
  std::unique_ptr<FileLock> taken;
  try {
    taken = std::make_unique<FileLock>(temporary_of(path));
  } catch (const InputError& error) {
    throw InputError(
        text("corpus.file: ", path, " cannot be written: ", error.what(), "; its folder must exist and be writable"));
  }
  if (!taken->held())
    throw InputError(text("corpus.file: ", path,
                          " is being written by another job; wait for it to end or give another name",
                          taken->remedy()));
  return taken;
}

/// The corpus file while it is written, under a temporary name that goes when it is not completed.
class Output {
 public:
  /// `writes`: on the one rank that removes and renames.
  Output(std::string path, bool writes) : path_(std::move(path)), temporary_(temporary_of(path_)), writes_(writes) {}
  ~Output() {
    std::error_code ignored;
    if (writes_) std::filesystem::remove(temporary_, ignored);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  const std::string& temporary() const { return temporary_; }
  /// InputError, on rank 0, when the disk has no room for so much: HDF5 cannot go on, nor end well, on a full one.
  void expect_room(std::int64_t bytes) const {
    const auto available = std::filesystem::space(temporary_).available;
    if (static_cast<std::uintmax_t>(bytes) > available)
      throw InputError(text("corpus.file: ", path_, " needs about ", bytes / 1'000'000 + 1, " MB and its disk has ",
                            available / 1'000'000, " MB left; make room or give another folder"));
  }
  void complete() {
    detail::Descriptor(temporary_, O_RDONLY).sync();
    detail::rename_file(temporary_, path_);
  }

 private:
  std::string path_;
  std::string temporary_;
  bool writes_;
};

InputError nothing_falls_to(Split split) {
  return InputError(text("corpus.valid_fraction: nothing of this text falls to the ", name_of(split), " split; ",
                         split == Split::train ? "lower" : "raise", " corpus.valid_fraction or give more text"));
}

/// Training is one long call of a library: another thread makes it, so that the watchdog sees this one alive.
TrainedTokenizer train_on(const TextSample& sample, const TokenizerSettings& settings, Progress& progress) {
  std::cerr << "training the tokenizer on " << sample.lines.size() / 1000 << " kB of text\n";
  auto training = std::async(std::launch::async, [&] {
    return train_tokenizer(sample.lines, alphabet_of(sample.characters, settings), settings);
  });
  while (training.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) progress.tick();
  return training.get();
}

struct MadeTokenizer {
  Tokenizer tokenizer;
  std::int64_t long_words;  ///< left out of training
};

MadeTokenizer make_tokenizer(const Settings& settings, const Survey& survey, MpiCommunicator& world) {
  const bool given = !settings.tokenizer.model.empty();
  TextSample sample;
  if (!given) {
    sample = sample_text(survey, settings, sample_bytes, world);
    if (sample.lines.empty()) throw nothing_falls_to(Split::train);
  }
  TrainedTokenizer made;
  agree_on_root(world, [&] {
    if (given) {
      made.model = Tokenizer::from_file(settings.tokenizer.model).model();
    } else {
      made = train_on(sample, settings.tokenizer, world.progress());
    }
  });
  world.broadcast(made.model);
  Tokenizer tokenizer(std::move(made.model), given ? settings.tokenizer.model : "the trained tokenizer");
  if (given && settings.tokenizer.lowercase && !tokenizer.lowercases())
    throw InputError(text("tokenizer.lowercase: ", settings.tokenizer.model,
                          " tells upper from lower case; leave the key out or give a model that does not"));
  return {.tokenizer = std::move(tokenizer), .long_words = world.all_reduce_sum(made.long_words)};
}

void expect_both_splits(const Places& places) {
  for (const Split split : {Split::train, Split::validation})
    if (places.splits[static_cast<std::size_t>(split)].total.tokens == 0) throw nothing_falls_to(split);
}

/// Bytes that the corpus takes, and the spools of rare occurrences while it is written; rather too many.
std::int64_t bytes_needed(const TextCounts& counts, std::int64_t rare_occurrences, const Tokenizer& tokenizer,
                          Communicator& world) {
  constexpr std::int64_t fixed = 2 << 20;  // chunks that are not full, names, attributes
  std::int64_t words = 0;
  for (const CountedWord& word : counts.words)
    words += static_cast<std::int64_t>(word.word.size() + 1 + sizeof word.count);
  std::int64_t bytes = fixed + world.all_reduce_sum(words) + static_cast<std::int64_t>(tokenizer.model().size());
  for (const auto& place : counts.places.splits)
    bytes += 8 * (place.total.sentences + place.total.documents) +
             place.total.tokens * (tokenizer.vocabulary_size() <= 1 << 16 ? 2 : 4);
  bytes += 2 * rare_occurrences * static_cast<std::int64_t>(sizeof(RareOccurrence));
  return bytes + bytes / 50;
}

void write_words(hdf5::File& file, const std::vector<CountedWord>& words, Communicator& world) {
  std::vector<std::uint8_t> lines;
  std::vector<std::int64_t> counts;
  for (const auto& [word, count] : words) {
    lines.insert(lines.end(), word.begin(), word.end());
    lines.push_back('\n');
    counts.push_back(count.occurrences);
  }
  hdf5::Group group = file.group("words");
  write_all(group, "text", std::span<const std::uint8_t>(lines), world);
  write_all(group, "count", std::span<const std::int64_t>(counts), world);
}

void write_rare_words(hdf5::File& file, const std::vector<RareWord>& rare, Communicator& world) {
  std::vector<std::uint8_t> lines;
  std::vector<std::int64_t> counts;
  if (world.rank() == 0) {
    for (const RareWord& word : rare) {
      lines.insert(lines.end(), word.text.begin(), word.text.end());
      lines.push_back('\n');
      counts.push_back(word.count);
    }
  }
  hdf5::Group group = file.group("rare");
  write_all(group, "word", std::span<const std::uint8_t>(lines), world);
  write_all(group, "count", std::span<const std::int64_t>(counts), world);
}

/// What the tokenizer does not know.
void write_unknown(hdf5::File& file, const TextCounts& counts, Communicator& world) {
  std::vector<std::int32_t> characters;
  std::vector<std::int64_t> occurrences;
  if (world.rank() == 0) {
    for (const auto& [character, count] : counts.without_piece) {
      characters.push_back(static_cast<std::int32_t>(character));
      occurrences.push_back(count);
    }
  }
  hdf5::Group group = file.group("without_piece");
  write_all(group, "character", std::span<const std::int32_t>(characters), world);
  write_all(group, "count", std::span<const std::int64_t>(occurrences), world);
  for (const Split split : {Split::train, Split::validation})
    file.open_group(name_of(split))
        .set_attribute("unknown_tokens", counts.unknown_tokens[static_cast<std::size_t>(split)]);
}

void write_tokenizer(hdf5::File& file, const Tokenizer& tokenizer, Communicator& world) {
  const std::string bytes = world.rank() == 0 ? tokenizer.model() : "";
  write_all(file, "tokenizer", std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), world);
  file.set_attribute("vocabulary_size", std::int64_t{tokenizer.vocabulary_size()});
  for (std::size_t id = 0; id < special_pieces.size(); ++id)
    file.set_attribute(special_pieces[id], static_cast<std::int64_t>(id));
}

}  // namespace

void prepare(const Settings& settings, Runtime& runtime) {
  MpiCommunicator& world = runtime.world();
  const auto start = Clock::now();
  const Watchdog watchdog(runtime, std::chrono::duration<double>(settings.parallel.stall_timeout));
  Progress& progress = world.progress();
  const bool root = world.rank() == 0;
  CorpusSettings keys = settings.corpus;
  keys.file = target_of(keys.file);
  progress.region("tenfold::prepare::survey");
  const auto held = agree(world, [&] {
    if (!root) return std::unique_ptr<FileLock>();
    expect_replaceable(keys);
    return lock(keys.file);
  });
  Output output(keys.file, root);
  const Survey survey = survey_text(keys.text, world);
  progress.region("tenfold::prepare::tokenizer");
  const auto [tokenizer, long_words] = make_tokenizer(settings, survey, world);
  progress.region("tenfold::prepare::count");
  TextEncoder encoder(tokenizer);
  const TextCounts counts = count_text(survey, encoder, keys.valid_fraction, world);
  expect_both_splits(counts.places);

  const SplitOccurrences occurrences = split_occurrences(counts.words, world);
  const RareBand band =
      choose_band(occurrences, counts.running_words,
                  {.coverage = keys.rare_coverage, .minimum = keys.rare_min_count, .maximum = keys.rare_max_count});
  const std::vector<RareWord> rare = rare_words_of(counts.words, band, world);

  progress.region("tenfold::prepare::write");
  const std::int64_t bytes = bytes_needed(counts, covered(occurrences, band), tokenizer, world);
  agree_on_root(world, [&] { output.expect_room(bytes); });
  hdf5::File file = agree(world, [&] {
    const Progress::Waiting creating(progress, "HDF5's create");
    return hdf5::create_shared(output.temporary(), world.native());
  });
  write_schema(file, "corpus", corpus_schema);
  const WrittenText written = write_text(file, output.temporary(), survey, encoder,
                                         {.valid_fraction = keys.valid_fraction,
                                          .vocabulary_size = tokenizer.vocabulary_size(),
                                          .places = counts.places,
                                          .rare = rare},
                                         world);
  const Progress::Waiting waiting(progress, "writing the corpus");
  write_words(file, counts.words, world);
  write_rare_words(file, rare, world);
  write_unknown(file, counts, world);
  write_tokenizer(file, tokenizer, world);
  file.set_attribute("digest", written.digest);
  file.set_attribute("running_words", counts.running_words);
  file.set_attribute("rare_minimum", band.minimum);
  file.set_attribute("rare_maximum", band.maximum);
  const Report report{.survey = survey,
                      .tokenizer = tokenizer,
                      .long_words = long_words,
                      .counts = counts,
                      .band = band,
                      .rare_words = rare.size(),
                      .written = written};
  file.write_text("provenance", provenance(report, settings));
  file.close();
  agree_on_root(world, [&] { output.complete(); });
  if (root) std::cout << summary(report, keys.file, seconds_since(start), world.size()) << std::flush;
}

}  // namespace tenfold
