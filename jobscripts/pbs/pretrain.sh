#!/usr/bin/env bash
# Pre-trains under OpenPBS or PBS Pro, over as many jobs as it takes: two minutes before its time limit the job saves a
# checkpoint and submits itself again. Submit from the root of the repository; options of qsub win over those below. The
# arguments of `tenfold pretrain` come in the variable ARGUMENTS, since a PBS script takes none:
#   qsub -l select=2:ncpus=48:mpiprocs=48 -l walltime=08:00:00 \
#     -v "ARGUMENTS=CONFIG.ini --run.folder=FOLDER --section.key=value" jobscripts/pbs/pretrain.sh
# TENFOLD names the program, if it is not build/release/tenfold.
#PBS -N tenfold
#PBS -l select=1:ncpus=2:mpiprocs=2
#PBS -l walltime=04:00:00
#PBS -j oe
#PBS -r y
set -euo pipefail

cd "$PBS_O_WORKDIR"
tenfold=${TENFOLD:-build/release/tenfold}
[ -x "$tenfold" ] || { echo "$0: no program $tenfold in $PWD; build it (cmake --build --preset release) or set TENFOLD" >&2; exit 2; }
read -r -a arguments <<<"${ARGUMENTS:?give the arguments of tenfold pretrain: qsub -v ARGUMENTS=...}"

# resource NAME: what this job asked for; qstat breaks long lines
resource() {
  qstat -f "$PBS_JOBID" | sed -e ':join' -e N -e '$!b join' -e 's/\n\t//g' | sed -n "s/^ *Resource_List.$1 = //p"
}
select=$(resource select)
walltime=$(resource walltime)

# PBS sends no signal of our choice before the limit: timeout does, and mpirun hands SIGUSR1 on to its ranks.
IFS=: read -r hours minutes seconds <<<"$walltime"
limit=$((10#$hours * 3600 + 10#$minutes * 60 + 10#$seconds - 120))
[ "$limit" -gt 0 ] || { echo "$0: walltime=$walltime, of which the checkpoint takes the last 00:02:00, leaves nothing to train in; ask for more" >&2; exit 2; }
status=0
timeout --foreground --preserve-status --signal=USR1 "$limit" \
  mpirun -n "$(wc -l <"$PBS_NODEFILE")" --hostfile "$PBS_NODEFILE" \
  "$tenfold" pretrain "${arguments[@]}" --run.resume=auto || status=$?
case $status in
  75) words="stopped with a checkpoint" ;;
  138 | 143) words="ended by a signal while the program was being loaded" ;;  # by SIGUSR1, by SIGTERM
  *) exit "$status" ;;
esac
export ARGUMENTS TENFOLD="$tenfold"
next=$(qsub -l "select=$select" -l "walltime=$walltime" -v ARGUMENTS,TENFOLD jobscripts/pbs/pretrain.sh)
echo "$words; job $next goes on"
exit "$status"
