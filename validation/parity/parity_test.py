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

    def check(self, keys):
        with self.subTest(**keys):
            run = self.folder()
            keys = {**SETTINGS, "data.corpus": self.corpus, **keys}
            arguments = (f"--{key}={value}" for key, value in keys.items())
            support.expect_code(0, support.tenfold("pretrain", *arguments, folder=run.path))
            dump = run.run / "dump-step-2.h5"
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

    def test_notes(self):
        for position in ("absolute", "relative", "tupe-r"):
            self.check({"model.position": position, **NOTES})
            self.check({"model.position": position, **UNEVEN_NOTES, "notes.rescale": "true"})

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


if __name__ == "__main__":
    support.main()
