// The one options table: every key with the commands that read it, type and range, unit and help. Defaults are those of
// settings.hpp. A new key is a member there and a row here.

#include "config/detail/option.hpp"

namespace tenfold::detail {
namespace {

/// Access to a field by a callable from (const) Settings& to a reference.
template <class Access>
Field field(Access access, Range range) {
  using T = std::remove_cvref_t<std::invoke_result_t<Access, Settings&>>;
  return {Value<T>::describe(range), false, std::is_same_v<T, bool>,
          [=](Settings& settings, const std::vector<std::string>& texts) {
            return Value<T>::read(texts.back(), range, access(settings));
          },
          [=](const Settings& settings) { return std::vector{Value<T>::print(access(settings))}; }};
}

/// settings.section.member
template <class Section, class T>
Field field(Section Settings::*section, T Section::*member, Range range = {}) {
  return field(
      [=](auto& settings) -> auto& { return settings.*section.*member; }, range);
}

/// A list of texts, one a naming of the key.
template <class Section>
Field repeated(Section Settings::*section, std::vector<std::string> Section::*member) {
  return {"text, may be repeated", true, false,
          [=](Settings& settings, const std::vector<std::string>& texts) {
            settings.*section.*member = texts;
            return true;
          },
          [=](const Settings& settings) { return settings.*section.*member; }};
}

/// A list of words between commas, at least one.
template <class Section>
Field words(Section Settings::*section, std::vector<std::string> Section::*member) {
  return {"word,...", false, false,
          [=](Settings& settings, const std::vector<std::string>& texts) {
            std::istringstream list(texts.back());
            std::vector<std::string>& words = settings.*section.*member;
            words.clear();
            for (std::string word; std::getline(list, word, ',');)
              if (!word.empty()) words.push_back(word);
            return !words.empty();
          },
          [=](const Settings& settings) { return settings.*section.*member; }};
}

const Condition tupe{"model.position = tupe-a or tupe-r", [](const Settings& s) { return is_tupe(s.model.position); }};
const Condition relative{"model.position = relative or tupe-r",
                         [](const Settings& s) { return has_relative_bias(s.model.position); }};

const Condition two_networks{"objective.kind = electra or multiple-choice",
                             [](const Settings& s) { return s.objective.kind != ObjectiveKind::mlm; }};
const Condition multiple_choice{"objective.kind = multiple-choice",
                                [](const Settings& s) { return s.objective.kind == ObjectiveKind::multiple_choice; }};
const Condition exact_sampling{"multiple-choice by objective.sampling = exact", [](const Settings& s) {
                                 return multiple_choice.holds(s) && s.objective.sampling == Sampling::exact;
                               }};
const Condition trained_tokenizer{"no tokenizer.model", [](const Settings& s) { return s.tokenizer.model.empty(); }};
const Condition open_band{"one bound of the band left open",
                          [](const Settings& s) { return !s.corpus.rare_min_count || !s.corpus.rare_max_count; }};
const Condition notes{"notes.enabled = true", [](const Settings& s) { return s.notes.enabled; }};

std::vector<Option> build() {
  using S = Settings;
  using Run = RunSettings;
  using Data = DataSettings;
  using Corpus = CorpusSettings;
  using Tokenizer = TokenizerSettings;
  using Model = ModelSettings;
  using Objective = ObjectiveSettings;
  using Notes = NotesSettings;
  using Optimizer = OptimizerSettings;
  using Parallel = ParallelSettings;
  const auto compute = [](auto& settings) -> auto& {
    return settings.precision;
  };
  constexpr double many = 1'000'000'000;
  constexpr double last_step = 4'294'967'295;  // steps are 32-bit words of the random counters
  constexpr unsigned model = pretrain | bench | plan;

  return {
      {"run.folder", needed_by(pretrain) | elastic, field(&S::run, &Run::folder), "",
       "folder of the run: trace, checkpoints, manifest and logs"},
      {"run.device", model | elastic, field(&S::run, &Run::device), "",
       "where tensors lie; auto: a GPU, if there is one and the build has kernels for it"},
      {"run.seed", pretrain | bench, field(&S::run, &Run::seed, between(0, 1e18)), "",
       "seed of all random numbers: weights, order, masks, dropout"},
      {"run.steps", pretrain | elastic, field(&S::run, &Run::steps, between(1, last_step)), "steps",
       "optimizer steps in all; the learning rate, once warmed up, falls to 0 there"},
      {"run.resume", pretrain | elastic, field(&S::run, &Run::resume), "",
       "go on from the newest checkpoint: auto starts anew only if there is none"},

      {"data.corpus", needed_by(pretrain) | plan | elastic, field(&S::data, &Data::corpus), "",
       "corpus file that `tenfold prepare` wrote; plan takes vocabulary and rare words from it"},
      {"data.sequence_length", model, field(&S::data, &Data::sequence_length, between(8, 65536)), "tokens",
       "most tokens of a sequence; whole sentences are packed up to it"},
      {"data.global_batch", model, field(&S::data, &Data::global_batch, between(1, many)), "sequences",
       "sequences a step over all ranks"},
      {"data.micro_batch", model | elastic, field(&S::data, &Data::micro_batch, between(1, many)), "sequences",
       "row budget of a pass, in sequences of full length; auto: 32, or a rank's share if less"},

      {"corpus.text", needed_by(prepare), repeated(&S::corpus, &Corpus::text), "",
       "text file, plain or gzip: one paragraph a line, a blank line between documents"},
      {"corpus.file", needed_by(prepare), field(&S::corpus, &Corpus::file), "", "corpus file to write"},
      {"corpus.valid_fraction", prepare, field(&S::corpus, &Corpus::valid_fraction, strictly_between(0, 1)), "",
       "share of the text kept for validation"},
      {"corpus.rare_coverage", prepare, field(&S::corpus, &Corpus::rare_coverage, from_to_below(0, 1)), "",
       "share of running words that the band of rare words is chosen to cover; 0: no rare words", &open_band},
      {"corpus.rare_min_count", prepare, field(&S::corpus, &Corpus::rare_min_count, at_least(1)), "occurrences",
       "fewest occurrences of a rare word; auto: by rare_coverage"},
      {"corpus.rare_max_count", prepare, field(&S::corpus, &Corpus::rare_max_count, at_least(1)), "occurrences",
       "most occurrences of a rare word; auto: by rare_coverage"},

      {"tokenizer.model", prepare, field(&S::tokenizer, &Tokenizer::model), "",
       "SentencePiece model to use, with the vocabulary it has; empty: train one on the text"},
      {"tokenizer.vocabulary_size", prepare | model | elastic,
       field(&S::tokenizer, &Tokenizer::vocabulary_size, between(64, 1'000'000)), "pieces",
       "vocabulary to train, or that the corpus must have; auto: the corpus's, else 16384", &trained_tokenizer},
      {"tokenizer.lowercase", prepare, field(&S::tokenizer, &Tokenizer::lowercase), "",
       "fold case: make all letters small (Unicode's simple case folding)"},
      {"tokenizer.character_coverage", prepare, field(&S::tokenizer, &Tokenizer::character_coverage, between(0, 1)), "",
       "share of the characters beside printable ASCII (always with pieces) that get pieces", &trained_tokenizer},
      {"tokenizer.byte_fallback", prepare, field(&S::tokenizer, &Tokenizer::byte_fallback), "",
       "a character without a piece becomes its bytes, of 256 more pieces, instead of [UNK]", &trained_tokenizer},

      {"model.layers", model, field(&S::model, &Model::layers, between(1, 1000)), "", "encoder layers"},
      {"model.width", model, field(&S::model, &Model::width, between(1, 65536)), "",
       "width of the hidden states; a multiple of heads"},
      {"model.heads", model, field(&S::model, &Model::heads, between(1, 1024)), "", "attention heads a layer"},
      {"model.feed_forward", model, field(&S::model, &Model::feed_forward, between(1, 1'000'000)), "",
       "inner width of the feed-forward block"},
      {"model.dropout", model, field(&S::model, &Model::dropout, from_to_below(0, 1)), "",
       "dropout of embeddings and of attention and feed-forward outputs"},
      {"model.attention_dropout", model, field(&S::model, &Model::attention_dropout, from_to_below(0, 1)), "",
       "dropout of attention probabilities"},
      {"model.position", model, field(&S::model, &Model::position), "",
       "absolute as in BERT, with T5's relative bias, or untied: TUPE"},
      {"model.layer_norm_epsilon", model, field(&S::model, &Model::layer_norm_epsilon, above(0)), "",
       "added to the variance in layer norms; 1e-12 in BERT as first published"},
      {"model.untie_cls", model, field(&S::model, &Model::untie_cls), "", "free [CLS] from positions", &tupe},
      {"model.relative_buckets", model, field(&S::model, &Model::relative_buckets, between(4, 1024)), "",
       "buckets of the relative bias, half of them a direction; even", &relative},
      {"model.relative_max_distance", model, field(&S::model, &Model::relative_max_distance, between(2, 1'000'000)),
       "tokens", "distance up to which buckets widen, as T5's max_distance; above relative_buckets / 4", &relative},

      {"objective.kind", model, field(&S::objective, &Objective::kind), "", "pre-training task"},
      {"objective.mask_rate", model, field(&S::objective, &Objective::mask_rate, strictly_between(0, 1)), "",
       "share of tokens selected for prediction, [SEP] among them, [CLS] under mlm only"},
      {"objective.leave_unmasked", model, field(&S::objective, &Objective::leave_unmasked, between(0, 1)), "",
       "share of the selected that stay as they are; auto: 0.1 for mlm, else 0"},
      {"objective.replace_random", model, field(&S::objective, &Objective::replace_random, between(0, 1)), "",
       "share of the selected replaced at random; auto: 0.1 for mlm, else 0"},
      {"objective.generator_divider", model, field(&S::objective, &Objective::generator_divider, between(1, 64)), "",
       "main width over the generator's; auto: the papers' (2 to 4, by kind and width)", &two_networks},
      {"objective.loss_weight", model, field(&S::objective, &Objective::loss_weight, at_least(0)), "",
       "weight of the main model's loss; auto: 50 for electra, 20 for multiple-choice", &two_networks},
      {"objective.candidates", model, field(&S::objective, &Objective::candidates, between(3, 1024)), "",
       "answers to choose from, truth and none-of-the-above included", &multiple_choice},
      {"objective.candidates_end", model, field(&S::objective, &Objective::candidates_end, between(3, 1024)), "",
       "the same at the last step, linear in between; auto: as candidates", &multiple_choice},
      {"objective.temperature", model, field(&S::objective, &Objective::temperature, above(0)), "",
       "temperature at which wrong answers are drawn", &exact_sampling},
      {"objective.temperature_end", model, field(&S::objective, &Objective::temperature_end, above(0)), "",
       "the same at the last step, linear in between; auto: as temperature", &exact_sampling},
      {"objective.sampling", model, field(&S::objective, &Objective::sampling), "",
       "exact: distinct, not the truth; released: with repeats, all but [PAD] and [NOTA]", &multiple_choice},

      {"notes.enabled", model, field(&S::notes, &Notes::enabled), "", "take notes on rare words"},
      {"notes.mix", model, field(&S::notes, &Notes::mix, between(0, 1)), "", "share of the note in a rare word's input",
       &notes},
      {"notes.update_rate", model, field(&S::notes, &Notes::update_rate, between(0, 1)), "",
       "weight of a step's mean in the running note", &notes},
      {"notes.window", model, field(&S::notes, &Notes::window, between(0, 65536)), "tokens",
       "tokens on each side that a note sums up; auto: 16 from length 512 on, else 8", &notes},
      {"notes.rescale", model, field(&S::notes, &Notes::rescale), "",
       "scale a note to the norm of the embedding it joins", &notes},
      {"notes.update_selected", model, field(&S::notes, &Notes::update_selected), "",
       "learn also from occurrences with a token selected for prediction", &notes},

      {"optimizer.learning_rate", pretrain, field(&S::optimizer, &Optimizer::learning_rate, at_least(0)), "",
       "peak learning rate"},
      {"optimizer.warmup_steps", pretrain, field(&S::optimizer, &Optimizer::warmup_steps, between(0, last_step)),
       "steps", "steps of linear warm-up"},
      {"optimizer.beta1", pretrain, field(&S::optimizer, &Optimizer::beta1, from_to_below(0, 1)), "",
       "decay of Adam's first moment"},
      {"optimizer.beta2", pretrain, field(&S::optimizer, &Optimizer::beta2, from_to_below(0, 1)), "",
       "decay of Adam's second moment"},
      {"optimizer.epsilon", pretrain, field(&S::optimizer, &Optimizer::epsilon, above(0)), "", "Adam's epsilon"},
      {"optimizer.weight_decay", pretrain, field(&S::optimizer, &Optimizer::weight_decay, at_least(0)), "",
       "decoupled weight decay, of all parameters"},
      {"optimizer.clip_norm", pretrain, field(&S::optimizer, &Optimizer::clip_norm, at_least(0)), "",
       "largest global gradient norm; 0: no clipping"},

      {"precision.compute", model, field(compute, {}), "",
       "type of activations and matrix products; sums, master weights and optimizer are f32"},

      {"parallel.data", model | elastic, field(&S::parallel, &Parallel::data, between(1, 1'000'000)), "ranks",
       "ranks that share a batch; auto: all processes (plan: 1)"},
      {"parallel.tensor", model | elastic, field(&S::parallel, &Parallel::tensor, between(1, 1)), "ranks",
       "ranks that share a layer; only 1 so far"},
      {"parallel.communicator", model | elastic, field(&S::parallel, &Parallel::communicator), "",
       "what sums gradients between ranks; auto: nccl between GPUs, else mpi"},
      {"parallel.threads", model | elastic, field(&S::parallel, &Parallel::threads, between(1, 4096)), "threads",
       "threads a rank; auto: the cores it may run on, over the ranks there"},
      {"parallel.stall_timeout", prepare | pretrain | bench | elastic,
       field(&S::parallel, &Parallel::stall_timeout, above(0)), "seconds",
       "time without progress after which the run is ended"},
      {"parallel.replica_check_every", pretrain | elastic,
       field(&S::parallel, &Parallel::replica_check_every, at_least(1)), "steps",
       "how often the ranks compare their weights"},

      {"checkpoint.every", pretrain | elastic, field(&S::checkpoint, &CheckpointSettings::every, at_least(1)), "steps",
       "how often to save; the end of a run always does"},
      {"checkpoint.keep", pretrain | elastic, field(&S::checkpoint, &CheckpointSettings::keep, between(1, many)),
       "files", "newest good checkpoints kept"},

      {"validation.every", pretrain | elastic, field(&S::validation, &ValidationSettings::every, at_least(1)), "steps",
       "how often to validate; also before the first and after the last step"},
      {"validation.sequences", pretrain | elastic, field(&S::validation, &ValidationSettings::sequences, at_least(1)),
       "sequences", "sequences a validation, the same each time"},

      {"log.every", pretrain | elastic, field(&S::log, &LogSettings::every, at_least(1)), "steps",
       "how often a line goes to the log, and rows to readers of the trace (at most 512 wait)"},

      {"bench.steps", bench, field(&S::bench, &BenchSettings::steps, at_least(1)), "steps",
       "optimizer steps that are timed, after one that is not"},

      {"debug.dump_step", pretrain | elastic, field(&S::debug, &DebugSettings::dump_step, at_least(0)), "step",
       "write all of this step, from batch to gradients, to dump-step-N.h5; 0: none"},

      {"json", inspect | bench, field(&S::call, &CallSettings::json), "", "print one JSON object instead of words"},
      {"notes", inspect, words(&S::call, &CallSettings::notes), "", "show what a checkpoint noted on these rare words"},
  };
}

}  // namespace

const std::vector<Option>& options() {
  static const std::vector<Option> table = build();
  return table;
}

}  // namespace tenfold::detail
