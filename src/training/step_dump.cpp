#include "training/step_dump.hpp"

#include "io/schema.hpp"

namespace tenfold {

namespace {

template <class T>
void write(hdf5::File& file, const std::string& name, std::span<const T> values, const Shape& shape) {
  file.create_dataset<T>(name, hdf5::extents_of(shape)).write_range(dtype_of<T>(), values.data(), 0, values.size());
}

void write(hdf5::File& file, const std::string& name, const Tensor& values, Queue& queue) {
  std::vector<float> host(static_cast<std::size_t>(values.elements()));
  queue.copy_out(values, host.data());
  write<float>(file, name, host, values.shape());
}

}  // namespace

StepDump::StepDump(const std::string& path, std::int64_t step, const std::string& configuration, const HostBatch& batch,
                   const BatchShape& shape, Queue& queue, Learner& learner)
    : file_(hdf5::File::create(path)) {
  write_schema(file_, "step dump", 1);
  file_.set_attribute("step", step);
  file_.write_text("configuration", configuration);
  const Shape rows{shape.sequences, shape.length};
  write<std::int32_t>(file_, "batch/tokens", batch.tokens, rows);
  write<std::int32_t>(file_, "batch/original", batch.original, rows);
  write<std::int32_t>(file_, "batch/lengths", batch.lengths, {shape.sequences});
  write<std::int32_t>(file_, "batch/selected_rows", batch.selected_rows, {shape.selected});
  write<std::int32_t>(file_, "batch/labels", batch.labels, {shape.selected});
  file_.set_attribute("selected", std::int64_t{batch.selected});
  for (const Parameter& parameter : learner.parameters().all())
    write(file_, "parameters/" + parameter.name, learner.parameters().master(parameter), queue);
}

void StepDump::write_draws(Queue& queue, const Learner& learner) {
  for (const auto& [name, values] : learner.objective().draws()) {
    std::vector<std::int32_t> host(static_cast<std::size_t>(values.elements()));
    queue.copy_out(values, host.data());
    write<std::int32_t>(file_, "draws/" + name, host, values.shape());
  }
  const NoteBatch& notes = learner.batch().notes;
  if (!notes) return;
  for (const auto& [name, scalar] : {std::pair{"notes", notes.count}, {"windows", notes.windows}}) {
    std::int32_t count = 0;
    queue.copy_out(scalar, &count);
    file_.set_attribute(name, std::int64_t{count});
  }
  for (const auto& [name, rows] : {std::pair{"begin", notes.begin},
                                   {"end", notes.end},
                                   {"window_begin", notes.window_begin},
                                   {"window_end", notes.window_end}}) {
    std::vector<std::int32_t> host(static_cast<std::size_t>(rows.elements()));
    queue.copy_out(rows, host.data());
    write<std::int32_t>(file_, std::string("notes/") + name, host, rows.shape());
  }
  write(file_, "notes/vectors", notes.vectors, queue);
  write(file_, "notes/pooled", notes.pooled, queue);
}

void StepDump::finish(const StepResult& result, Queue& queue, Learner& learner) {
  file_.set_attribute("loss", result.metrics.front());
  write_draws(queue, learner);
  for (const Parameter& parameter : learner.parameters().all())
    write(file_, "gradients/" + parameter.name, learner.parameters().gradient(parameter), queue);
  file_.close();
}

}  // namespace tenfold
