"""Compare the loss and every gradient of step dumps written by tenfold with the PyTorch reference in float64.

Sample run:  /usr/bin/python3 validation/parity/compare.py step.h5 ...

The error of a gradient is |g - reference| / max(|reference|, 1e-6 |all reference gradients|), Euclidean norms, so that
parameters whose gradient is exactly zero are held to rounding noise. Exits with 1 if an error is above the tolerance, or a
parameter is missing, unexpected or of another shape.
"""

import argparse
import configparser
import sys

import h5py
import torch

import reference


def read_model(configuration, vocabulary):
    """From the INI text of an effective configuration, which names only the keys that have a meaning in it."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(configuration)
    section = ini["model"]
    optional = dict(
        untie_cls=section.getboolean("untie_cls"),
        relative_buckets=section.getint("relative_buckets"),
        relative_max_distance=section.getint("relative_max_distance"),
    )
    return reference.Model(
        vocabulary=vocabulary,
        length=ini["data"].getint("sequence_length"),
        layers=section.getint("layers"),
        width=section.getint("width"),
        heads=section.getint("heads"),
        feed_forward=section.getint("feed_forward"),
        position=section["position"],
        **{key: value for key, value in optional.items() if value is not None},
    )


def read_batch(group, count):

    def integers(name):
        return torch.from_numpy(group[name][()].astype("int64"))

    return dict(
        tokens=integers("tokens"),
        lengths=integers("lengths"),
        selected_rows=integers("selected_rows")[:count],
        labels=integers("labels")[:count],
        selected_count=count,
    )


def read_tensors(group):
    return {name: torch.tensor(group[name][()], dtype=torch.float64) for name in group}


def name_failures(model, tensors, kind):
    """Missing, unexpected and wrongly shaped parameters, one line each."""
    expected = reference.parameter_shapes(model)
    lines = [f"missing {kind} {name}" for name in sorted(expected.keys() - tensors.keys())]
    lines += [f"unexpected {kind} {name}" for name in sorted(tensors.keys() - expected.keys())]
    for name in sorted(expected.keys() & tensors.keys()):
        if tuple(tensors[name].shape) != expected[name]:
            lines.append(f"{kind} {name} has shape {tuple(tensors[name].shape)}, not {expected[name]}")
    return lines


def compare(path, tolerance):
    """Print the table of one file; return whether all of it agrees."""
    with h5py.File(path) as file:
        configuration = file["configuration"].asstr()[()]
        parameters, gradients = read_tensors(file["parameters"]), read_tensors(file["gradients"])
        batch, loss = read_batch(file["batch"], int(file.attrs["selected"])), float(file.attrs["loss"])
    model = read_model(configuration, parameters["embeddings.token.weight"].shape[0])
    print(f"{path}: {model.position}, [CLS] {'untied' if model.is_tupe and model.untie_cls else 'like any position'}, "
          f"{batch['tokens'].shape[0]} sequences, {batch['selected_count']} selected tokens")

    failures = name_failures(model, parameters, "parameter") + name_failures(model, gradients, "gradient")
    if failures:
        print("\n".join(failures))
        return False

    for value in parameters.values():
        value.requires_grad_()
    reference_loss = reference.masked_lm_loss(parameters, model, **batch)
    expected = dict(zip(parameters, torch.autograd.grad(reference_loss, list(parameters.values()))))
    floor = 1e-6 * float(torch.stack([g.norm() for g in expected.values()]).norm())

    rows = [("loss", loss, reference_loss.item(), abs(loss - reference_loss.item()) / reference_loss.item())]
    for name, g in expected.items():
        error = float((gradients[name] - g).norm()) / max(float(g.norm()), floor)
        rows.append((name, float(gradients[name].norm()), float(g.norm()), error))
    print(f"{'loss, or norm of the gradient of':<52} {'tenfold':>13} {'reference':>13} {'error':>9}")
    for name, value, wanted, error in rows:
        verdict = "" if error <= tolerance else "  FAILED"
        print(f"{name:<52} {value:13.6e} {wanted:13.6e} {error:9.1e}{verdict}")
    return all(error <= tolerance for *_, error in rows)  # false for NaN too


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="step dumps (HDF5)")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()
    verdicts = [compare(path, arguments.tolerance) for path in arguments.files]
    print(f"{sum(verdicts)} of {len(verdicts)} files agree")
    sys.exit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
