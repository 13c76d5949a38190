#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <boost/context/detail/fcontext.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "emulation/run.hpp"
#include "emulation/sanitizers.hpp"
#include "kernels/cuda/detail/device.cuh"

namespace tenfold::emulator {

namespace fibers = boost::context::detail;

const Position* here = nullptr;

namespace {

constexpr std::size_t stack_bytes = 256U * 1024U;

/// Who goes on: any thread; or always the first of those that are ready in an order of threads, or of warps, that was
/// drawn for the block. Fair draws seldom let one warp run far ahead of another.
enum class Order : std::uint8_t { fair, threads, warps };

enum class State : std::uint8_t { ready, barrier, collective, done };

struct alignas(128) Shared {
  char bytes[128];
};

struct Copy {
  void* destination;
  const void* source;

  void deliver() const {
    if (source != nullptr) {
      std::memcpy(destination, source, 16);
    } else {
      std::memset(destination, 0, 16);
    }
  }
};

/// One CUDA thread of the running block; its stack is kept from block to block.
struct Thread {
  Position position;
  char arrived = 0, led = 0;  ///< points of order for TSAN: came to a collective, did one's work
  const Thread* leader = nullptr;
  State state = State::ready;
  unsigned rank = 0;  ///< in the order that was drawn for the block
  std::uint32_t mask = 0;
  void* operands = nullptr;
  Act act = nullptr;
  Site site = Site::current();
  fibers::fcontext_t context = nullptr;
  char* stack = nullptr;
  Sanitizers::Fiber fiber;
  std::vector<std::vector<Copy>> copies;  ///< groups of cp.async under way, the last one open
};

/// Threads that can go on, by rank.
class ReadyThreads {
 public:
  void clear() { words_.fill(0); }
  void add(unsigned rank) { words_[rank / 64] |= std::uint64_t{1} << rank % 64; }
  void remove(unsigned rank) { words_[rank / 64] &= ~(std::uint64_t{1} << rank % 64); }
  bool empty() const {
    return std::all_of(words_.begin(), words_.end(), [](std::uint64_t word) { return word == 0; });
  }
  /// The first from `rank` on, or else the first of all; there is one.
  unsigned next(unsigned rank) const {
    if (const std::uint64_t here_on = words_[rank / 64] >> rank % 64; here_on != 0)
      return rank + static_cast<unsigned>(std::countr_zero(here_on));
    for (std::size_t step = 1; step <= words_.size(); ++step) {
      const std::size_t word = (rank / 64 + step) % words_.size();
      if (words_[word] != 0)
        return static_cast<unsigned>(64 * word) + static_cast<unsigned>(std::countr_zero(words_[word]));
    }
    std::abort();
  }

