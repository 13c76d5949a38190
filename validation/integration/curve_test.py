#!/usr/bin/env python3
"""The loss curve depends on the global batch, not on who computes it.

    curve_test.py TENFOLD
"""

import math

import numpy

import support

TOLERANCE = 1e-5  # relative: other orders of summation in f32 over 50 steps at learning rate 1e-4
CURVE = "loss"


class Curve(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alone = cls.enterClassContext(support.temporary_run())
        cls.alone.pretrain()
        cls.reference = cls.alone.trace()

    def expect_reference_curve(self, run, what):
        trace = run.trace()
        for column in ("step", "tokens", "sequences"):
            self.assertEqual(trace[column].tolist(), self.reference[column].tolist(), f"{what}: {column}")
        self.assert_close(trace[CURVE], self.reference[CURVE], TOLERANCE, what)
        self.assert_close(run.trace("validation")[CURVE], self.alone.trace("validation")[CURVE], TOLERANCE, what)

    def test_starts_at_the_uniform_guess(self):
        first = self.alone.trace("validation")[CURVE][0]
        self.assertAlmostEqual(first, math.log(support.VOCABULARY), delta=0.05)

    def test_any_number_of_ranks_follows_one_curve(self):
        for ranks in (1, 2, 3, 4):
            run = self.folder()
            run.pretrain(ranks)
            self.expect_reference_curve(run, f"{ranks} ranks")

    def test_gradient_accumulation_follows_the_same_curve(self):
        for ranks, micro_batch in ((None, 8), (2, 3)):
            run = self.folder()
            run.pretrain(ranks, {"data.micro_batch": micro_batch})
            self.expect_reference_curve(run, f"{ranks} ranks, micro-batch {micro_batch}")

    def test_the_same_ranks_give_the_same_bits(self):
        for keys in ({}, support.EVERYTHING):
            self.expect_same_bits({**keys, "data.micro_batch": 4})

    def expect_same_bits(self, keys):
        runs = [self.folder(), self.folder()]
        for run in runs:
            run.pretrain(3, keys)
        first, second = (run.checkpoints() for run in runs)
        self.assertEqual([file.name for file in first], ["step-00000050.h5"])
        self.assertEqual([file.name for file in first], [file.name for file in second])
        self.assert_same_bits(support.contents(first[0]), support.contents(second[0]))
        self.assertEqual(first[0].read_bytes(), second[0].read_bytes())
        for table in ("train", "validation"):
            columns = [{name: values for name, values in run.trace(table).items() if not name.startswith("seconds")}
                       for run in runs]
            self.assert_same_bits(*columns, what=table)

    def test_another_seed_gives_another_curve(self):
        run = self.folder()
        run.pretrain(2, {"run.seed": 2, "run.steps": 10})
        self.assertFalse(numpy.allclose(run.trace()[CURVE], self.reference[CURVE][:10], rtol=1e-4))


class Learning(support.TestCase):
    def test_context_is_learnt_in_f32_and_bf16(self):
        keys = {"data.corpus": support.corpus_of_topics(), "run.steps": 500, "optimizer.learning_rate": 5e-3, "model.dropout": 0,
                "model.attention_dropout": 0}
        traces = {}
        for precision in ("f32", "bf16"):
            run = self.folder()
            run.pretrain(2, {**keys, "precision.compute": precision})
            traces[precision] = trace = run.trace()
            self.assertTrue(numpy.isfinite(trace[CURVE]).all(), precision)
            self.assertLess(run.trace("validation")[CURVE][-1], support.context_free_loss(run) - 0.8, precision)
        self.assert_close(traces["bf16"][CURVE][:20], traces["f32"][CURVE][:20], 0.01, "bf16 stays near f32 at first")
        self.assertFalse(numpy.array_equal(traces["bf16"][CURVE], traces["f32"][CURVE]), "bf16 is not f32")


if __name__ == "__main__":
    support.main()
