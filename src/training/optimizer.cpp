#include "training/optimizer.hpp"

#include "kernels/optimizer.hpp"

namespace tenfold {

Optimizer::Optimizer(const OptimizerSettings& settings, Parameters& parameters, Arena& device)
    : settings_(settings),
      parameters_(parameters),
      first_moment_(device.allocate(DType::f32, {parameters.padded_size()})),
      second_moment_(device.allocate(DType::f32, {parameters.padded_size()})),
      learning_rate_(device.allocate(DType::f32, {1})),
      norm_(device.allocate(DType::f32, {1})),
      skipped_(device.allocate(DType::i32, {1})),
      updates_(device.allocate(DType::i64, {1})) {}

void Optimizer::judge(Queue& queue, const Tensor& sums) {
  kernels::global_norm(queue, parameters_.gradients(), norm_);
  kernels::judge_step(queue, norm_, sums, skipped_, updates_);
}

void Optimizer::update(Queue& queue, const Parameters::Share& range, double learning_rate) {
  const auto rate = static_cast<float>(learning_rate);
  queue.copy_in(&rate, learning_rate_);
  const kernels::AdamW adamw{settings_.beta1, settings_.beta2, settings_.epsilon, settings_.weight_decay,
                             settings_.clip_norm};
  const auto part = [&](const Tensor& flat) { return flat.rows(range.first, range.last - range.first); };
  kernels::adamw(queue, adamw, {learning_rate_, norm_, skipped_, updates_}, part(parameters_.gradients()),
                 part(parameters_.masters()), part(first_moment_), part(second_moment_));
}

Optimizer::Judgement Optimizer::judgement(Queue& queue) const {
  float norm = 0;
  std::int32_t skipped = 0;
  queue.copy_out(norm_, &norm);
  queue.copy_out(skipped_, &skipped);
  return {norm, skipped != 0};
}

std::int64_t Optimizer::updates(Queue& queue) const {
  std::int64_t updates = 0;
  queue.copy_out(updates_, &updates);
  return updates;
}

void Optimizer::set_updates(Queue& queue, std::int64_t updates) {
  queue.copy_in(&updates, updates_);
}

}  // namespace tenfold