 private:
  std::array<std::uint64_t, 16> words_{};
};

struct Block {
  std::vector<std::unique_ptr<Thread>> threads;
  unsigned count = 0;
  ReadyThreads ready;
  std::vector<unsigned> by_rank;  ///< threads
  Order order = Order::fair;
  unsigned at_barrier = 0;
  unsigned barrier_line = 0;  ///< where they wait
  unsigned done = 0;
  std::vector<std::unique_ptr<Shared[]>> shared;  ///< of every block of the launch: none may see another's
  std::size_t shared_bytes = 0;
  fibers::fcontext_t scheduler = nullptr;
  Sanitizers::Fiber main;
  char barrier_order[2] = {}, started = 0, ended = 0;  ///< points of order for TSAN; barriers take two in turn
  unsigned phase = 0;
  const std::function<void()>* kernel = nullptr;
  const char* launched = "";
  unsigned line = 0;
};

Block block;

char* shared_begin() {
  return block.shared.back()[0].bytes;
}

Thread* current = nullptr;

std::mt19937& generator() {
  static std::mt19937 engine(static_cast<unsigned>(seed()));
  return engine;
}

/// What the thread holds back of its copies, down to `pending` groups, arrives.
void deliver(Thread& thread, std::size_t pending) {
  while (thread.copies.size() > pending) {
    for (const Copy& copy : thread.copies.front()) copy.deliver();
    thread.copies.erase(thread.copies.begin());
  }
}

void to_scheduler() {
  Thread& thread = *current;
  Sanitizers::leave(thread.fiber, block.main);
  block.scheduler = fibers::jump_fcontext(block.scheduler, nullptr).fctx;
  Sanitizers::arrive(thread.fiber);
}

void thread_main(fibers::transfer_t from) {
  block.scheduler = from.fctx;
  for (;;) {
    Sanitizers::arrive(current->fiber);
    Sanitizers::acquire(&block.started);
    (*block.kernel)();
    current->copies.clear();
    Sanitizers::release(&block.ended);
    current->state = State::done;
    Sanitizers::leave(current->fiber, block.main);
    block.scheduler = fibers::jump_fcontext(block.scheduler, nullptr).fctx;
  }
}

void resume(Thread& thread) {
  current = &thread;
  here = &thread.position;
  Sanitizers::leave(block.main, thread.fiber);
  thread.context = fibers::jump_fcontext(thread.context, nullptr).fctx;
  Sanitizers::arrive(block.main);
  current = nullptr;
  here = nullptr;
}

void prepare(unsigned count) {
  while (block.threads.size() < count) {
    auto thread = std::make_unique<Thread>();
    void* memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    mprotect(memory, 4096, PROT_NONE);
    thread->stack = static_cast<char*>(memory);
    thread->context = fibers::make_fcontext(thread->stack + stack_bytes, stack_bytes - 4096, thread_main);
    Sanitizers::create(thread->fiber, thread->stack + 4096, stack_bytes - 4096);
    block.threads.push_back(std::move(thread));
  }
}

void make_ready(unsigned index) {
  block.threads[index]->state = State::ready;
  block.ready.add(block.threads[index]->rank);
}

void release_barrier() {
  block.at_barrier = 0;
  block.phase ^= 1U;
  for (unsigned i = 0; i < block.count; ++i) {
    if (block.threads[i]->state == State::barrier) make_ready(i);
  }
}

/// The last lane of a collective has come: `current`, which does its work.
bool complete(unsigned warp, std::uint32_t mask) {
  void* lanes[32] = {};
  for (unsigned l = 0; l < 32; ++l) {
    if ((mask >> l & 1U) == 0) continue;
    const unsigned index = 32 * warp + l;
    if (index >= block.count) fail("collective: the mask names a lane beyond the block", current->site);
    const Thread& other = *block.threads[index];
    if (other.state == State::done) fail("collective: a lane of the mask has ended", current->site);
    if (&other != current && (other.state != State::collective || other.mask != mask)) return false;
    if (other.act != current->act && (&other != current)) fail("collective: lanes are at different ones", other.site);
    if (other.site.line() != current->site.line()) fail("collective: lanes are at different lines", other.site);
    lanes[l] = other.operands;
  }
  for (unsigned l = 0; l < 32; ++l) {
    if ((mask >> l & 1U) != 0) Sanitizers::acquire(&block.threads[32 * warp + l]->arrived);
  }
  if (current->act != nullptr) current->act(lanes, mask);
  Sanitizers::release(&current->led);
  for (unsigned l = 0; l < 32; ++l) {
    if ((mask >> l & 1U) == 0) continue;
    block.threads[32 * warp + l]->leader = current;
    make_ready(32 * warp + l);
  }
  return true;
}

/// Takes a thread off the ready ones.
unsigned next_thread() {
  const unsigned rank = block.ready.next(block.order == Order::fair ? draw(block.count) : 0);
  block.ready.remove(rank);
  return block.by_rank[rank];
}

/// Draws the order of the block's threads; in that of the grid where nothing is drawn.
void draw_ranks() {
  block.order = static_cast<Order>(draw(3));
  const unsigned together = block.order == Order::warps ? 32 : 1;
  std::vector<unsigned> groups((block.count + together - 1) / together);
  std::iota(groups.begin(), groups.end(), 0U);
  if (seed() != 0) std::shuffle(groups.begin(), groups.end(), generator());
  block.by_rank.clear();
  for (const unsigned group : groups)
    for (unsigned i = group * together; i < std::min((group + 1) * together, block.count); ++i) {
      block.threads[i]->rank = static_cast<unsigned>(block.by_rank.size());
      block.by_rank.push_back(i);
    }
}

void report_stuck() {
  std::fprintf(stderr, "emulator: kernel launched at %s:%u, block (%u,%u,%u): threads wait for ever\n", block.launched,
               block.line, block.threads[0]->position.block.x, block.threads[0]->position.block.y,
               block.threads[0]->position.block.z);
  for (unsigned i = 0; i < block.count; ++i) {
    const Thread& thread = *block.threads[i];
    if (thread.state == State::done) std::fprintf(stderr, "  thread %u has ended\n", i);
    if (thread.state == State::barrier)
      std::fprintf(stderr, "  thread %u at __syncthreads, line %u\n", i, thread.site.line());
    if (thread.state == State::collective) {
      std::fprintf(stderr, "  thread %u at a collective of mask %08x, line %u\n", i, thread.mask, thread.site.line());
    }
    if (i == 39) return;
  }
}

void run_block(uint3 index, dim3 blocks, dim3 threads) {
  block.ready.clear();
  block.at_barrier = block.done = 0;
  block.shared.emplace_back(new Shared[block.shared_bytes / sizeof(Shared) + 1]);
  std::memset(block.shared.back().get(), 0xff, block.shared_bytes);  // NaN in f32 and bf16, -1 in integers
  Sanitizers::hide(shared_begin() + block.shared_bytes,
                   (block.shared_bytes / sizeof(Shared) + 1) * sizeof(Shared) - block.shared_bytes);
  Sanitizers::release(&block.started);
  draw_ranks();
  for (unsigned i = 0; i < block.count; ++i) {
    Thread& thread = *block.threads[i];
    thread.position = {
        {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y}, index, threads, blocks, i % 32};
    make_ready(i);
  }
  while (block.done < block.count) {
    if (block.ready.empty()) {
      report_stuck();
      std::abort();
    }
    const unsigned chosen = next_thread();
    Thread& thread = *block.threads[chosen];
    resume(thread);
    if (thread.state == State::done) ++block.done;
    if (block.at_barrier != 0 && block.at_barrier + block.done == block.count) release_barrier();
  }
}

}  // namespace

long seed() {
  static const long value = [] {
    const char* text = std::getenv("TENFOLD_EMULATOR_SEED");
    return text == nullptr ? 1L : std::strtol(text, nullptr, 10);
  }();
  return value;
}

unsigned draw(unsigned below) {
  return seed() == 0 ? 0 : static_cast<unsigned>(generator()() % below);
}

void fail(const char* rule, Site site) {
  const Position& at = *here;
  std::fprintf(stderr, "%s:%u: %s\n  thread (%u,%u,%u) of block (%u,%u,%u), kernel launched at %s:%u\n",
               site.file_name(), site.line(), rule, at.thread.x, at.thread.y, at.thread.z, at.block.x, at.block.y,
               at.block.z, block.launched, block.line);
  std::abort();
}

void barrier(Site site) {
  const bool first = block.at_barrier++ == 0;
  if (!first && block.barrier_line != static_cast<unsigned>(site.line()))
    fail("__syncthreads: threads of one block wait at different ones", site);
  block.barrier_line = static_cast<unsigned>(site.line());
  current->site = site;
  current->state = State::barrier;
  char* order = &block.barrier_order[block.phase];
  Sanitizers::release(order);
  to_scheduler();
  Sanitizers::acquire(order);
}

void collective(std::uint32_t mask, void* operands, Act act, Site site) {
  Thread& thread = *current;
  expect((mask >> thread.position.lane & 1U) != 0, "collective: the caller is not in the mask", site);
  thread.mask = mask;
  thread.operands = operands;
  thread.act = act;
  thread.site = site;
  const unsigned index = thread.position.thread.x +
                         thread.position.block_extent.x *
                             (thread.position.thread.y + thread.position.block_extent.y * thread.position.thread.z);
  const unsigned warp = index / 32;
  Sanitizers::release(&thread.arrived);
  if (!complete(warp, mask)) thread.state = State::collective;
  to_scheduler();
  Sanitizers::acquire(&thread.leader->led);
}

void* shared_memory(std::size_t bytes, Site site) {
  expect(bytes <= block.shared_bytes, "shared<T>: larger than what the launch asked for", site);
  return shared_begin();
}

bool is_shared(const void* address, std::size_t bytes) {
  const char* begin = static_cast<const char*>(address);
  return begin >= shared_begin() && begin + bytes <= shared_begin() + block.shared_bytes;
}

void copy_later(void* destination, const void* source) {
  const Copy copy{destination, source};
  if (draw(2) == 1) return copy.deliver();  // at once, or as late as may be: others may do neither
  if (current->copies.empty()) current->copies.emplace_back();
  current->copies.back().push_back(copy);
}

void copy_commit() {
  if (current->copies.empty()) current->copies.emplace_back();
  current->copies.emplace_back();
}

void copy_wait(int pending) {
  deliver(*current, static_cast<std::size_t>(pending) + 1);  // the open group has not been committed
}

void run(dim3 blocks, dim3 threads, std::size_t shared, const std::function<void()>& kernel, Site site) {
  block.count = threads.x * threads.y * threads.z;
  if (block.count == 0 || block.count > 1024 || shared > 227U * 1024U || blocks.y > 65535 || blocks.z > 65535) {
    std::fprintf(stderr, "%s:%u: a launch of %u threads, %zu bytes shared is refused\n", site.file_name(), site.line(),
                 block.count, shared);
    std::abort();
  }
  prepare(block.count);
  Sanitizers::enter(block.main);
  block.shared_bytes = shared;
  block.kernel = &kernel;
  block.launched = site.file_name();
  block.line = static_cast<unsigned>(site.line());
  std::vector<unsigned> order(std::size_t{blocks.x} * blocks.y * blocks.z);
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  if (seed() != 0) std::shuffle(order.begin(), order.end(), generator());
  for (const unsigned i : order)
    run_block({i % blocks.x, i / blocks.x % blocks.y, i / blocks.x / blocks.y}, blocks, threads);
  Sanitizers::acquire(&block.ended);
  block.shared.clear();
}

}  // namespace tenfold::emulator
