# A workstation or container with Debian or Ubuntu: everything comes from the system's packages (jobscripts/setup.sh).
# To be sourced. A profile for another machine loads its modules and defines the same function `launch`.
#   source jobscripts/machines/debian-workstation/profile.sh
#   launch 2 build/release/tenfold pretrain CONFIG.ini ...
# shellcheck shell=bash

# Open MPI does not start as root unless told to twice.
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

# launch RANKS PROGRAM ARGUMENTS...: runs a program on so many ranks of this machine, more than it has cores if need be.
launch() {
  local ranks=$1
  shift
  mpirun --oversubscribe -n "$ranks" "$@"
}
