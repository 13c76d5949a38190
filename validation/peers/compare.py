"""Tokens per second of `tenfold bench` over those of PyTorch eager: the same model, global batch and precision in one run.

Sample run:  /usr/bin/python3 validation/peers/compare.py --repeats 5

On one core each side runs one thread; on two cores tenfold runs two ranks and PyTorch two threads. Each side first tries
the micro-batches (PyTorch in bf16 also autocast against bf16 modules) and keeps its fastest. Then the two alternate on the
same cores. Prints a Markdown table with the median ratio and all the paired ratios.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure

MODEL = dict(layers=12, width=256, heads=4, feed_forward=1024)
LENGTH, VOCABULARY = 128, 16384
PEER = measure.ROOT / "validation/peers/peer_pytorch.py"


def tenfold_command(o, precision, cores, micro_batch):
    settings = {f"model.{name}": value for name, value in {**MODEL, "position": o.position}.items()}
    settings |= {"model.dropout": o.dropout, "model.attention_dropout": o.dropout, "precision.compute": precision}
    settings |= {"data.sequence_length": LENGTH, "tokenizer.vocabulary_size": VOCABULARY}
    settings |= {"data.global_batch": o.global_batch, "data.micro_batch": micro_batch}
    return measure.on_cores(cores, measure.bench(o.tenfold, settings))


def peer_command(o, precision, cores, micro_batch, style, seconds):
    settings = dict(MODEL, length=LENGTH, vocabulary=VOCABULARY, position=o.position, dropout=o.dropout)
    settings |= dict(global_batch=o.global_batch, micro_batch=micro_batch, threads=len(cores), precision=precision)
    settings |= dict(bf16_style=style, seconds=seconds)
    words = [word for key, value in settings.items() for word in ("--" + key.replace("_", "-"), str(value))]
    return ["taskset", "-c", ",".join(map(str, cores)), sys.executable, str(PEER), *words]


def speed(command):
    return measure.run_json(command)["tokens_per_second"]


def fastest(candidates):
    """The label and command with the most tokens a second."""
    speeds = {label: speed(command) for label, command in candidates.items()}
    for label, value in speeds.items():
        print(f"  tried {label}: {value:.0f} tokens/s", file=sys.stderr)
    return max(speeds, key=speeds.get)


def compare(o, precision, cores):
    """One row of the table."""
    print(f"{precision} on cores {cores}", file=sys.stderr)
    ours = {
        f"micro-batch {n}": tenfold_command(o, precision, cores, n)
        for n in o.micro_batch
        if o.global_batch % (len(cores) * n) == 0
    }
    styles = ("autocast", "modules") if precision == "bf16" else ("modules",)
    theirs = {
        f"micro-batch {n}" + (f", {style}" if precision == "bf16" else ""): (n, style)
        for n in o.micro_batch
        for style in styles
        if o.global_batch % n == 0
    }
    our_choice = fastest(ours)
    their_choice = fastest({label: peer_command(o, precision, cores, *pick, 3) for label, pick in theirs.items()})
    peer = peer_command(o, precision, cores, *theirs[their_choice], o.seconds)
    pairs = [(speed(ours[our_choice]), speed(peer)) for _ in range(o.repeats)]
    ratios = [a / b for a, b in pairs]
    medians = [statistics.median(side) for side in zip(*pairs)]
    return (f"| {precision} | {len(cores)} | {medians[0]:.0f} ({our_choice}) | {medians[1]:.0f} ({their_choice}) "
            f"| **{statistics.median(ratios):.2f}** | {', '.join(f'{ratio:.2f}' for ratio in ratios)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenfold", default="build/release/tenfold", help="program; relative to the root of the tree")
    parser.add_argument("--position", choices=("absolute", "tupe-r"), default="absolute")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--global-batch", type=int, default=32)
    parser.add_argument("--micro-batch", type=int, nargs="+", default=[4, 8, 16, 32], help="micro-batches to try")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="length of one PyTorch measurement")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2], help="numbers of cores to compare on")
    parser.add_argument("--precision", nargs="+", choices=("f32", "bf16"), default=["f32", "bf16"])
    o = parser.parse_args()

    available = measure.available_cores()
    if max(o.cores) > len(available):
        parser.error(f"{max(o.cores)} cores are asked for and {len(available)} available")
    versions = subprocess.run([sys.executable, str(PEER), "--versions"], check=True, stdout=subprocess.PIPE, text=True).stdout
    title = f"`tenfold bench` beside {versions.strip()}; {measure.provenance(o.tenfold)}."
    rows = [compare(o, precision, available[:n]) for n in o.cores for precision in o.precision]
    print(title)
    print(f"{MODEL}, length {LENGTH}, vocabulary {VOCABULARY}, position {o.position}, dropout {o.dropout}, "
          f"global batch {o.global_batch}, full sequences.\n")
    print("| precision | cores | tenfold, tokens/s | PyTorch, tokens/s | ratio (median) | paired ratios |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
