#pragma once
// The effective configuration of a run, as typed values. Names are those of the keys: settings.model.layers is
// model.layers. Defaults stand here; the one options table (options.cpp) holds unit, range and help.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tenfold {

enum class Resume { never, auto_, always };
enum class PositionEncoding { absolute, relative, tupe_a, tupe_r };
enum class ObjectiveKind { mlm, electra, multiple_choice };
enum class Sampling { exact, released };
enum class Precision { f32, bf16 };

constexpr bool is_tupe(PositionEncoding kind) {
  return kind == PositionEncoding::tupe_a || kind == PositionEncoding::tupe_r;
}
constexpr bool has_relative_bias(PositionEncoding kind) {
  return kind == PositionEncoding::relative || kind == PositionEncoding::tupe_r;
}

enum class RunDevice { auto_, host, cuda };

struct RunSettings {
  RunDevice device = RunDevice::auto_;  ///< auto: resolved by who knows the build and the machine, before resolve()
  std::string folder;
  std::uint64_t seed = 1;
  std::int64_t steps = 1000;
  Resume resume = Resume::never;
};

struct DataSettings {
  std::string corpus;
  int sequence_length = 128;
  int global_batch = 64;
  std::optional<int> micro_batch;  ///< unset: 32 on the host, 32,768 rows on a GPU; never above a rank's share
};

struct CorpusSettings {
  std::vector<std::string> text;
  std::string file;
  double valid_fraction = 0.01;
  double rare_coverage = 0.01;
  std::optional<std::int64_t> rare_min_count;
  std::optional<std::int64_t> rare_max_count;
};

struct TokenizerSettings {
  std::string model;                   ///< a given SentencePiece model; empty: train one
  std::optional<int> vocabulary_size;  ///< unset: that of the corpus, or where there is none 16384
  int size() const { return vocabulary_size.value_or(16384); }
  bool lowercase = false;
  double character_coverage = 0.9999;  ///< share of all but printable ASCII characters that get pieces
  bool byte_fallback = false;          ///< characters without a piece become bytes, not [UNK]
};

struct ModelSettings {
  int layers = 4;
  int width = 256;
  int heads = 4;
  int feed_forward = 1024;
  double dropout = 0.1;
  double attention_dropout = 0.1;
  PositionEncoding position = PositionEncoding::tupe_r;
  bool untie_cls = true;
  double layer_norm_epsilon = 1e-5;
  int relative_buckets = 32;
  int relative_max_distance = 128;
};

struct ObjectiveSettings {
  ObjectiveKind kind = ObjectiveKind::mlm;
  double mask_rate = 0.15;
  std::optional<double> leave_unmasked;  ///< unset: 0.1 for mlm, else 0
  std::optional<double> replace_random;  ///< unset: 0.1 for mlm, else 0
  std::optional<int> generator_divider;  ///< unset: the papers' for this kind and width
  std::optional<double> loss_weight;     ///< unset: 50 for electra, 20 for multiple-choice
  int candidates = 10;
  std::optional<int> candidates_end;  ///< unset: as candidates
  double temperature = 1;
  std::optional<double> temperature_end;  ///< unset: as temperature
  Sampling sampling = Sampling::exact;
};

struct NotesSettings {
  bool enabled = false;
  double mix = 0.5;
  double update_rate = 0.1;
  std::optional<int> window;  ///< unset: 16 from 512 tokens on, else 8
  bool rescale = false;
  bool update_selected = false;  ///< also learn from occurrences with a token selected for prediction
};

struct OptimizerSettings {
  double learning_rate = 5e-4;
  std::int64_t warmup_steps = 100;
  double beta1 = 0.9;
  double beta2 = 0.98;
  double epsilon = 1e-6;
  double weight_decay = 0.01;
  double clip_norm = 1.0;
};

enum class CommunicatorKind { auto_, mpi, nccl };

struct ParallelSettings {
  CommunicatorKind communicator = CommunicatorKind::auto_;  ///< auto: NCCL between GPUs
  std::optional<int> data;                                  ///< unset: world size / tensor
  int tensor = 1;
  std::optional<int> threads;
  double stall_timeout = 300;  ///< seconds without progress after which the watchdog ends the run
  std::int64_t replica_check_every = 100;
};

struct CheckpointSettings {
  std::int64_t every = 1000;
  int keep = 2;
};

struct ValidationSettings {
  std::int64_t every = 500;
  std::int64_t sequences = 512;
};

struct LogSettings {
  std::int64_t every = 10;
};

struct BenchSettings {
  std::int64_t steps = 5;  ///< timed optimizer steps
};

struct DebugSettings {
  std::int64_t dump_step = 0;  ///< step whose batch, weights and gradients are written; 0: none
};

/// What is asked of one call of a command, and no part of a run's configuration.
struct CallSettings {
  bool json = false;
  std::vector<std::string> notes;  ///< rare words whose notes are asked for
};

struct Settings {
  RunSettings run;
  DataSettings data;
  CorpusSettings corpus;
  TokenizerSettings tokenizer;
  ModelSettings model;
  ObjectiveSettings objective;
  NotesSettings notes;
  OptimizerSettings optimizer;
  Precision precision = Precision::f32;  ///< precision.compute
  ParallelSettings parallel;
  CheckpointSettings checkpoint;
  ValidationSettings validation;
  LogSettings log;
  BenchSettings bench;
  DebugSettings debug;
  CallSettings call;
};

}  // namespace tenfold
