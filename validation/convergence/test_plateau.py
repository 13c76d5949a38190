"""The context-free losses against sums over all pairs of true and visible token."""

import unittest

import numpy as np

import plateau


class PlateauTest(unittest.TestCase):
    def setUp(self):
        generator = np.random.default_rng(1)
        self.expected = generator.integers(0, 50, 20)
        self.seen = generator.integers(0, 50, 20)
        self.seen[:3] = 0  # [PAD], [UNK] and [CLS] do not occur

    def test_pairs(self):
        p = (self.expected + 1) / (self.expected + 1).sum()
        q = self.seen / self.seen.sum()
        for leave, replace in ((0.1, 0.1), (0.3, 0.0), (0.0, 0.3), (0.0, 0.0)):
            channel = leave * np.eye(20)  # [true, visible]; the last column is [MASK]
            channel[:, 6:] += replace / 14
            channel = np.column_stack([channel, np.full(20, 1 - leave - replace)])
            joint = p[:, None] * channel
            with np.errstate(divide="ignore", invalid="ignore"):
                loss = -np.nansum(q[:, None] * channel * np.log(joint / joint.sum(0)))
            self.assertAlmostEqual(plateau.best_without_context(self.seen, self.expected, leave, replace), loss)

    def test_all_masked_is_the_unigram_cross_entropy(self):
        masked = plateau.best_without_context(self.seen, self.expected, 0.0, 0.0)
        self.assertAlmostEqual(masked, plateau.cross_entropy(self.seen, self.expected))

    def test_cross_entropy_of_a_uniform_corpus(self):
        counts = np.full(32, 7)
        self.assertAlmostEqual(plateau.cross_entropy(counts, counts), np.log(32))


if __name__ == "__main__":
    unittest.main()
