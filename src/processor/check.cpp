// Built for any x86-64 processor. Whatever is used here must be so too: no header of ours or of C++ with code of its
// own.

#include <unistd.h>

#include <cstdio>

#include "processor/features.hpp"

#ifdef __x86_64__
namespace {

/// Ends the process with exit code 2 (bad input) if the processor lacks what the program was built for: an illegal
/// instruction would end it later, without a word. Before the initialisers of the program, which may use anything.
__attribute__((constructor(101))) void refuse_lesser_processor() {
  __builtin_cpu_init();
  const tenfold::processor::Feature features[] = {
      {"sse3", __builtin_cpu_supports("sse3") != 0},
      {"ssse3", __builtin_cpu_supports("ssse3") != 0},
      {"sse4.1", __builtin_cpu_supports("sse4.1") != 0},
      {"sse4.2", __builtin_cpu_supports("sse4.2") != 0},
      {"popcnt", __builtin_cpu_supports("popcnt") != 0},
      {"avx", __builtin_cpu_supports("avx") != 0},
      {"avx2", __builtin_cpu_supports("avx2") != 0},
      {"fma", __builtin_cpu_supports("fma") != 0},
      {"bmi", __builtin_cpu_supports("bmi") != 0},
      {"bmi2", __builtin_cpu_supports("bmi2") != 0},
      {"xop", __builtin_cpu_supports("xop") != 0},
      {"fma4", __builtin_cpu_supports("fma4") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},
      {"avx512cd", __builtin_cpu_supports("avx512cd") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
      {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
      {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
      {"avx512ifma", __builtin_cpu_supports("avx512ifma") != 0},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") != 0},
      {"avx512vbmi2", __builtin_cpu_supports("avx512vbmi2") != 0},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
      {"avx512bitalg", __builtin_cpu_supports("avx512bitalg") != 0},
      {"avx512vpopcntdq", __builtin_cpu_supports("avx512vpopcntdq") != 0},
      {"avx512bf16", __builtin_cpu_supports("avx512bf16") != 0},
      {"gfni", __builtin_cpu_supports("gfni") != 0},
      {"vpclmulqdq", __builtin_cpu_supports("vpclmulqdq") != 0},
  };
  const char* missing =
      tenfold::processor::first_missing(tenfold::processor::built_for, features, sizeof features / sizeof features[0]);
  if (missing == nullptr) return;
  char host[256] = "this node";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  char line[512];
  const int length = std::snprintf(line, sizeof line,
                                   "tenfold: the processor of %s has no %s, for which this program was built: build it "
                                   "there, or for any processor with AVX2 by the preset portable\n",
                                   host, missing);
  const ssize_t written = write(STDERR_FILENO, line, static_cast<size_t>(length));
  _exit(written == length ? 2 : 1);
}

}  // namespace
#endif
