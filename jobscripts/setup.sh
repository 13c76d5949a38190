#!/usr/bin/env bash
# Installs what building and running tenfold needs and this machine lacks.
#   jobscripts/setup.sh [--tests]      --tests: also what validation/run.sh needs
# Debian and Ubuntu: with apt-get, as root or through sudo; asks nothing and does nothing where all is there.
# Elsewhere: names what is missing and exits with 1 if anything is.
set -euo pipefail

tests=no
case "${1-}" in
  "") ;;
  --tests) tests=yes ;;
  *) echo "usage: $0 [--tests]" >&2; exit 2 ;;
esac

packages=(
  g++ cmake ninja-build git pkg-config openmpi-bin libopenmpi-dev libhdf5-openmpi-dev
  libdnnl-dev libtrilinos-kokkos-dev libboost-program-options-dev nlohmann-json3-dev librandom123-dev
  libsentencepiece-dev libicu-dev zlib1g-dev libxxhash-dev libgtest-dev libbenchmark-dev
  python3 python3-matplotlib python3-h5py
)
test_packages=(
  clang-format clang-tidy-16 libomp-16-dev shellcheck python3-torch libopenblas0-pthread libboost-context-dev
  slurmctld slurmd slurm-client munge libpmix2 iproute2 sentencepiece
)

install_debian() {
  [ "$tests" = no ] || packages+=("${test_packages[@]}")
  local missing=() package as_root=()
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "set-up: nothing to install"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "set-up: become root, or install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "set-up: installing ${missing[*]}"
  # The tests start their own daemons; a package must not start one by being installed.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "${missing[@]}" >/dev/null
}

# Headers are looked for where the MPI compiler, and then CMake, would find them.
has_header() {
  local roots
  roots=$(env | sed -n 's/^\(CMAKE_PREFIX_PATH\|[A-Za-z0-9]*_ROOT\)=//p' | tr ':;' '\n' | sed 's|.*|-I&/include|')
  # shellcheck disable=SC2086  # a word a folder
  mpicxx -E -x c++ $roots - <<<"#include <$1>" >/dev/null 2>&1
}

name_missing() {
  local missing=() name
  local programs=(c++ cmake ninja git pkg-config mpicxx mpirun python3)
  local headers=(mpi.h hdf5.h oneapi/dnnl/dnnl.hpp Kokkos_Core.hpp boost/program_options.hpp nlohmann/json.hpp
    Random123/philox.h sentencepiece_processor.h unicode/uchar.h zlib.h xxhash.h
    gtest/gtest.h benchmark/benchmark.h)
  local modules=(matplotlib h5py)
  if [ "$tests" = yes ]; then
    programs+=(clang-format clang-tidy-16 shellcheck spm_encode)
    modules+=(torch)
  fi
  for name in "${programs[@]}"; do command -v "$name" >/dev/null || missing+=("$name"); done
  for name in "${headers[@]}"; do has_header "$name" || missing+=("$name"); done
  for name in "${modules[@]}"; do python3 -c "import $name" 2>/dev/null || missing+=("python3:$name"); done
  if [ ${#missing[@]} -ne 0 ]; then
    echo "set-up: not found here: ${missing[*]}" >&2
    echo "set-up: load or install them; libraries in unusual places are found through CPATH, CMAKE_PREFIX_PATH or NAME_ROOT" >&2
    exit 1
  fi
  echo "set-up: everything is there"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  install_debian
else
  name_missing
fi
