#!/usr/bin/env python3
"""A run that is stopped, killed or moved to other ranks goes on as if nothing had been.

    resume_test.py TENFOLD
"""

import os
import random
import signal
import time

import h5py
import numpy

import seal
import support

RANKS = 2
STEPS = 200
KEYS = {"run.steps": STEPS}
STOPPED = 75


class Resume(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.enterClassContext(support.temporary_run())
        cls.whole.pretrain(RANKS, KEYS)

    def stop(self, run, step, send):
        """Starts or resumes a run and stops it after that step; the step to which it came."""
        with run.start(RANKS, KEYS) as job:
            job.wait_for_step(step)
            send(job)
            result = support.expect_code(STOPPED, job.end())
        last = int(run.trace()["step"][-1])
        self.assertLess(last, STEPS, "over before the signal came")
        self.assertEqual(run.checkpoints()[-1].name, f"step-{last:08d}.h5")
        self.assertIn(f"stopped on request after step {last}", result.stdout)
        return last

    def expect_same_end(self, run):
        """Checkpoint and losses as without the interruption."""
        (expected,) = self.whole.checkpoints()
        self.assert_same_bits(support.state(run.checkpoints()[-1]), support.state(expected))
        for table in ("train", "validation"):
            trace, reference = run.trace(table), self.whole.trace(table)
            for column in (name for name in reference if not name.startswith("seconds")):
                self.assertEqual(trace[column].tobytes(), reference[column].tobytes(), f"{table}/{column}")

    def test_stopped_by_either_signal_and_resumed_is_the_same_run(self):
        run = self.folder()
        first = self.stop(run, 20, lambda job: job.process.send_signal(signal.SIGUSR1))
        self.stop(run, first + 20, lambda job: os.kill(job.ranks()[-1], signal.SIGTERM))
        self.assertIn("resumed at step", run.pretrain(RANKS, KEYS).stdout)
        self.expect_same_end(run)
        self.assertEqual(run.checkpoints()[-1].read_bytes(), self.whole.checkpoints()[-1].read_bytes())
        run.pretrain(RANKS, KEYS)  # nothing is left to do
        self.expect_same_end(run)

    def test_resumed_on_other_ranks_follows_the_curve(self):
        stopped = self.folder()
        step = self.stop(stopped, 40, lambda job: job.process.send_signal(signal.SIGUSR1))
        reference = self.whole.trace()["loss"]
        for ranks in (None, 3, 4):
            run = stopped.copy(self.folder())
            run.pretrain(ranks, KEYS)
            self.assertEqual(run.trace()["loss"][:step].tobytes(), reference[:step].tobytes(), "rows from before")
            nearby = slice(step, step + 50)
            self.assert_close(run.trace()["loss"][nearby], reference[nearby], 1e-5, f"{ranks} ranks from step {step}")

    def test_resumed_on_any_ranks_has_the_same_bits(self):
        # With a weight that is no number every step is skipped, and what is saved is what was restored.
        source = self.whole.copy(self.folder())
        (file,) = source.checkpoints()
        with h5py.File(file, "r+") as checkpoint:
            checkpoint["tensors/weights/embeddings.layer_norm.weight"][3] = numpy.nan
        seal.reseal(file)
        before = support.state(file)
        steps = STEPS + 3
        for ranks in (None, 2, 3, 4):
            run = source.copy(self.folder())
            run.pretrain(ranks, {**KEYS, "run.steps": steps})
            after = support.state(run.checkpoints()[-1])
            self.assertEqual(after["integers@skipped_in_row"], 3)
            self.assertEqual(after["integers@step"], steps)
            unchanged = [name for name in before if not name.startswith(("integers@s", "integers@tokens", "@step"))]
            self.assert_same_bits({name: after[name] for name in unchanged}, {name: before[name] for name in unchanged})

    def test_killed_at_any_moment_resumes_to_the_same_bits(self):
        draw = random.Random()  # other moments each time
        run = self.folder()
        reached = 0
        for attempt in range(5):
            with run.start(RANKS, {**KEYS, "checkpoint.every": 1}) as job:
                job.wait_for("^saved ")
                ranks = job.ranks()
                if attempt % 2 == 0:
                    time.sleep(draw.uniform(0, 0.05))
                else:
                    wait_for_a_save(run, job)
                for rank in ranks:
                    os.kill(rank, signal.SIGKILL)
                self.assertNotEqual(job.end().returncode, 0, "over before it was killed")
            saved = int(run.checkpoints()[-1].stem[-8:])
            self.assertGreater(saved, reached, "a saved step is never lost")
            reached = saved
        run.pretrain(RANKS, KEYS)
        self.assertEqual(list(run.run.glob("checkpoints/*.part")), [])
        self.expect_same_end(run)


def wait_for_a_save(run, job):
    """Until a checkpoint is being written."""
    while job.process.poll() is None and not list(run.run.glob("checkpoints/*.part")):
        pass


if __name__ == "__main__":
    support.main()
