#!/usr/bin/env bash
# From a bare Debian or Ubuntu machine to a trained, plotted, resumable model on two ranks.
#   [STEPS=1500] jobscripts/quickstart.sh [RUN_FOLDER]      default: runs/quickstart
# Installs what is missing, builds, fetches and prepares a small text (the King James Bible), and trains a small encoder on it with
# TUPE's positions until it fills blanks by their context. At the end it says what was seen and how to go on.
# What is already done is not done again, so it may be interrupted and started anew.
set -euo pipefail

[ $# -le 1 ] || { echo "usage: $0 [RUN_FOLDER]" >&2; exit 2; }
run=runs/quickstart
[ $# -eq 0 ] || run=$(realpath -m "$1")
cd "$(dirname "$0")/.."
source jobscripts/machines/debian-workstation/profile.sh

ranks=2
steps=${STEPS:-1500}
tenfold=build/release/tenfold
corpus=corpora/kjv/kjv.h5
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
inputs/corpora/kjv.sh corpora/kjv
if [ ! -e "$corpus" ]; then
  launch "$ranks" "$tenfold" prepare --corpus.text=corpora/kjv/kjv.txt --corpus.file="$corpus" \
    --tokenizer.vocabulary_size=2048 --tokenizer.lowercase=true --corpus.valid_fraction=0.05
fi
"$tenfold" inspect "$corpus"

begin "training on $ranks ranks"
train=(pretrain inputs/sizes/mini.ini inputs/methods/tupe-r.ini --run.folder="$run" --data.corpus="$corpus"
  --run.steps="$steps" --run.resume=auto)
launch "$ranks" "$tenfold" "${train[@]}"

begin "plot and checkpoint"
checkpoint=$(find "$run/checkpoints" -name 'step-*.h5' | sort | tail -n 1)
"$tenfold" inspect "$checkpoint" | sed '/^weights:/,$d'
seen=$(/usr/bin/python3 validation/plot_trace.py "$run/trace.h5" "$run/trace.png" --corpus="$corpus")

cat <<SUMMARY

== done in $SECONDS s
$seen
Trace       $run/trace.h5
Checkpoint  $checkpoint
Corpus      $corpus
To stop     send SIGUSR1 to mpirun: the run saves a checkpoint and exits with 75
To resume   the same command, on any number of ranks; with more steps, for instance, in $PWD:
  source jobscripts/machines/debian-workstation/profile.sh
  launch $ranks $tenfold ${train[*]/--run.steps=$steps/--run.steps=6000}
Everything  TUPE, MC-BERT and notes on rare words together, on a larger text: README.md, step by step
All keys    $tenfold pretrain --help
On Slurm    sbatch jobscripts/slurm/pretrain.sh CONFIG.ini ... --run.folder=FOLDER --data.corpus=FILE
SUMMARY
