"""Compare the loss and every gradient of step dumps written by tenfold with the PyTorch reference in float64.

Sample run:  /usr/bin/python3 validation/parity/compare.py step.h5 ...

The error of a gradient is |g - reference| / max(|reference|, 1e-6 |all reference gradients|), Euclidean norms, so that
parameters whose gradient is exactly zero are held to rounding noise. Draws and notes are taken from the dump, but must obey
their laws. Exits with 1 if they do not, an error is above the tolerance, or a parameter is missing, unexpected or of another
shape.
"""

import argparse
import configparser
import sys

import h5py
import torch

import objectives
import reference

PAD, UNK, CLS, SEP, MASK, NOTA = range(6)


def read_configuration(text):
    """The INI text of an effective configuration, which names only the keys that have a meaning in it."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(text)
    return ini


def read_model(ini, vocabulary):
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


def read_objective(ini):
    section = ini["objective"]
    if section["kind"] == "mlm":
        return objectives.Objective("mlm")
    return objectives.Objective(section["kind"], section.getint("generator_divider"), section.getfloat("loss_weight"))


def read_integers(data):
    return torch.from_numpy(data[()].astype("int64"))


def read_batch(file, objective):
    batch = file["batch"]
    names = ("tokens", "original", "lengths", "selected_rows", "labels")
    fields = {name: read_integers(batch[name]) for name in names}
    if objective.kind != "mlm":
        fields["corrupted"] = read_integers(file["draws/corrupted"]).clamp(min=PAD).view_as(fields["tokens"])
    if objective.kind == "multiple-choice":
        fields.update(candidates=read_integers(file["draws/candidates"]), answers=read_integers(file["draws/labels"]))
    return objectives.Batch(**fields)


def read_notes(file, ini):
    section = ini["notes"]
    if not section.getboolean("enabled"):
        return None
    group = file["notes"]
    return reference.Notes(
        begin=read_integers(group["begin"]),
        end=read_integers(group["end"]),
        vectors=torch.tensor(group["vectors"][()], dtype=torch.float64),
        mix=section.getfloat("mix"),
        rescale=section.getboolean("rescale"),
    )


def read_windows(file):
    """Rows [n] at which the windows of new notes begin and end, and the new notes [n, d]."""
    group = file["notes"]
    return (*(read_integers(group[f"window_{side}"]) for side in ("begin", "end")),
            torch.tensor(group["pooled"][()], dtype=torch.float64))


def read_tensors(group):
    return {name: torch.tensor(group[name][()], dtype=torch.float64) for name in group}


def name_failures(shapes, tensors, kind):
    """Missing, unexpected and wrongly shaped parameters, one line each."""
    lines = [f"missing {kind} {name}" for name in sorted(shapes.keys() - tensors.keys())]
    lines += [f"unexpected {kind} {name}" for name in sorted(tensors.keys() - shapes.keys())]
    for name in sorted(shapes.keys() & tensors.keys()):
        if tuple(tensors[name].shape) != shapes[name]:
            lines.append(f"{kind} {name} has shape {tuple(tensors[name].shape)}, not {shapes[name]}")
    return lines


def never_drawn(ini):
    """Tokens that have no mass where a small network draws."""
    released = ini["objective"].get("sampling") == "released"
    return torch.tensor([PAD, NOTA] if released else [PAD, CLS, MASK, NOTA])


def batch_failures(batch, notes, ini):
    """Laws of masking and of notes, one line for each that is broken."""
    original, selected = batch.original.flatten(), torch.zeros(batch.original.numel(), dtype=torch.bool)
    selected[batch.selected_rows] = True
    real = reference.real_tokens(batch.original, batch.lengths).flatten()
    laws = {
        "some tokens are selected, each once": 0 < int(selected.sum()) == len(batch.selected_rows),
        "selected tokens are real": bool(real[selected].all()),
        "labels are the original tokens": torch.equal(batch.labels, original[batch.selected_rows]),
        "only selected tokens are masked": bool((batch.tokens.flatten() == original)[~selected].all()),
    }
    if batch.corrupted is not None:
        laws["only selected tokens are replaced"] = bool((batch.corrupted.flatten() == original)[~selected].all())
        drawn = batch.corrupted.flatten()[selected]
        laws["no token without mass is drawn"] = not torch.isin(drawn, never_drawn(ini)).any()
        laws["no [CLS] is selected"] = not (batch.selected_rows % batch.tokens.shape[1] == 0).any()
    if notes is not None:
        spans, length = list(zip(notes.begin.tolist(), notes.end.tolist())), batch.tokens.shape[1]
        laws["occurrences lie in one sequence"] = all(a < b and a // length == (b - 1) // length for a, b in spans)
        laws["a word with a selected token has no note"] = all(bool((real & ~selected)[a:b].all()) for a, b in spans)
    return [f"not true: {law}" for law, holds in laws.items() if not holds]


def window_failures(batch, notes, ini, begins, ends):
    """Laws of where new notes come from, one line for each that is broken."""
    length, k = batch.tokens.shape[1], ini["notes"].getint("window")

    def window(begin, end):
        start = begin // length * length
        return max(begin - k, start), min(end + k, start + int(batch.lengths[begin // length]))

    windows = list(zip(begins.tolist(), ends.tolist()))
    expected = [window(a, b) for a, b in zip(notes.begin.tolist(), notes.end.tolist())]
    if ini["notes"].getboolean("update_selected"):
        laws = {"words with a selected token make notes too": len(windows) > len(expected) and set(windows) >= set(expected)}
    else:
        laws = {"the words that have a note make one, from the window around them": windows == expected}
    return [f"not true: {law}" for law, holds in laws.items() if not holds]


def pooled_row(parameters, model, batch, notes, windows):
    """New notes against the mean of the main model's final output over their windows."""
    begins, ends, pooled = windows
    with torch.no_grad():
        bias = reference.position_bias(parameters, model, batch.tokens.shape[1])
        seen = batch.tokens if batch.corrupted is None else batch.corrupted
        hidden = reference.encode(parameters, model, seen, batch.lengths, bias, notes).flatten(0, 1)
        expected = torch.stack([hidden[a:b].mean(0) for a, b in zip(begins.tolist(), ends.tolist())])
    return "the new notes", float(pooled.norm()), float(expected.norm()), float((pooled - expected).norm() / expected.norm())


