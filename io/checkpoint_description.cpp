// What a checkpoint holds, in numbers.
#include <nlohmann/json.hpp>

#include "io/checkpoint.hpp"
#include "io/detail/norm.hpp"
#include "io/note_facts.hpp"
#include "io/tokenizer.hpp"

namespace tenfold {

nlohmann::ordered_json Checkpoint::describe() const {
  const std::string prefix = "weights/";
  std::int64_t scalars = 0;
  nlohmann::ordered_json table = nlohmann::ordered_json::array();
  for (const std::string& name : tensors()) {
    if (!name.starts_with(prefix)) continue;
    const Shape extents = shape(name);
    scalars += extents.elements();
    const double norm = detail::norm(extents.elements(),
                                     [&](std::int64_t begin, std::span<float> values) { read(name, begin, values); });
    table.push_back({{"name", name.substr(prefix.size())}, {"shape", extents.extents()}, {"norm", norm}});
  }
  nlohmann::ordered_json facts = {{"kind", "checkpoint"},
                                  {"step", step()},
                                  {"tokens_seen", integer("tokens")},
                                  {"updates", integer("updates")},
                                  {"skipped_steps", integer("skipped")},
                                  {"parameters", scalars},
                                  {"vocabulary_size", Tokenizer(bytes("tokenizer"), file_.label()).vocabulary_size()},
                                  {"corpus_digest", text("corpus_digest")},
                                  {"configuration", text("configuration")}};
  if (has_notes(*this)) facts["note_dictionary"] = note_dictionary_facts(*this);
  facts["weights"] = table;
  return facts;
}

}  // namespace tenfold
