#!/usr/bin/env python3
"""The loss and every gradient of a training step are those of a PyTorch model written on its own, for every objective.

    parity_test.py TENFOLD
"""

import contextlib
import io
import pathlib
import sys
import tempfile

import h5py

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import support

import compare
import objectives

TOLERANCE = 1e-4
# The second step, after one with a learning rate that moves every parameter away from its initial value.
SETTINGS = {
    "run.folder": "run", "run.steps": 3, "debug.dump_step": 2,
    "data.sequence_length": 64, "data.global_batch": 8, "data.micro_batch": 8,
    "model.layers": 2, "model.width": 32, "model.heads": 2, "model.feed_forward": 64,
    "model.dropout": 0, "model.attention_dropout": 0,
    "optimizer.learning_rate": 1e-2, "optimizer.warmup_steps": 1, "validation.sequences": 8, "parallel.threads": 1,
}
NOTES = {"notes.enabled": "true"}
# Not half and half, so that the two shares cannot be mistaken for each other.
UNEVEN_NOTES = {**NOTES, "notes.mix": 0.3}
CHOICE_OPTIONS = {"objective.kind": "multiple-choice", "objective.generator_divider": 1, "objective.loss_weight": 3}


class Parity(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.corpus = folder / "corpus.h5"
        (folder / "text.txt").write_text(support.english_looking_text(1, 60))
        support.expect_code(0, support.tenfold("prepare", f"--corpus.text={folder / 'text.txt'}", f"--corpus.file={cls.corpus}",
                                               "--corpus.valid_fraction=0.1", "--corpus.rare_coverage=0.15",
                                               "--tokenizer.vocabulary_size=500"))

    def dump(self, keys):
        run = self.folder()
        arguments = (f"--{key}={value}" for key, value in {**SETTINGS, "data.corpus": self.corpus, **keys}.items())
        support.expect_code(0, support.tenfold("pretrain", *arguments, folder=run.path))
        return run.run / "dump-step-2.h5"

    def check(self, keys):
        with self.subTest(**keys):
            dump = self.dump(keys)
            with contextlib.redirect_stdout(io.StringIO()) as table:
                agrees = compare.compare(dump, TOLERANCE)
            self.assertTrue(agrees, table.getvalue())
            with h5py.File(dump) as file:
                self.assertEqual(file.attrs.get("notes", 0) > 9, "notes.enabled" in keys, "as many notes as make a difference")

    def test_masked_language_model(self):
        for position in ("absolute", "relative", "tupe-a", "tupe-r"):
            self.check({"model.position": position})
        for position in ("tupe-a", "tupe-r"):
            self.check({"model.position": position, "model.untie_cls": "false"})

    def test_more_selected_rows_than_the_head_takes_at_once(self):
        for kind in ("mlm", "multiple-choice"):
            self.check({"objective.kind": kind, "data.global_batch": 64, "data.micro_batch": 64})

    def test_notes(self):
        for position in ("absolute", "relative", "tupe-r"):
            self.check({"model.position": position, **NOTES})
            self.check({"model.position": position, **UNEVEN_NOTES, "notes.rescale": "true"})
        self.check({**NOTES, "notes.update_selected": "true", "notes.window": 3})

    def test_electra(self):
        for position in ("absolute", "tupe-r"):
            for notes in ({}, NOTES):
                self.check({"objective.kind": "electra", "model.position": position, **notes})
        self.check({"objective.kind": "electra", "model.position": "relative", **UNEVEN_NOTES, "notes.rescale": "true",
                    "objective.leave_unmasked": 0.15})

    def test_multiple_choice(self):
        for position in ("absolute", "tupe-r"):
            for notes in ({}, NOTES):
                self.check({"objective.kind": "multiple-choice", "model.position": position, **notes})
        self.check({**CHOICE_OPTIONS, **UNEVEN_NOTES, "objective.candidates": 12, "objective.candidates_end": 6})
        self.check({**CHOICE_OPTIONS, "objective.sampling": "released"})

    def test_trace_columns(self):
        for kind in ("electra", "multiple-choice"):
            few = {"objective.candidates": 4} if kind == "multiple-choice" else {}
            dump = self.dump({"objective.kind": kind, "objective.mask_rate": 0.5, **few})
            with h5py.File(dump) as file:
                _, *step = compare.read_step(file)
            with h5py.File(dump.parent / "trace.h5") as trace:
                seen = {name: values[1] for name, values in trace["train"].items()}
            expected = objectives.metrics(*step)
            self.assertGreater(sum(0 < value for value in expected.values()), 6, "columns that tell something")
            for name, value in expected.items():
                with self.subTest(kind=kind, column=name):
                    # One tie that rounding turns over among some 250 tokens is no error.
                    self.assertAlmostEqual(seen[name], value, delta=value * (1e-4 if name.startswith("loss") else 2e-2))

    def draws(self, **keys):
        """Of real tokens: the truth [m], the answers [m, k], the main model's input [m]; and whether [CLS] is selected."""
        dump = self.dump({"objective.kind": "multiple-choice", "objective.mask_rate": 0.5, **keys})
        with h5py.File(dump) as file:
            original, rows = file["batch/original"][()], file["batch/selected_rows"][()]
            real = original.flatten() > 0
            self.assertEqual(len(rows), file.attrs["selected"], "as long as what is used")
            return (original.flatten()[real], file["draws/candidates"][()][real], file["draws/corrupted"][()].flatten()[real],
                    (rows % original.shape[1] == 0).any())

    def test_the_released_sampling_may_repeat_and_hit_the_truth_and_special_tokens(self):
        truth, answers, corrupted, cls_selected = self.draws(**{"objective.sampling": "released"})
        wrong = answers[:, 2:]  # behind none of the above, and the truth where it was replaced
        self.assertTrue((wrong == truth[:, None]).any())
        self.assertTrue(any(len(set(row)) < len(row) for row in wrong.tolist()))
        self.assertGreaterEqual(set(wrong.flatten()), {compare.UNK, compare.CLS, compare.SEP, compare.MASK})
        self.assertFalse({compare.PAD, compare.NOTA} & (set(wrong.flatten()) | set(corrupted)))
        self.assertFalse(cls_selected)

    def test_cls_is_selected_under_mlm_only(self):
        for kind, wanted in (("mlm", True), ("electra", False)):
            with h5py.File(self.dump({"objective.kind": kind, "objective.mask_rate": 0.8})) as file:
                first = file["batch/selected_rows"][()] % file["batch/original"].shape[1] == 0
            self.assertEqual(bool(first.any()), wanted, kind)


if __name__ == "__main__":
    support.main()
