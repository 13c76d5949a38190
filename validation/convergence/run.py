"""Pre-train methods on the same data in the same order and compare their validation losses.

Sample run:  /usr/bin/python3 validation/convergence/run.py --corpus corpora/lean.h5 --jobs 2
             /usr/bin/python3 validation/convergence/run.py --corpus corpora/lean.h5 --seeds 1 2 3 --methods bert tupe-r --name seeds

A method is a file inputs/methods/NAME.ini, or several joined by + (bert+notes); it is run with --size and every other --section.key=value. Runs live in
runs/convergence/NAME/METHOD-seed-N; the same command goes on where it was stopped (Ctrl-C or SIGTERM lets the runs save).
Writes a table (NAME.md) and a plot (NAME.svg) to validation/results.
"""

import argparse
import configparser
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure
from plateau import context_free_losses

STOPPED = 75  # exit status of a run that saved and stopped on request


def pretrain_command(o, overrides, method, seed, folder):
    settings = {"data.corpus": o.corpus, "precision.compute": o.precision, "validation.every": o.validation_every}
    settings |= {"run.folder": folder, "run.resume": "auto", "run.seed": seed}
    files = [o.size, *(f"inputs/methods/{name}.ini" for name in method.split("+"))]
    return [o.tenfold, "pretrain", *files, *(f"--{key}={value}" for key, value in settings.items()), *overrides]


def run_all(commands, slots):
    """Run the commands (label to command line), one a slot of cores at a time. Ends the script if any fails or stops."""
    waiting, running, statuses = list(commands.items()), {}, {}

    def stop(*_):
        waiting.clear()
        for process, _ in running.values():
            process.send_signal(signal.SIGUSR1)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    while waiting or running:
        for slot, cores in enumerate(slots):
            if slot in running and (status := running[slot][0].poll()) is not None:
                _, label = running.pop(slot)
                statuses[label] = status
                print(f"{label}: exit status {status}", flush=True)
            if slot not in running and waiting:
                label, command = waiting.pop(0)
                print(f"{label}: {' '.join(map(str, command))}", flush=True)
                with open(measure.ROOT / f"{label}.out", "a") as output:
                    running[slot] = subprocess.Popen(
                        measure.on_cores(cores, list(map(str, command))), cwd=measure.ROOT, env=measure.ENVIRONMENT,
                        stdout=output, stderr=subprocess.STDOUT, start_new_session=True), label
        time.sleep(1)
    failed = [label for label, status in statuses.items() if status not in (0, STOPPED)]
    if failed:
        raise SystemExit("failed: " + ", ".join(f"{label} (see {label}.out)" for label in failed))
    if statuses.keys() != commands.keys() or STOPPED in statuses.values():
        print("stopped; the same command goes on")
        raise SystemExit(STOPPED)


@dataclass
class Curve:
    method: str
    seed: int
    position: str
    steps: np.ndarray  # of the validations
    tokens: np.ndarray  # real tokens seen by then
    losses: np.ndarray  # nats
    tokens_per_second: float
    splits: dict[str, float]  # final validation losses by where a selected token stands, nats
    configuration: configparser.ConfigParser

    def first_step_at(self, loss):
        """Step at which the loss is first reached, between two validations by a straight line; None if it never is."""
        below = np.flatnonzero(self.losses <= loss)
        if not len(below) or below[0] == 0:
            return float(self.steps[0]) if len(below) else None
        last = below[0]
        ends = slice(last - 1, last + 1)
        return float(np.interp(-loss, -self.losses[ends], self.steps[ends]))


def read_curve(method, seed, folder, column):
    with h5py.File(folder / "trace.h5") as file:
        ini = configparser.ConfigParser(interpolation=None)
        ini.read_string(file["configuration"].asstr()[()])
        train, validation = file["train"], file["validation"]
        steps = validation["step"][()]
        splits = {name: validation[name][-1] for name in validation if name.startswith("loss")}
        return Curve(method, seed, ini["model"]["position"], steps, validation["tokens"][()],
                     validation[column][()], train["tokens"][()].sum() / train["seconds"][()].sum(), splits, ini)


def trained_by(folders):
    """Which commits' programs did steps of which runs, from their manifests."""
    runs = {}
    for folder in folders:
        jobs = json.loads((folder / "manifest.json").read_text())["jobs"]
        for commit in sorted({job["git_commit"] for job in jobs if job["last_step"] != job["first_step"]}):  # null: it was killed
            runs.setdefault(commit, []).append(folder.name)
    return "; ".join(f"{', '.join(names)} by commit {commit}" for commit, names in runs.items())


def table(curves, plateau):
    """Markdown rows, one a run, and where there are several seeds a mean a method. The baseline is the first method's run of
    the same seed."""
    baselines = {curve.seed: curve for curve in reversed(curves) if curve.method == curves[0].method}
    lines = ["| method | position | seed | tokens, M | final loss, nats | step at 0.2 nats below the context-free loss "
             "| step at baseline's final loss | baseline's steps over these | tokens/s |", "|---" * 9 + "|"]
    finals, ratios = {}, {}

    def integer(step):
        return "never" if step is None else f"{step:.0f}"

    for curve in curves:
        baseline = baselines[curve.seed]
        reached = curve.first_step_at(baseline.losses[-1])
        ratio = baseline.first_step_at(baseline.losses[-1]) / reached if reached else None
        finals.setdefault(curve.method, []).append(float(curve.losses[-1]))
        ratios.setdefault(curve.method, []).append(ratio)
        lines.append(f"| {curve.method} | {curve.position} | {curve.seed} | {curve.tokens[-1] / 1e6:.2f} | {curve.losses[-1]:.4f} "
                     f"| {integer(curve.first_step_at(plateau - 0.2))} | {integer(reached)} "
                     f"| {f'{ratio:.2f}' if ratio else 'never'} | {curve.tokens_per_second:.0f} |")
    if len(baselines) > 1:
        lines += ["", "| method | seeds | mean final loss | standard deviation | mean ratio of steps |", "|---" * 5 + "|"]
        for method, losses in finals.items():
            ratio = "never in some" if None in ratios[method] else f"{statistics.mean(ratios[method]):.2f}"
            lines.append(f"| {method} | {len(losses)} | {statistics.mean(losses):.4f} | {statistics.stdev(losses):.4f} | {ratio} |")
    return lines


