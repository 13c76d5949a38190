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


def ends_of_stretches(rows, points=200):
    """Indices of the last row of each of about `points` stretches that follow one another and leave out no row."""
    return np.unique(np.linspace(0, rows, min(rows, points) + 1).astype(int)[1:]) - 1


def sums(values, ends):
    """Sums over the stretches that end there. A loss that is not finite, of a skipped step, spoils its own stretch only."""
    return np.add.reduceat(values.astype(np.float64), np.append(0, ends[:-1] + 1))


def plot(traces, out):
    figure, ((loss, rate), (speed, shares)) = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    for name, tables in traces.items():
        train, validation = tables["train"], tables["validation"]
        tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
        ends = ends_of_stretches(len(tokens))
        line, = loss.plot(tokens[ends], sums(train["loss"], ends) / np.diff(np.append(-1, ends)), linewidth=1, alpha=0.6,
                          label=f"{name}: training")
        at = np.interp(validation["step"], np.append(0, train["step"]), np.append(0, tokens))
        loss.plot(at, validation["loss"], marker="o", markersize=3, color=line.get_color(), label=f"{name}: validation")
        for column in [column for column in train if column.startswith("loss_")]:
            loss.plot(at, validation[column], marker=".", linewidth=1, linestyle="--", label=f"{name}: validation, {column[5:]}")
            loss.set_yscale("log")  # the whole is a weighted sum, far above its parts
        rate.plot(tokens, train["learning_rate"], label=name)
        speed.plot(tokens[ends], sums(train["tokens"], ends) / sums(train["seconds"], ends), label=name)

    name, tables = next(iter(traces.items()))
    train = tables["train"]
    tokens = np.cumsum(train["tokens"], dtype=np.float64) / 1e6
    parts = [part for part in PARTS if f"seconds_{part}" in train]
    ends = ends_of_stretches(len(tokens))
    whole = sums(train["seconds"], ends)
    shares.stackplot(tokens[ends], [100 * sums(train[f"seconds_{part}"], ends) / whole for part in parts], labels=parts)
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
