#include <benchmark/benchmark.h>

#include "kernels/runtime.hpp"

int main(int argc, char** argv) {
  const tenfold::kernels::Runtime runtime(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("libraries", tenfold::kernels::library_versions());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
