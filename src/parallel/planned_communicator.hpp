#pragma once
// A communicator of ranks that are not there: it is rank 0 of so many, for plans. Any communication is an error.

#include "parallel/communicator.hpp"

namespace tenfold {

class PlannedCommunicator final : public Communicator {
 public:
  explicit PlannedCommunicator(int ranks) : ranks_(ranks) {}

  int rank() const override { return 0; }
  int size() const override { return ranks_; }
  std::unique_ptr<Communicator> duplicate() override { return std::make_unique<PlannedCommunicator>(ranks_); }
  Buckets buckets() const override { return {}; }
  void barrier() override { refuse(); }
  Request start_all_reduce_sum(Queue& /*queue*/, const Tensor& /*values*/) override { refuse(); }
  void poll() override { refuse(); }
  bool test(Request /*request*/) override { refuse(); }
  void wait(Request /*request*/) override { refuse(); }
  std::int64_t exclusive_scan_sum(std::int64_t /*value*/) override { refuse(); }

 protected:
  void all_reduce(void* /*values*/, std::size_t /*count*/, DType /*type*/, Reduction /*reduction*/) override {
    refuse();
  }
  void broadcast_bytes(void* /*data*/, std::size_t /*bytes*/, int /*root*/) override { refuse(); }
  void all_gather_bytes(const void* /*mine*/, std::size_t /*bytes*/, void* /*all*/) override { refuse(); }
  void all_gather_v_bytes(const void* /*mine*/, std::span<const std::int64_t> /*counts*/, void* /*all*/,
                          std::size_t /*element_bytes*/) override {
    refuse();
  }
  void all_to_all_bytes(const void* /*send*/, void* /*receive*/, std::size_t /*block_bytes*/) override { refuse(); }
  void all_to_all_v_bytes(const void* /*send*/, std::span<const std::int64_t> /*send_counts*/, void* /*receive*/,
                          std::span<const std::int64_t> /*receive_counts*/, std::size_t /*element_bytes*/) override {
    refuse();
  }
  Request start_all_to_all_words(const void* /*send*/, void* /*receive*/, std::size_t /*block_words*/,
                                 std::size_t /*word_bytes*/) override {
    refuse();
  }
  Request start_all_to_all_v_words(const void* /*send*/, std::span<const std::int64_t> /*send_counts*/,
                                   void* /*receive*/, std::span<const std::int64_t> /*receive_counts*/,
                                   std::size_t /*word_bytes*/) override {
    refuse();
  }

 private:
  [[noreturn]] static void refuse() { throw Error("a plan has no other ranks to communicate with"); }
  int ranks_;
};

}  // namespace tenfold
