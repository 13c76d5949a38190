#include "base/queue.hpp"

#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <string>
#include <vector>

namespace tenfold {
namespace {

std::vector<std::string> seen;

TEST(Queue, RegionsAreSeenByTheObserverAndByKokkosTools) {
  Kokkos::Tools::Experimental::set_push_region_callback([](const char* label) { seen.emplace_back(label); });
  Kokkos::Tools::Experimental::set_pop_region_callback([] { seen.emplace_back("pop"); });
  Queue queue;
  queue.observe(
      [](const char* label, bool begin) { seen.push_back((begin ? "begin " : "end ") + std::string(label)); });
  {
    const Queue::Region outer(queue, "tenfold::linear::forward");
    const Queue::Region inner(queue, "tenfold::gelu::backward");
  }
  Kokkos::Tools::Experimental::set_push_region_callback(nullptr);
  Kokkos::Tools::Experimental::set_pop_region_callback(nullptr);
  EXPECT_EQ(seen, (std::vector<std::string>{"begin tenfold::linear::forward", "tenfold::linear::forward",
                                            "begin tenfold::gelu::backward", "tenfold::gelu::backward", "pop",
                                            "end tenfold::gelu::backward", "pop", "end tenfold::linear::forward"}));
}

}  // namespace
}  // namespace tenfold
