"""Tokens per second of `tenfold bench` over those of PyTorch: the same model, global batch and precision in one run.

Sample runs:  /usr/bin/python3 validation/peers/compare.py --repeats 5
              python3 -m venv peer && peer/bin/pip install torch numpy
              /usr/bin/python3 validation/peers/compare.py --python peer/bin/python --python /usr/bin/python3
A lesser processor: ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 DNNL_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
              OPENBLAS_CORETYPE=Haswell before the command; and build/portable/tenfold for --tenfold.

--python, as often as wanted: interpreters whose PyTorch is compared, eager and, where it has it, by torch.compile. On one
core each side runs one thread; on two cores tenfold runs two ranks and PyTorch two threads. Each side first tries
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


def peer_command(o, peer, precision, cores, micro_batch, style, seconds):
    python, mode = peer
    settings = dict(MODEL, length=LENGTH, vocabulary=VOCABULARY, position=o.position, dropout=o.dropout)
    settings |= dict(global_batch=o.global_batch, micro_batch=micro_batch, threads=len(cores), precision=precision)
    settings |= dict(bf16_style=style, seconds=seconds, mode=mode)
    words = [word for key, value in settings.items() for word in ("--" + key.replace("_", "-"), str(value))]
    return ["taskset", "-c", ",".join(map(str, cores)), python, str(PEER), *words]


def speed(command):
    return measure.run_json(command)["tokens_per_second"]


def fastest(candidates):
    """The label and command with the most tokens a second."""
    speeds = {label: speed(command) for label, command in candidates.items()}
    for label, value in speeds.items():
        print(f"  tried {label}: {value:.0f} tokens/s", file=sys.stderr)
    return max(speeds, key=speeds.get)


def compare(o, peers, precision, cores):
    """A row of the table for each peer."""
    print(f"{precision} on cores {cores}", file=sys.stderr)
    ours = {
        f"micro-batch {n}": tenfold_command(o, precision, cores, n)
        for n in o.micro_batch
        if o.global_batch % (len(cores) * n) == 0
    }
    our_choice = fastest(ours)
    return [compare_with(o, peer, precision, cores, our_choice, ours[our_choice]) for peer in peers]


def compare_with(o, peer, precision, cores, our_choice, ours):
    """One row of the table."""
    styles = ("autocast", "modules") if precision == "bf16" else ("modules",)
    theirs = {
        f"micro-batch {n}" + (f", {style}" if precision == "bf16" else ""): (n, style)
        for n in o.micro_batch
        for style in styles
        if o.global_batch % n == 0
    }
    print(f" against {' '.join(peer)}", file=sys.stderr)
    choice = fastest({label: peer_command(o, peer, precision, cores, *pick, 3) for label, pick in theirs.items()})
    command = peer_command(o, peer, precision, cores, *theirs[choice], o.seconds)
    pairs = [(speed(ours), speed(command)) for _ in range(o.repeats)]
    ratios = [a / b for a, b in pairs]
    medians = [statistics.median(side) for side in zip(*pairs)]
    return (f"| {precision} | {len(cores)} | {medians[0]:.0f} ({our_choice}) | {version_of(peer)} {peer[1]} "
            f"| {medians[1]:.0f} ({choice}) | **{statistics.median(ratios):.2f}** "
            f"| {', '.join(f'{ratio:.2f}' for ratio in ratios)} |")


def ask(python, *words):
    return subprocess.run([python, *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def version_of(peer):
    return ask(peer[0], "-c", "import torch; print(torch.__version__)")


def peers_of(pythons):
    """(interpreter, mode) of all peers."""
    has_compile = "import torch; print(hasattr(torch, 'compile'))"
    return [(python, mode) for python in pythons for mode in ("eager", "compile")
            if mode == "eager" or ask(python, "-c", has_compile) == "True"]


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
    parser.add_argument("--python", action="append", help="interpreter whose PyTorch is compared (default: the one that runs this)")
    o = parser.parse_args()

    available = measure.available_cores()
    if max(o.cores) > len(available):
        parser.error(f"{max(o.cores)} cores are asked for and {len(available)} available")
    pythons = o.python or [sys.executable]
    versions = "; ".join(ask(python, str(PEER), "--versions") for python in pythons)
    title = f"`tenfold bench` beside {versions}; {measure.provenance(o.tenfold)}."
    peers = peers_of(pythons)
    rows = [row for n in o.cores for precision in o.precision for row in compare(o, peers, precision, available[:n])]
    print(title)
    print(f"{MODEL}, length {LENGTH}, vocabulary {VOCABULARY}, position {o.position}, dropout {o.dropout}, "
          f"global batch {o.global_batch}, full sequences.\n")
    print("| precision | cores | tenfold, tokens/s | PyTorch | its tokens/s | ratio (median) | paired ratios |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
