#!/usr/bin/env bash
# From a bare Debian or Ubuntu machine to a trained, plotted, resumable model on two ranks, in about ten minutes on 2 cores.
#   [STEPS=150] jobscripts/quickstart.sh [RUN_FOLDER]      default: runs/quickstart
# Installs what is missing, builds, fetches and prepares a corpus of novels and a dictionary, and trains a small encoder with
# everything on: TUPE, MC-BERT's multiple choice, notes on rare words.
# What is already done is not done again, so it may be interrupted and started anew.
set -euo pipefail

[ $# -le 1 ] || { echo "usage: $0 [RUN_FOLDER]" >&2; exit 2; }
run=runs/quickstart
[ $# -eq 0 ] || run=$(realpath -m "$1")
cd "$(dirname "$0")/.."
source jobscripts/machines/debian-workstation/profile.sh

ranks=2
steps=${STEPS:-150}
tenfold=build/release/tenfold
corpus=corpora/demo/demo.h5
stage="start"
trap 'echo "quickstart: failed at: $stage" >&2' ERR
begin() {
  stage=$1
  echo
  echo "== $stage (${SECONDS} s)"
}

begin "set-up"
jobscripts/setup.sh

begin "build"
cmake --preset release >/dev/null
cmake --build --preset release --target tenfold

begin "corpus"
inputs/corpora/demo.sh corpora/demo
if [ ! -e "$corpus" ]; then
  launch "$ranks" "$tenfold" prepare --corpus.text=corpora/demo/demo.txt --corpus.file="$corpus" \
    --tokenizer.vocabulary_size=8192 --tokenizer.lowercase=true
fi
"$tenfold" inspect "$corpus"

begin "training on $ranks ranks"
train=(pretrain inputs/sizes/tiny.ini inputs/methods/tenfold.ini --run.folder="$run" --data.corpus="$corpus"
  --run.steps="$steps" --optimizer.warmup_steps=20 --validation.every=50 --checkpoint.every=100 --run.resume=auto)
launch "$ranks" "$tenfold" "${train[@]}"

begin "plot and checkpoint"
/usr/bin/python3 validation/plot_trace.py "$run/trace.h5" "$run/trace.png"
checkpoint=$(find "$run/checkpoints" -name 'step-*.h5' | sort | tail -n 1)
"$tenfold" inspect "$checkpoint" | sed '/^weights:/,$d'

cat <<SUMMARY

== done in $SECONDS s
Plot        $run/trace.png
Trace       $run/trace.h5
Checkpoint  $checkpoint
Corpus      $corpus
To stop     send SIGUSR1 to mpirun: the run saves a checkpoint and exits with 75
To resume   the same command, on any number of ranks; with more steps, for instance, in $PWD:
  source jobscripts/machines/debian-workstation/profile.sh
  launch $ranks $tenfold ${train[*]/--run.steps=$steps/--run.steps=2000}
All keys    $tenfold pretrain --help
On Slurm    sbatch jobscripts/slurm/pretrain.sh CONFIG.ini ... --run.folder=FOLDER --data.corpus=FILE
SUMMARY
