#!/usr/bin/env python3
"""SIGUSR1 and SIGTERM at any moment: a run saves and exits with 75, or with 0 where it was done; nothing is ever damaged.

    signal_test.py TENFOLD          (SIGNAL_RUNS=30: so many runs with a signal at a random moment, otherwise 3)

The runs use oneDNN's f32 products for AVX2, in which the stack register points into a heap buffer for much of the time: a
signal handler on the normal stack would write into it.
"""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time

import support

RANKS = 2
SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
STOPPED = 75
ENDED = {0, STOPPED}
ENDLESS = {"run.steps": 1000000}
RUNS = int(os.environ.get("SIGNAL_RUNS", "3"))
STEPS = 4
KEYS = {"run.steps": STEPS, "data.sequence_length": 128, "data.global_batch": 32, "model.width": 256,
        "model.heads": 4, "model.feed_forward": 1024, "precision.compute": "f32", "validation.every": 1000000, "validation.sequences": 8}


def setUpModule():
    support.ENVIRONMENT["ONEDNN_MAX_CPU_ISA"] = "AVX2"


def mask(task, name):
    """The signals of a field of /proc/PID/task/TID/status as a set of numbers."""
    (line,) = (line for line in (task / "status").read_text().splitlines() if line.startswith(name))
    bits = int(line.split()[1], 16)
    return {number for number in range(1, 65) if bits >> (number - 1) & 1}


def wait_until_blocked(pid):
    """Until main has begun: the loader's part is over."""
    while not mask(pathlib.Path(f"/proc/{pid}"), "SigBlk").issuperset(SIGNALS):
        time.sleep(0.0005)


def bombard(pids, period):
    """Both signals in turn to all of these until one has ended; how many were sent."""
    sent = 0
    with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
        while True:
            for pid in pids:
                if "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]:
                    return sent
                os.kill(pid, SIGNALS[sent % 2])
                sent += 1
            time.sleep(period)
    return sent


class Signals(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        support.corpus()
        cls.whole = cls.enterClassContext(support.temporary_run())
        start = time.monotonic()
        cls.whole.pretrain(RANKS, KEYS)
        cls.seconds = time.monotonic() - start

    def start(self, run, keys=None):
        """A run whose ranks have begun, and their process ids."""
        job = self.enterContext(run.start(RANKS, keys or KEYS))
        while len(pids := job.ranks()) != RANKS:
            self.assertIsNone(job.process.poll())
        for pid in pids:
            wait_until_blocked(pid)
        return job, pids

    def expect_whole(self, run, code):
        """The saved step is the last; resumed to the end, the bits of the undisturbed run are there."""
        step = STEPS if code == 0 else int(run.trace()["step"][-1])
        self.assertEqual(run.checkpoints()[-1].name, f"step-{step:08d}.h5")
        if code != 0:
            run.pretrain(RANKS, KEYS)
        (expected,) = self.whole.checkpoints()
        self.assert_same_bits(support.state(run.checkpoints()[-1]), support.state(expected))
        self.assertEqual(run.trace()["loss"].tobytes(), self.whole.trace()["loss"].tobytes())

    def test_no_thread_can_be_interrupted_by_them(self):
        job, ranks = self.start(self.folder(), ENDLESS)
        job.wait_for_step(1)
        for pid in ranks:
            tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
            self.assertGreater(len(tasks), 2)
            open_to_them = [task for task in tasks if not mask(task, "SigBlk").issuperset(SIGNALS)]
            self.assertEqual(len(open_to_them), 1, "only the thread that waits for them")
            self.assertFalse(mask(tasks[0], "SigCgt").intersection(SIGNALS), "a handler")

    def test_every_few_milliseconds_from_the_first_to_the_last(self):
        run = self.folder()
        job, ranks = self.start(run)
        self.assertGreater(bombard(ranks, 0.01), 20)
        support.expect_code(STOPPED, job.end())
        self.assertEqual(run.trace()["step"].tolist(), [1], "a signal before the first step stops after it")
        self.expect_whole(run, STOPPED)

    def test_one_at_a_random_moment(self):
        seed = random.randrange(2**32)
        draw = random.Random(seed)
        for number in range(RUNS):
            run = self.folder()
            wait, kind = draw.uniform(0, self.seconds), draw.choice(SIGNALS)
            with self.subTest(seed=seed, number=number, wait=wait, kind=kind):
                job, ranks = self.start(run)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    job.process.wait(wait)
                with contextlib.suppress(ProcessLookupError):  # it may have ended
                    os.kill(draw.choice(ranks), kind)
                result = job.end()
                self.assertIn(result.returncode, ENDED, result.stderr)
                self.expect_whole(run, result.returncode)

    def test_after_the_last_save_the_run_is_done(self):
        job, ranks = self.start(self.folder(), {"run.steps": 3})
        job.wait_for("^saved ")
        bombard(ranks, 0.0005)
        support.expect_code(0, job.end())

    def test_where_nothing_is_saved_they_end_the_process(self):
        for kind in SIGNALS:
            arguments = [f"--{key}={value}" for key, value in support.SETTINGS.items() if key.startswith(("data.", "model."))]
            words = support.command("bench", *arguments, "--bench.steps=1000000", "--parallel.threads=1",
                                    f"--tokenizer.vocabulary_size={support.VOCABULARY}")
            with support.Job(words, self.folder().path) as job:
                job.wait_for("^rank +host ")
                job.process.send_signal(kind)
                self.assertEqual(job.end().returncode, -kind)


if __name__ == "__main__":
    support.main()
