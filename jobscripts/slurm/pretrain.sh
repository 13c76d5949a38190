#!/usr/bin/env bash
# Pre-trains under Slurm, over as many jobs as it takes: two minutes before its time limit the job saves a checkpoint, and is
# queued again to go on from there. Submit from the root of the repository; options of sbatch win over those below:
#   sbatch --nodes=2 --ntasks=96 --time=08:00:00 jobscripts/slurm/pretrain.sh CONFIG.ini ... --run.folder=FOLDER [--section.key=value ...]
# TENFOLD names the program, if it is not build/release/tenfold.
#SBATCH --job-name=tenfold
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --output=tenfold-%j.txt
#SBATCH --open-mode=append
# Without "B:" the signal goes to srun's ranks, which save and exit with 75, and not to this script.
#SBATCH --signal=USR1@120
#SBATCH --requeue
set -euo pipefail

tenfold=${TENFOLD:-build/release/tenfold}
[ -x "$tenfold" ] || { echo "$0: no program $tenfold in $PWD; build it (cmake --build --preset release) or set TENFOLD" >&2; exit 2; }

status=0
srun --mpi=pmix --kill-on-bad-exit=1 "$tenfold" pretrain "$@" --run.resume=auto || status=$?
case $status in
  75) words="stopped with a checkpoint" ;;
  138 | 143) words="ended by a signal while the program was being loaded" ;;  # by SIGUSR1, by SIGTERM
  *) exit "$status" ;;
esac
echo "$words; job $SLURM_JOB_ID goes back to the queue"
scontrol requeue "$SLURM_JOB_ID"
exit "$status"
