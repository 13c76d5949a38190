#!/usr/bin/env bash
# The test suite, from a bare Debian or Ubuntu machine to a verdict: set-up, format, build, quickstart, linters, sanitizers, tests.
#   validation/run.sh
# Ends with the first failure; logs are kept under build/. May be interrupted or killed: no
# process stays behind. Long studies are left out: ctest --preset release -L nightly
set -euo pipefail

cd "$(dirname "$0")/.."
if [ "${1-}" != supervised ]; then
  [ $# -eq 0 ] || { echo "usage: $0" >&2; exit 2; }
  echo "== set-up"
  jobscripts/setup.sh --tests
  exec validation/supervise.py validation/run.sh supervised "$SECONDS"
fi
SECONDS=$2

source jobscripts/machines/debian-workstation/profile.sh
cores=$(nproc)
stage="start"
trap 'echo "validation: failed at: $stage" >&2' ERR
begin() {
  stage=$1
  echo "== $stage (${SECONDS} s)"
}

# logged NAME COMMAND...: the output goes to build/NAME.log and is shown only if the command fails.
logged() {
  local log=build/$1.log
  shift
  "$@" >"$log" 2>&1 || { tail -n 60 "$log"; return 1; }
}

# build PRESET [TARGET...]: configures and builds, everything or these targets; a warning is an error.
build() {
  local preset=$1
  shift
  logged "$preset-configure" cmake --preset "$preset" -DTENFOLD_WERROR=ON
  logged "$preset-build" cmake --build --preset "$preset" --parallel "$cores" ${1+--target "$@"}
}

mkdir -p build
mapfile -t sources < <(find kernels io src validation -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh' | sort)
mapfile -t scripts < <(find jobscripts inputs validation .ci -name '*.sh' | sort)

begin "format of ${#sources[@]} files"
clang-format --dry-run --Werror "${sources[@]}"

begin "scripts"
shellcheck --external-sources "${scripts[@]}" .ci/run
find inputs validation -name '*.py' -exec /usr/bin/python3 -c '
import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name)' {} +

begin "release build"
build release

begin "quickstart, cut to a fifth"
rm -rf build/quickstart
STEPS=300 logged quickstart jobscripts/quickstart.sh build/quickstart
grep 'plateau .*: left at step' build/quickstart.log

begin "clang-tidy"
logged clang-tidy validation/tidy.py build/release

# With a CUDA toolkit kernels for GPUs come along: on the CPU under sanitizers, and by nvcc.
[ -x /usr/local/cuda/bin/nvcc ] && PATH+=:/usr/local/cuda/bin
if command -v nvcc >/dev/null; then
  sanitizers=emulated portable=cuda
else
  sanitizers=asan portable=portable
  echo "== no CUDA toolkit (nvcc): kernels for GPUs are neither built nor tested"
fi

begin "sanitizer build ($sanitizers)"
mapfile -t unit_tests < <(find validation/unit -mindepth 2 -name CMakeLists.txt -printf '%h\n' | sed 's|.*/|unit_|' | sort)
targets=("${unit_tests[@]}")
[ "$sanitizers" = asan ] || targets+=(tenfold)
build "$sanitizers" "${targets[@]}"

begin "tests under sanitizers"
logged sanitizers-tests ctest --preset "$sanitizers" --label-regex 'unit|emulated' --parallel "$cores"
tail -n 12 build/sanitizers-tests.log

begin "build for any processor with AVX2 ($portable)"
targets=(unit_kernels unit_model)
[ "$portable" = portable ] || targets+=(tenfold)
build "$portable" "${targets[@]}"

begin "kernels and model on an AVX2 processor"
for test in unit_kernels unit_model; do
  ONEDNN_MAX_CPU_ISA=AVX2 logged "portable-$test" "build/$portable/$test" --gtest_filter='-*/cuda_*'
  tail -n 1 "build/portable-$test.log"
done
if [ "$portable" = cuda ]; then
  begin "kernels and model on a GPU, skipped where there is none"
  logged gpu ctest --preset cuda --label-regex gpu --tests-regex '^unit_(kernels|model)$'
  tail -n 12 build/gpu.log
fi

begin "tests"
ctest --preset release --label-exclude nightly --parallel "$cores"
echo "== passed in $SECONDS s"
