#include "training/step_dump.hpp"

namespace tenfold {

namespace {

void write(StepDumpFile& file, const std::string& name, const Tensor& values, Queue& queue) {
  std::vector<float> host(static_cast<std::size_t>(values.elements()));
  queue.copy_out(values, host.data());
  file.write<float>(name, host, values.shape());
}

}  // namespace

StepDump::StepDump(const std::string& path, std::int64_t step, const std::string& configuration, const HostBatch& batch,
                   const BatchShape& shape, Queue& queue, Learner& learner)
    : file_(path, step, configuration) {
  const Shape rows{shape.sequences, shape.length};
  file_.write<std::int32_t>("batch/tokens", batch.tokens, rows);
  file_.write<std::int32_t>("batch/original", batch.original, rows);
  file_.write<std::int32_t>("batch/lengths", batch.lengths, {shape.sequences});
  file_.write<std::int32_t>("batch/selected_rows", batch.selected_rows, {shape.selected});
  file_.write<std::int32_t>("batch/labels", batch.labels, {shape.selected});
  file_.set("selected", std::int64_t{batch.selected});
  for (const Parameter& parameter : learner.parameters().all())
    write(file_, "parameters/" + parameter.name, learner.parameters().master(parameter), queue);
}

void StepDump::write_draws(Queue& queue, const Learner& learner) {
  for (const auto& [name, values] : learner.objective().draws()) {
    std::vector<std::int32_t> host(static_cast<std::size_t>(values.elements()));
    queue.copy_out(values, host.data());
    file_.write<std::int32_t>("draws/" + name, host, values.shape());
  }
  const NoteBatch& notes = learner.batch().notes;
  if (!notes) return;
  for (const auto& [name, scalar] : {std::pair{"notes", notes.count}, {"windows", notes.windows}}) {
    std::int32_t count = 0;
    queue.copy_out(scalar, &count);
    file_.set(name, std::int64_t{count});
  }
  for (const auto& [name, rows] : {std::pair{"begin", notes.begin},
                                   {"end", notes.end},
                                   {"window_begin", notes.window_begin},
                                   {"window_end", notes.window_end}}) {
    std::vector<std::int32_t> host(static_cast<std::size_t>(rows.elements()));
    queue.copy_out(rows, host.data());
    file_.write<std::int32_t>(std::string("notes/") + name, host, rows.shape());
  }
  write(file_, "notes/vectors", notes.vectors, queue);
  write(file_, "notes/pooled", notes.pooled, queue);
}

void StepDump::finish(const StepResult& result, Queue& queue, Learner& learner) {
  write_draws(queue, learner);
  for (const Parameter& parameter : learner.parameters().all())
    write(file_, "gradients/" + parameter.name, learner.parameters().gradient(parameter), queue);
  file_.finish(result.metrics.front());
}

}  // namespace tenfold
