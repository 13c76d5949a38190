"""Memory a rank: what short runs took (VmHWM less start-up) over what was planned, from their closing lines.

Sample run:  /usr/bin/python3 validation/scaling/memory.py --corpus=corpora/demo/demo.h5 inputs/sizes/tiny.ini

Each precision trains three steps on two ranks. Other arguments, files and keys, go to `tenfold pretrain`. Fails if a run takes
over 15 % more or less than was planned.
"""

import argparse
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure

TOLERANCE = 0.15


def used_and_planned(tenfold, corpus, cores, arguments):
    """MiB a rank, the most of all ranks."""
    with tempfile.TemporaryDirectory() as folder:
        command = measure.on_cores(cores, [tenfold, "pretrain", *arguments, f"--data.corpus={corpus}", f"--run.folder={folder}",
                                           "--run.steps=3"])
        output, _ = (process := measure.start(command)).communicate()
    line = re.search(r"^memory a rank: ([\d.]+) MiB .*planned ([\d.]+) MiB", output, re.MULTILINE)
    if process.returncode != 0 or not line:
        raise SystemExit(f"{' '.join(command)}\nfailed with {process.returncode}\n{output}")
    return float(line[1]), float(line[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenfold", default="build/release/tenfold", help="program; relative to the root of the tree")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--ranks", type=int, default=2)
    o, arguments = parser.parse_known_args()
    cores = measure.available_cores()[:o.ranks]
    good = True
    print("| precision | used, MiB | planned, MiB | ratio |\n|---|---|---|---|")
    for precision in ("f32", "bf16"):
        used, planned = used_and_planned(o.tenfold, o.corpus, cores, [*arguments, f"--precision.compute={precision}"])
        good &= abs(used / planned - 1) <= TOLERANCE
        print(f"| {precision} | {used:.1f} | {planned:.1f} | {used / planned:.3f} |", flush=True)
    print(f"\n`{' '.join(arguments)}` on {len(cores)} ranks; {measure.provenance(o.tenfold)}.")
    sys.exit(not good)


if __name__ == "__main__":
    main()