def split_table(curves):
    """Markdown rows of the final masked-LM losses by where a selected token stands: with notes, and where a run has them also
    without any note looked up."""
    places = {"near a rare word": "loss_mlm_near_rare_word", "in a rare word": "loss_mlm_of_rare_word",
              "in a sequence with one": "loss_mlm_with_rare_word", "in others": "loss_mlm_without_rare_word"}
    lines = [f"| method | seed | all | {' | '.join(places)} |", "|---" * (len(places) + 3) + "|"]
    for curve in curves:
        for suffix, remark in (("", ""), ("_without_notes", ", no note looked up")):
            if f"loss{suffix}" in curve.splits:
                overall = "loss_mlm" if "loss_mlm" in curve.splits else "loss"  # the latter where it is the only loss
                columns = (overall, *places.values())  # a corpus without rare words has only the first
                losses = " | ".join(f"{curve.splits.get(column + suffix, float('nan')):.4f}" for column in columns)
                lines.append(f"| {curve.method}{remark} | {curve.seed} | {losses} |")
    return lines


def plot(curves, unigram, context_free, out):
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    methods = list(dict.fromkeys(curve.method for curve in curves))
    for curve in curves:
        label = curve.method if curve.seed == curves[0].seed else None
        axes.plot(curve.tokens / 1e6, curve.losses, label=label, color=f"C{methods.index(curve.method)}", linewidth=1.2)
    axes.axhline(unigram, color="gray", linestyle=":", label="unigram cross-entropy")
    axes.axhline(context_free, color="gray", linestyle="--", label="best without context")
    axes.set(xlabel="tokens / million", ylabel="validation loss / nats")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="corpus that `tenfold prepare` wrote")
    parser.add_argument("--tenfold", default="build/release/tenfold")
    parser.add_argument("--size", default="inputs/sizes/tiny.ini")
    parser.add_argument("--methods", nargs="+", default=["bert", "bert-relative", "tupe-a", "tupe-r"], help="baseline first")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--validation-every", type=int, default=50, help="steps")
    parser.add_argument("--column", default="loss", help="which loss under /validation of the traces")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--ranks", type=int, default=1, help="ranks a run, each on a core of its own")
    parser.add_argument("--name", default="positions", help="of the study: its folder and results")
    o, overrides = parser.parse_known_args()
    cores = measure.available_cores()
    if o.jobs * o.ranks > len(cores):
        parser.error(f"{o.jobs} jobs of {o.ranks} ranks need more than the {len(cores)} cores available")

    folder = pathlib.Path("runs/convergence", o.name)
    (measure.ROOT / folder).mkdir(parents=True, exist_ok=True)
    provenance = measure.provenance(o.tenfold)
    runs = {folder / f"{method}-seed-{seed}": (method, seed) for seed in o.seeds for method in o.methods}
    commands = {path: pretrain_command(o, overrides, *run, path) for path, run in runs.items()}
    run_all(commands, [cores[n * o.ranks :][: o.ranks] for n in range(o.jobs)])

    curves = [read_curve(*run, measure.ROOT / path, o.column) for path, run in runs.items()]
    losses = context_free_losses(measure.ROOT / o.corpus, curves[0].configuration["objective"])
    results = measure.ROOT / "validation/results"
    results.mkdir(exist_ok=True)
    plot(curves, losses["all"], losses["context_free"], results / f"{o.name}.svg")
    text = [
        f"# Convergence: {', '.join(o.methods)}", "",
        f"Measured by `validation/convergence/run.py {' '.join(sys.argv[1:])}`; report by {provenance}; {o.ranks} ranks a run, "
        f"{o.jobs} runs at a time. Trained: {trained_by([measure.ROOT / path for path in runs])}.", "",
        *table(curves, losses["context_free"]), "",
        f"![validation loss against tokens]({o.name}.svg)", "",
        "Final validation losses by where a selected token stands, nats:", "",
        *split_table(curves), "",
        "The baseline is the first method, with the same seed and so the same order of data, masks and initial weights where "
        "shapes agree. Losses are means over the selected tokens of a fixed mask set, in nats. A step at which a loss is reached "
        "is interpolated between validations; the learning rate there is not yet annealed as it is at the baseline's end.", "",
        f"Unigram cross-entropy of the validation tokens: {losses['all']:.4f} nats ([SEP] included, as it is selected too) and "
        f"{losses['text']:.4f} without special tokens. The model is the counts of the training tokens plus one for every piece of the "
        "vocabulary; [CLS], one a sequence, is not counted though it may be selected.",
        f"Best loss without context: {losses['context_free']:.4f} nats. It is lower since some selected tokens stay visible, "
        "unchanged or replaced at random; this is the plateau that an encoder leaves when attention begins to work.", "",
        "Effective configuration of the first run:", "", "```ini",
    ]
    with h5py.File(measure.ROOT / next(iter(runs)) / "trace.h5") as file:
        text += [file["configuration"].asstr()[()].strip(), "```", ""]
    report = results / f"{o.name}.md"
    report.write_text("\n".join(text))
    print(f"{report} and {o.name}.svg written")


if __name__ == "__main__":
    main()
