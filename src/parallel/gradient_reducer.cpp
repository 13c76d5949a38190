#include "parallel/gradient_reducer.hpp"

#include <algorithm>

namespace tenfold {

GradientReducer::GradientReducer(Communicator& communicator, Queue& queue, const Tensor& gradients,
                                 const Communicator::Buckets& buckets)
    : communicator_(communicator),
      queue_(queue),
      gradients_(gradients),
      bucket_(buckets.bytes / static_cast<std::int64_t>(sizeof(float))),
      most_under_way_(static_cast<std::size_t>(buckets.under_way)),
      begin_(gradients.elements()),
      final_(begin_) {
  TENFOLD_VERIFY(gradients.dtype() == DType::f32 && gradients.shape().rank() == 1,
                 "gradients are a flat f32 buffer, got ", name_of(gradients.dtype()), gradients.shape().describe());
  TENFOLD_VERIFY(bucket_ >= 1 && buckets.under_way >= 1, buckets.under_way, " buckets of ", buckets.bytes, " bytes");
  requests_.reserve(static_cast<std::size_t>((begin_ + bucket_ - 1) / bucket_));
}

std::int64_t GradientReducer::bytes_under_way() const {
  if (communicator_.size() == 1) return 0;
  const std::int64_t elements = std::min(gradients_.elements(), static_cast<std::int64_t>(most_under_way_) * bucket_);
  return elements * static_cast<std::int64_t>(sizeof(float));
}

void GradientReducer::begin_step() {
  TENFOLD_VERIFY(requests_.empty(), "the last step's gradients were not finished");
  begin_ = final_ = gradients_.elements();
}

void GradientReducer::ready(std::int64_t from) {
  final_ = from;
  start_buckets();
}

void GradientReducer::start_buckets() {
  while (begin_ > 0 && requests_.size() - done_ < most_under_way_) {
    const std::int64_t next = std::max<std::int64_t>(begin_ - bucket_, 0);
    if (next < final_) return;
    requests_.push_back(communicator_.start_all_reduce_sum(queue_, gradients_.rows(next, begin_ - next)));
    begin_ = next;
  }
}

void GradientReducer::poll() {
  for (; done_ < requests_.size() && communicator_.test(requests_[done_]); ++done_)
    communicator_.wait(requests_[done_]);
  start_buckets();
}

void GradientReducer::finish() {
  for (ready(0); done_ < requests_.size(); start_buckets()) communicator_.wait(requests_[done_++]);
  requests_.clear();
  done_ = 0;
}

}  // namespace tenfold
