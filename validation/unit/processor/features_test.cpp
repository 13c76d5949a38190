#include "processor/features.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace tenfold::test {
namespace {

using processor::Feature;

constexpr Feature zen3[] = {{"avx2", true}, {"fma", true}, {"avx512f", false}, {"avx512bf16", false}};

const char* first_missing(const char* const* wanted) {
  return processor::first_missing(wanted, zen3, std::size(zen3));
}

TEST(Features, AProcessorThatHasAllLacksNothing) {
  const char* const portable[] = {"avx2", "fma", nullptr};
  EXPECT_EQ(first_missing(portable), nullptr);
  const char* const anything[] = {nullptr};
  EXPECT_EQ(first_missing(anything), nullptr);
}

TEST(Features, TheFirstThatIsMissingIsNamed) {
  const char* const native[] = {"avx2", "avx512f", "avx512bf16", nullptr};
  EXPECT_STREQ(first_missing(native), "avx512f");
}

TEST(Features, WhatNobodyAskedTheProcessorForIsMissing) {
  const char* const unknown[] = {"amx", nullptr};
  EXPECT_STREQ(first_missing(unknown), "amx");
}

#ifdef __AVX2__
TEST(Features, TheBuildNamesWhatItsCompilerMayUse) {
  std::string names;
  for (const char* const* name = processor::built_for; *name != nullptr; ++name) names += std::string(*name) + " ";
  EXPECT_NE(names.find("avx2 "), std::string::npos) << names;
}
#endif

#ifdef NEEDS_XOP
TEST(Features, AProgramRefusesALesserProcessorInOneLineWithExitCodeTwo) {
  if (__builtin_cpu_supports("xop")) GTEST_SKIP() << "this processor has XOP";
  std::FILE* program = popen(NEEDS_XOP " 2>&1", "r");
  ASSERT_NE(program, nullptr);
  std::string output;
  std::array<char, 256> part{};
  while (std::fgets(part.data(), part.size(), program) != nullptr) output += part.data();
  const int status = pclose(program);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_EQ(output.find('\n'), output.size() - 1) << output;
  EXPECT_NE(output.find(" has no xop, "), std::string::npos) << output;
}
#endif

}  // namespace
}  // namespace tenfold::test
