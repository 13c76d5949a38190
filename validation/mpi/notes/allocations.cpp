// Counts what the program allocates; apart from the tests, where g++ would take the replacement for a mismatch.

#include <atomic>
#include <cstdlib>
#include <new>

#include "note_test.hpp"

namespace {
std::atomic<int> count{0};
}

int tenfold::testing::allocations() {
  return count;
}

void* operator new(std::size_t bytes) {
  ++count;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
