"""Two ranks that share a global batch, against two independent one-rank runs side by side with half of it each.

Sample run:  /usr/bin/python3 validation/scaling/two_ranks.py --precision.compute=bf16

Every rank has a core of its own in both cases, so that what differs is the cost of working together. The two cases alternate;
the ratio is that of tokens a second, of the two ranks over the sum of the two runs. Other arguments go to `tenfold bench`.
"""

import argparse
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure


def together(command, cores):
    return measure.run_json(measure.on_cores(cores, command))["tokens_per_second"]


def side_by_side(command, cores):
    commands = [measure.on_cores([core], command) for core in cores]
    processes = [measure.start(each) for each in commands]
    return sum(measure.json_of(*pair)["tokens_per_second"] for pair in zip(processes, commands))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenfold", default="build/release/tenfold", help="program; relative to the root of the tree")
    parser.add_argument("--global-batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    o, overrides = parser.parse_known_args()
    cores = measure.available_cores()[:2]
    if len(cores) < 2 or o.global_batch % 2:
        parser.error("two cores and an even global batch are needed")

    def bench(global_batch):
        return measure.bench(o.tenfold, {"data.global_batch": global_batch}) + overrides

    provenance = measure.provenance(o.tenfold)
    ratios = []
    print("| two ranks, tokens/s | two runs, tokens/s | ratio |\n|---|---|---|")
    for _ in range(o.repeats):
        pair = together(bench(o.global_batch), cores), side_by_side(bench(o.global_batch // 2), cores)
        ratios.append(pair[0] / pair[1])
        print(f"| {pair[0]:.0f} | {pair[1]:.0f} | {ratios[-1]:.3f} |", flush=True)
    print(f"\nMedian ratio **{statistics.median(ratios):.3f}** at global batch {o.global_batch}; "
          f"`{' '.join(bench(o.global_batch))}`; {provenance}.")


if __name__ == "__main__":
    main()