def choice_failures(batch, ini):
    """Laws of the answers that MC-BERT chooses from; some hold where they are drawn without replacement, as the paper says."""
    real = reference.real_tokens(batch.original, batch.lengths).flatten()
    truth, slots = batch.original.flatten()[real], batch.candidates[real]
    replaced = (batch.corrupted != batch.original).flatten()[real]
    used = (slots >= 0).sum(dim=1)
    negatives = slots.clone()
    negatives[:, 0] = -1
    negatives[replaced, 1] = -1
    ordered = negatives.sort(dim=1).values
    laws = {
        "slot 0 is none of the above": bool((slots[:, 0] == NOTA).all()),
        "slot 1 is the truth where it was replaced": torch.equal(slots[replaced, 1], truth[replaced]),
        "the answer is the truth where it was replaced, else none": torch.equal(batch.answers[real], replaced.long()),
        "all have the same number of answers": bool((used == used[0]).all()) and bool((slots[:, :used[0]] >= 0).all()),
        "no wrong answer is a token without mass": not torch.isin(negatives, never_drawn(ini)).any(),
    }
    if ini["objective"]["sampling"] == "exact":
        laws |= {
            "no wrong answer is the truth": not (negatives == truth[:, None]).any(),
            "no wrong answer comes twice": not ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(),
        }
    return [f"not true: {law}" for law, holds in laws.items() if not holds]


def read_step(file):
    """What a step was made of: configuration, parameters, model, objective, batch and notes."""
    ini = read_configuration(file["configuration"].asstr()[()])
    parameters, objective = read_tensors(file["parameters"]), read_objective(ini)
    model = read_model(ini, parameters["embeddings.token.weight"].shape[0])
    return ini, parameters, model, objective, read_batch(file, objective), read_notes(file, ini)


def compare(path, tolerance):
    """Print the table of one file; return whether all of it agrees."""
    with h5py.File(path) as file:
        ini, parameters, model, objective, batch, notes = read_step(file)
        gradients, loss = read_tensors(file["gradients"]), float(file.attrs["loss"])
        windows = None if notes is None else read_windows(file)
    cls = "untied" if model.is_tupe and model.untie_cls else "like any position"
    print(f"{path}: {objective.kind}, {model.position}, [CLS] {cls}, {len(batch.lengths)} sequences, "
          f"{len(batch.selected_rows)} selected tokens, {'no' if notes is None else len(notes.begin)} notes")

    shapes = objectives.parameter_shapes(model, objective)
    failures = name_failures(shapes, parameters, "parameter") + name_failures(shapes, gradients, "gradient")
    failures += batch_failures(batch, notes, ini)
    if windows is not None:
        failures += window_failures(batch, notes, ini, *windows[:2])
    if objective.kind == "multiple-choice":
        failures += choice_failures(batch, ini)
    if failures:
        print("\n".join(failures))
        return False

    for value in parameters.values():
        value.requires_grad_()
    reference_loss = objectives.loss(parameters, model, objective, batch, notes)
    expected = dict(zip(parameters, torch.autograd.grad(reference_loss, list(parameters.values()))))
    floor = 1e-6 * float(torch.stack([g.norm() for g in expected.values()]).norm())

    rows = [("loss", loss, reference_loss.item(), abs(loss - reference_loss.item()) / reference_loss.item())]
    if windows is not None:
        rows.append(pooled_row(parameters, model, batch, notes, windows))
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
