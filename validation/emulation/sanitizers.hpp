#pragma once
// What ASAN and TSAN are told about fibers and order. Without them all of it is empty. The emulator itself is compiled
// without -fsanitize=thread (its fibers share state on purpose), hence the macro TENFOLD_EMULATOR_TSAN.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(TENFOLD_EMULATOR_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace tenfold::emulator {

struct Sanitizers {
  struct Fiber {
    const void* bottom = nullptr;
    std::size_t size = 0;
    void* fake_stack = nullptr;
    void* tsan = nullptr;
  };

#if defined(__SANITIZE_ADDRESS__)
  static void create(Fiber& fiber, void* bottom, std::size_t size) {
    fiber.bottom = bottom;
    fiber.size = size;
  }
  static void enter(Fiber&) {}
  static void leave(Fiber& from, Fiber& to) {
    left = &from;
    __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
  }
  static void arrive(Fiber& fiber) {
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(fiber.fake_stack, &bottom, &size);
    if (left->bottom == nullptr) {  // the host thread, whose stack is learnt when it is first left
      left->bottom = bottom;
      left->size = size;
    }
  }
  inline static Fiber* left = nullptr;
#elif defined(TENFOLD_EMULATOR_TSAN)
  static void create(Fiber& fiber, void*, std::size_t) {
    fiber.tsan = __tsan_create_fiber(0);
  }
  static void enter(Fiber& main) {
    main.tsan = __tsan_get_current_fiber();
  }
  static void leave(Fiber&, Fiber& to) {
    __tsan_switch_to_fiber(to.tsan, 1);
  }
  static void arrive(Fiber&) {}
#else
  static void create(Fiber&, void*, std::size_t) {}
  static void enter(Fiber&) {}
  static void leave(Fiber&, Fiber&) {}
  static void arrive(Fiber&) {}
#endif

  /// Everything before release(point) comes before everything after a later acquire(point).
  static void release([[maybe_unused]] void* point) {
#if defined(TENFOLD_EMULATOR_TSAN)
    __tsan_release(point);
#endif
  }
  static void acquire([[maybe_unused]] const void* point) {
#if defined(TENFOLD_EMULATOR_TSAN)
    __tsan_acquire(const_cast<void*>(point));
#endif
  }

  /// Memory that nobody may touch, and again may.
  static void hide([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(memory, bytes);
#endif
  }
  static void show([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(memory, bytes);
#endif
  }
};

}  // namespace tenfold::emulator
