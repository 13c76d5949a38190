#include "parallel/gradient_reducer.hpp"

#include <algorithm>

namespace tenfold {

GradientReducer::GradientReducer(Communicator& communicator, const Tensor& gradients, std::int64_t bucket_bytes)
    : communicator_(&communicator),
      gradients_(gradients),
      bucket_(bucket_bytes / static_cast<std::int64_t>(sizeof(float))),
      begin_(gradients.elements()) {
  TENFOLD_VERIFY(gradients.dtype() == DType::f32 && gradients.shape().rank() == 1,
                 "gradients are a flat f32 buffer, got ", name_of(gradients.dtype()), gradients.shape().describe());
  TENFOLD_VERIFY(bucket_ >= 1, "buckets of ", bucket_bytes, " bytes");
  requests_.reserve(static_cast<std::size_t>((begin_ + bucket_ - 1) / bucket_));
}

void GradientReducer::begin_step() {
  TENFOLD_VERIFY(requests_.empty(), "the last step's gradients were not finished");
  begin_ = gradients_.elements();
}

void GradientReducer::ready(std::int64_t from) {
  while (begin_ > 0 && std::max<std::int64_t>(begin_ - bucket_, 0) >= from) start_bucket();
}

void GradientReducer::start_bucket() {
  const std::int64_t end = begin_;
  begin_ = std::max<std::int64_t>(end - bucket_, 0);
  if (communicator_->size() == 1) return;
  requests_.push_back(communicator_->start_all_reduce_sum(gradients_.rows(begin_, end - begin_)));
}

void GradientReducer::poll() {
  if (!requests_.empty()) communicator_->poll();
}

void GradientReducer::finish() {
  ready(0);
  for (const Request request : requests_) communicator_->wait(request);
  requests_.clear();
}

}  // namespace tenfold
