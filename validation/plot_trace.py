#!/usr/bin/python3
"""Plots traces of runs, finished or still going on, to a PNG: losses, accuracies, learning rate, throughput, and where the time goes.

usage: validation/plot_trace.py TRACE.h5 OUT.png [TRACE.h5 ...] [--corpus=CORPUS.h5]

Several traces are drawn over each other, named by their folders; the shares of time are those of the first. With a corpus, a line
shows the plateau of its masked tokens: the best loss that a model reaches without looking at the words around a mask.
"""
import argparse
import configparser
import pathlib
import sys

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "convergence"))
from plateau import context_free_losses

PARTS = ("data", "compute", "communication", "notes")


def read_trace(path):
    """Columns of both tables by name. A run may be writing: each table is cut to its shortest column."""
    tables = {}
    with h5py.File(path, "r", swmr=True) as file:
        for table in ("train", "validation"):
            columns = {name: column[:] for name, column in file[table].items()}
            rows = min(map(len, columns.values()))
            tables[table] = {name: column[:rows] for name, column in columns.items()}
    if len(tables["train"]["step"]) == 0:
        raise ValueError("holds no step yet")
    return tables


def plateau_of(trace, corpus):
    """Best loss on the masked tokens without context, under the masking of the run that wrote this trace."""
    with h5py.File(trace, "r", swmr=True) as file:
        configuration = configparser.ConfigParser()
        configuration.read_string(file["configuration"].asstr()[()])
    return context_free_losses(corpus, configuration["objective"])["context_free"]


def ends_of_stretches(rows, points=200):
    """Indices of the last row of each of about `points` stretches that follow one another and leave out no row."""
    return np.unique(np.linspace(0, rows, min(rows, points) + 1).astype(int)[1:]) - 1


def sums(values, ends):
    """Sums over the stretches that end there. A loss that is not finite, of a skipped step, spoils its own stretch only."""
    return np.add.reduceat(values.astype(np.float64), np.append(0, ends[:-1] + 1))


def means(values, ends):
    return sums(values, ends) / np.diff(np.append(-1, ends))


def plot_learning(loss, accuracy, name, tables):
    """Losses and accuracies of one run over its tokens: training as a thin line, validation as points."""
    train, validation = tables["train"], tables["validation"]
    tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
    ends = ends_of_stretches(len(tokens))
    at = np.interp(validation["step"], np.append(0, train["step"]), np.append(0, tokens))
    line, = loss.plot(tokens[ends], means(train["loss"], ends), linewidth=1, alpha=0.6, label=f"{name}: training")
    loss.plot(at, validation["loss"], marker="o", markersize=3, color=line.get_color(), label=f"{name}: validation")
    for column in [column for column in train if column.startswith("loss_")]:
        loss.plot(at, validation[column], marker=".", linewidth=1, linestyle="--", label=f"{name}: validation, {column[5:]}")
        loss.set_yscale("log")  # the whole is a weighted sum, far above its parts
    accuracy.plot(tokens[ends], 100 * means(train["accuracy"], ends), linewidth=1, alpha=0.6, label=f"{name}: training")
    accuracy.plot(at, 100 * validation["accuracy"], marker="o", markersize=3, color=line.get_color(), label=f"{name}: validation")


def plot_speed(rate, speed, name, train):
    tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
    ends = ends_of_stretches(len(tokens))
    rate.plot(tokens, train["learning_rate"], label=name)
    speed.plot(tokens[ends], sums(train["tokens"], ends) / sums(train["seconds"], ends), label=name)


def plot_shares(shares, train):
    tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
    parts = [part for part in PARTS if f"seconds_{part}" in train]
    ends = ends_of_stretches(len(tokens))
    whole = sums(train["seconds"], ends)
    shares.stackplot(tokens[ends], [100 * sums(train[f"seconds_{part}"], ends) / whole for part in parts], labels=parts)
    shares.set_ylim(0, 100)


def plot(traces, plateau, out):
    figure, panels = plt.subplot_mosaic([["loss"] * 3 + ["accuracy"] * 3, ["rate"] * 2 + ["speed"] * 2 + ["shares"] * 2],
                                        figsize=(14, 9), layout="constrained", height_ratios=(3, 2))
    for name, tables in traces.items():
        plot_learning(panels["loss"], panels["accuracy"], name, tables)
        plot_speed(panels["rate"], panels["speed"], name, tables["train"])
    first = next(iter(traces))
    plot_shares(panels["shares"], traces[first]["train"])
    if plateau is not None:
        panels["loss"].axhline(plateau, color="black", linestyle=":", label=f"masked tokens without context: {plateau:.2f}")
    labels = {"loss": "loss / nats", "accuracy": "masked tokens predicted / %", "rate": "learning rate", "speed": "tokens / s",
              "shares": f"share of {first}'s time / %"}
    for panel, label in labels.items():
        panels[panel].set(xlabel="tokens / million", ylabel=label)
        panels[panel].grid(alpha=0.3)
        panels[panel].legend(fontsize="small", loc="lower right" if panel in ("shares", "accuracy") else "best")
    panels["accuracy"].set_ylim(bottom=0)
    panels["speed"].set_ylim(bottom=0)
    figure.savefig(out, dpi=110)


def describe(name, tables, plateau):
    """What a person should see in the plot, in words."""
    train, validation = tables["train"], tables["validation"]
    print(f"{name}: step {train['step'][-1]}, training loss {train['loss'][0]:.3f} -> {train['loss'][-1]:.3f}")
    if len(validation["step"]) == 0:
        return
    print(f"{name}: validation loss {validation['loss'][0]:.3f} -> {validation['loss'][-1]:.3f}")
    if plateau is not None:
        masked = validation["loss_mlm" if "loss_mlm" in validation else "loss"]
        below = validation["step"][masked < plateau]
        left = f"left at step {below[0]}" if len(below) else "not left yet"
        print(f"{name}: plateau of masked tokens without context {plateau:.3f}: {left}, now {masked[-1]:.3f}")
    print(f"{name}: masked tokens predicted {100 * validation['accuracy'][0]:.1f} % -> {100 * validation['accuracy'][-1]:.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", metavar="TRACE.h5")
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("others", metavar="TRACE.h5", nargs="*")
    parser.add_argument("--corpus", metavar="CORPUS.h5", help="corpus of the runs, for the plateau")
    arguments = parser.parse_intermixed_args()
    paths = [arguments.first, *arguments.others]
    names = [pathlib.Path(path).resolve().parent.name for path in paths]
    traces = {}
    for path, name in zip(paths, names):
        try:
            traces[name if names.count(name) == 1 else path] = read_trace(path)
        except (OSError, KeyError, ValueError) as error:
            sys.exit(f"{sys.argv[0]}: {path}: {error}")
    plateau = None
    if arguments.corpus:
        try:
            plateau = plateau_of(arguments.first, arguments.corpus)
        except (OSError, KeyError) as error:
            sys.exit(f"{sys.argv[0]}: {arguments.corpus}: {error}")
    plot(traces, plateau, arguments.out)
    for name, tables in traces.items():
        describe(name, tables, plateau)
    print(f"plot in {arguments.out}")


if __name__ == "__main__":
    main()
