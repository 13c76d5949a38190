"""What each method costs a step over plain masked-LM with the same main model, beside what its FLOPs promise.

Sample run:  /usr/bin/python3 validation/scaling/methods.py --precision.compute=bf16

Plain masked-LM (inputs/methods/bert.ini) and the method alternate on the same cores. The time ratio is that of a step: the median
over pairs of runs, and that of the fastest runs of each; the FLOPs ratio is what `tenfold plan` counts; the utilisation ratio is
FLOPs over median time. Notes run on two ranks as well, where they travel. Other arguments go to `tenfold bench`.
"""

import argparse
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure

BASELINE = "bert"
# Files under inputs/methods, joined by +, and number of ranks.
ROWS = [("bert-relative", 1), ("tupe-a", 1), ("tupe-r", 1), ("bert+notes", 1), ("bert+notes", 2), ("electra", 1),
        ("multiple-choice", 1), ("tenfold", 1), ("tenfold", 2)]


def step(o, overrides, method, cores):
    """Seconds and matrix-product FLOPs of a step."""
    files = [o.size, *(f"inputs/methods/{name}.ini" for name in method.split("+"))]
    result = measure.run_json(measure.on_cores(cores, [o.tenfold, "bench", *files, "--json", *overrides]))
    seconds = result["seconds"] / result["steps"]
    return seconds, result["model_flops_per_second"] * seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenfold", default="build/release/tenfold", help="program; relative to the root of the tree")
    parser.add_argument("--size", default="inputs/sizes/small.ini")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=sorted({method for method, _ in ROWS}), help="only these")
    o, overrides = parser.parse_known_args()
    cores = measure.available_cores()
    rows = [(method, ranks) for method, ranks in ROWS if not o.methods or method in o.methods]
    if max(ranks for _, ranks in rows) > len(cores):
        parser.error("two cores are needed")

    print(f"{' '.join([o.size, *overrides])}; {measure.provenance(o.tenfold)}.\n")
    print(f"| method | ranks | time of a step over {BASELINE}'s (median) | of the fastest | FLOPs ratio | utilisation ratio "
          "| time ratios |")
    print("|---" * 7 + "|")
    for method, ranks in rows:
        pairs, work = [], 0.0
        for _ in range(o.repeats):
            (seconds, flops), (plain_seconds, plain_flops) = (
                step(o, overrides, name, cores[:ranks]) for name in (method, BASELINE))
            pairs.append((seconds, plain_seconds))
            work = flops / plain_flops
        times = [seconds / plain_seconds for seconds, plain_seconds in pairs]
        ratio = statistics.median(times)
        fastest, plain_fastest = map(min, zip(*pairs))
        print(f"| {method} | {ranks} | **{ratio:.3f}** | {fastest / plain_fastest:.3f} | {work:.3f} | {work / ratio:.3f} "
              f"| {', '.join(f'{time:.3f}' for time in times)} |", flush=True)


if __name__ == "__main__":
    main()
