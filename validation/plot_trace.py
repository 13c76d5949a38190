#!/usr/bin/python3
"""Plots traces of runs, finished or still going on, to a PNG: losses, learning rate, throughput, and where the time goes.

usage: validation/plot_trace.py TRACE.h5 OUT.png [TRACE.h5 ...]

Several traces are drawn over each other, named by their folders; the shares of time are those of the first.
"""
import pathlib
import sys

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

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


def smoothed(values, points=200):
    """Means over stretches of equal length, about `points` of them, and the index at which each ends."""
    stretch = max(1, len(values) // points)
    ends = np.arange(stretch, len(values) + 1, stretch)
    return np.add.reduceat(values[:ends[-1]], ends - stretch) / stretch, ends - 1


def plot(traces, out):
    figure, ((loss, rate), (speed, shares)) = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    for name, tables in traces.items():
        train, validation = tables["train"], tables["validation"]
        tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
        mean, ends = smoothed(train["loss"])
        line, = loss.plot(tokens[ends], mean, linewidth=1, alpha=0.6, label=f"{name}: training")
        at = np.interp(validation["step"], np.append(0, train["step"]), np.append(0, tokens))
        loss.plot(at, validation["loss"], marker="o", markersize=3, color=line.get_color(), label=f"{name}: validation")
        for column in [column for column in train if column.startswith("loss_")]:
            loss.plot(at, validation[column], marker=".", linewidth=1, linestyle="--", label=f"{name}: validation, {column[5:]}")
            loss.set_yscale("log")  # the whole is a weighted sum, far above its parts
        rate.plot(tokens, train["learning_rate"], label=name)
        mean, ends = smoothed(train["tokens"] / train["seconds"])
        speed.plot(tokens[ends], mean, label=name)

    name, tables = next(iter(traces.items()))
    train = tables["train"]
    tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
    parts = [part for part in PARTS if f"seconds_{part}" in train]
    columns = [smoothed(100 * train[f"seconds_{part}"] / train["seconds"]) for part in parts]
    shares.stackplot(tokens[columns[0][1]], [mean for mean, _ in columns], labels=parts)
    for axes, label in ((loss, "loss / nats"), (rate, "learning rate"), (speed, "tokens / s"),
                        (shares, f"share of {name}'s time / %")):
        axes.set(xlabel="tokens / million", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="lower right" if axes is shares else "best")
    speed.set_ylim(bottom=0)
    shares.set_ylim(0, 100)
    figure.savefig(out, dpi=110)


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    first, out, *others = arguments
    paths = [first, *others]
    names = [pathlib.Path(path).resolve().parent.name for path in paths]
    traces = {}
    for path, name in zip(paths, names):
        try:
            traces[name if names.count(name) == 1 else path] = read_trace(path)
        except (OSError, KeyError, ValueError) as error:
            sys.exit(f"{sys.argv[0]}: {path}: {error}")
    plot(traces, out)
    for name, tables in traces.items():
        train, validation = tables["train"], tables["validation"]
        last = f", validation {validation['loss'][-1]:.4f}" if len(validation["step"]) else ""
        print(f"{name}: step {train['step'][-1]}, loss {train['loss'][0]:.4f} -> {train['loss'][-1]:.4f}{last}")
    print(f"plot in {out}")


if __name__ == "__main__":
    main(sys.argv[1:])
