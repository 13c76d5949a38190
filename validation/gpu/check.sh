#!/usr/bin/env bash
# All that only a card can show, in at most eight minutes, on a machine with a GPU, its driver, CUDA's libraries and Python with
# PyTorch, and nothing of ours: no MPI, HDF5, oneDNN, Boost.
#   validation/gpu/check.sh ARCHIVE.tar.xz [RESULTS.md]      ARCHIVE: of validation/gpu/pack.sh
# Each step has a time-out of its own, and what it showed is appended at once. Ends with 1 if a step failed.
# shellcheck disable=SC2317,SC2154  # functions that step calls; what env.sh sets
set -uo pipefail

archive=${1:?usage: $0 ARCHIVE.tar.xz [RESULTS.md]}
if ! nvidia-smi -L >/dev/null 2>&1; then
  echo "check: there is no GPU here" >&2
  exit 77
fi
device=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1)
results=${2:-validation/results/gpu-$(tr ' /' '--' <<<"$device" | tr '[:upper:]' '[:lower:]').md}
mkdir -p "$(dirname "$results")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar xJf "$archive" -C "$folder"
# shellcheck source=/dev/null
source "$folder/env.sh"
limit=60  # seconds for a program of the step at hand
run() { LD_LIBRARY_PATH=$libraries timeout "$limit" "$@"; }  # not for all: PyTorch has its own libraries
share=$folder/share
failed=0

say() { printf '%s\n' "$*" | tee -a "$results"; }

# step SECONDS WORDS... -- COMMAND...: what the command prints goes to the results, between the words and how it ended. No
# program of it runs longer than SECONDS.
step() {
  local words="" code start=$SECONDS
  limit=$1
  shift
  while [ "$1" != -- ]; do words+="$1 "; shift; done
  shift
  say "" "## $words" "" '```'
  "$@" >"$folder/said" 2>&1
  code=$?
  tail -n 40 "$folder/said" | tee -a "$results"
  say '```' "" "exit status $code after $((SECONDS - start)) s"
  [ "$code" -eq 0 ] || failed=1
}

tenfold() { run tenfold "$@"; }
train() { run mpirun -n "$1" tenfold pretrain "${settings[@]}" --run.folder="$folder/$2" "${@:3}"; }
same_curve() { diff <(curve "$1") <(curve "$2") && echo "the same losses and norms"; }
curve() { grep -E '^step|^validation' "$folder/$1/log.txt" | sed 's/ *[0-9.]* tokens.*//'; }

# A text of invented words, of which every fifth is rare.
make_text() {
  python3 - >"$folder/text.txt" <<'PYTHON'
import random
draw = random.Random(1)
syllables = [c + v for c in "bdfghklmnprst" for v in "aeiou"]
words = ["".join(draw.choice(syllables) for _ in range(1 + (n > 40) + (n > 400))) for n in range(3000)]
weights = [1 / (n + 1) for n in range(len(words))]
for _ in range(3000):
    print(". ".join(" ".join(draw.choices(words, weights, k=12)) for _ in range(4)) + ".")
    if draw.random() < 0.1:
        print()
PYTHON
  tenfold prepare --corpus.text="$folder/text.txt" --corpus.file="$folder/corpus.h5" --tokenizer.vocabulary_size=2000 \
    --corpus.rare_min_count=20 --corpus.rare_max_count=200
}

against_host() {
  train 1 host --run.device=host && train 1 cuda --run.device=cuda || return 1
  paste -d '\n' <(curve host) <(curve cuda)
}
twice() { train 1 again --run.device=cuda && same_curve cuda again; }
resumed() {
  train 1 half --run.device=cuda --checkpoint.every=5 && rm "$folder"/half/checkpoints/step-00000010.h5 &&
    train 1 half --run.device=cuda --checkpoint.every=5 --run.resume=always && same_curve cuda half
}
by_mpi() { train 2 two --run.device=cuda --parallel.communicator=mpi && paste -d '\n' <(curve cuda) <(curve two); }
by_nccl() { train 1 nccl --run.device=cuda --parallel.communicator=nccl && same_curve cuda nccl; }

bench() { tenfold bench "$@" --run.device=cuda --precision.compute=bf16 --bench.steps=10 --parallel.threads=4; }
peer() { timeout "$limit" python3 "$share/peers/peer_pytorch.py" --device=cuda --precision=bf16 --bf16-style=autocast --seconds=6 "$@"; }
base=(--layers=12 --width=768 --heads=12 --feed-forward=3072 --vocabulary=32768)
sanitizer() {
  run compute-sanitizer --tool "$1" --error-exitcode 9 unit_kernels \
    --gtest_filter='*Attention*/cuda_bf16:*LayerNorm*/cuda_bf16:*Embedding*/cuda_bf16'
}

settings=("$share/inputs/sizes/tiny.ini" "$share/inputs/methods/tenfold.ini" --data.corpus="$folder/corpus.h5" --run.steps=10 --log.every=1
  --data.global_batch=32 --data.micro_batch=16 --precision.compute=f32 --validation.sequences=64 --checkpoint.every=1000 --parallel.threads=4)

say "# tenfold on $device" "" "commit $(cat "$folder/commit"); $(nvidia-smi --query-gpu=driver_version,memory.total --format=csv,noheader | head -n 1)"
step 90 every op against double precision and against the host -- run unit_kernels --gtest_filter='*/cuda_*' --gtest_brief=1
step 60 layers and encoder -- run env TENFOLD_TEST_DEVICE=cuda unit_model --gtest_brief=1
step 60 a corpus -- make_text
step 60 "ten steps with everything on: host, then GPU" -- against_host
step 30 the same bits twice -- twice
step 60 resumed -- resumed
step 45 two ranks on one GPU by MPI -- by_mpi
step 45 one rank by NCCL -- by_nccl
step 60 BERT-base, T 128 -- bench "$share/inputs/sizes/base.ini" "$share/inputs/methods/bert.ini" --data.sequence_length=128 --data.global_batch=512
step 60 BERT-base, T 512 -- bench "$share/inputs/sizes/base.ini" "$share/inputs/methods/bert.ini" --data.sequence_length=512 --data.global_batch=128
step 45 BERT-small, T 128 -- bench "$share/inputs/sizes/small.ini" "$share/inputs/methods/bert.ini" --data.sequence_length=128 --data.global_batch=512
for mode in eager compile; do
  step 90 PyTorch "$mode", base, T 128 -- peer "${base[@]}" --length=128 --global-batch=512 --micro-batch=256 --mode="$mode"
done
for method in tupe-r electra multiple-choice tenfold; do
  step 45 "$method", base, T 128 -- bench "$share/inputs/sizes/base.ini" "$share/inputs/methods/$method.ini" --data.sequence_length=128 --data.global_batch=512
done
for tool in memcheck racecheck synccheck; do
  step 90 compute-sanitizer "$tool" -- sanitizer "$tool"
done
exit "$failed"
