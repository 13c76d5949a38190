#!/usr/bin/env python3
"""When something goes wrong on one rank of a training run, all ranks end soon and say what happened where.

    failure_test.py TENFOLD
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time

import h5py

import support

RANKS = 3
ENDLESS = {"run.steps": 1000000}
STALL_TIMEOUT = 5
PLACE = r"step \d+ in tenfold::\w+::\w+"
HOST = r"\(host \S+\)"


def flip_a_bit(pid, pattern):
    """In the last byte of every place in the memory of a process that holds the pattern; how many there were."""
    flipped = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for begin, end in re.findall(r"^(\w+)-(\w+) rw.p ", maps.read(), re.MULTILINE):
            with contextlib.suppress(OSError):  # nothing is there to read, or no longer
                memory.seek(int(begin, 16))
                values = memory.read(int(end, 16) - int(begin, 16))
                for match in re.finditer(re.escape(pattern), values):
                    memory.seek(int(begin, 16) + match.end() - 1)
                    memory.write(bytes([values[match.end() - 1] ^ 1]))
                    flipped += 1
    return flipped


class Failure(support.TestCase):
    def expect_end(self, job, ranks):
        """The finished process; none of its ranks is left behind. What ended it, its words tell."""
        result = job.end()
        deadline = time.monotonic() + support.TIMEOUT
        while any(os.path.exists(f"/proc/{pid}") for pid in ranks):
            self.assertLess(time.monotonic(), deadline, "a rank is still there")
            time.sleep(0.05)
        self.assertNotIn(result.returncode, (0, 75), result.stderr)
        return result

    def send_to_one_rank(self, number, keys):
        run = self.folder()
        with run.start(RANKS, {**ENDLESS, **support.EVERYTHING, **keys}) as job:
            job.wait_for_step(5)
            ranks = job.ranks()
            self.assertEqual(len(ranks), RANKS)
            victim = random.choice(ranks)
            os.kill(victim, number)
            return victim, self.expect_end(job, ranks).stderr

    def test_a_killed_rank_ends_all_and_is_named(self):
        victim, said = self.send_to_one_rank(signal.SIGKILL, {})
        self.assertRegex(said, rf"tenfold: rank \d \(host \S+, pid {victim}\) died at {PLACE}")

    def test_a_stopped_rank_ends_all_and_is_named(self):
        victim, said = self.send_to_one_rank(signal.SIGSTOP, {"parallel.stall_timeout": STALL_TIMEOUT})
        self.assertRegex(said, rf"tenfold: rank \d \(host \S+, pid {victim}\) stalled for \d+ s at {PLACE}")

    def test_a_stopped_rank_ends_prepare_and_is_named(self):
        run = self.folder()
        text, model = run.path / "text.txt", run.path / "tokenizer.model"
        text.write_text(support.english_looking_text(1, 200) * 400)
        with h5py.File(support.corpus()) as corpus:
            model.write_bytes(corpus["tokenizer"][()].tobytes())
        words = support.command("prepare", f"--corpus.text={text}", "--corpus.file=corpus.h5", "--corpus.valid_fraction=0.05",
                                f"--tokenizer.model={model}", f"--parallel.stall_timeout={STALL_TIMEOUT}", ranks=RANKS)
        with support.Job(words, run.path) as job:
            job.wait_for("^count ", job.errors)  # the next pass begins
            ranks = job.ranks()
            victim = random.choice(ranks)
            os.kill(victim, signal.SIGSTOP)
            said = self.expect_end(job, ranks).stderr
        self.assertRegex(said, rf"tenfold: rank \d \(host \S+, pid {victim}\) stalled for \d+ s at step 0 in tenfold::prepare::\w+")

    def test_a_damaged_corpus_ends_all_and_is_named(self):
        run = self.folder()
        damaged = shutil.copy(support.corpus(), run.path / "damaged.h5")
        with h5py.File(damaged) as corpus:
            tokens = corpus["train/tokens"]
            last = tokens.id.get_chunk_info(tokens.id.get_num_chunks() - 1)
        with open(damaged, "r+b") as file:
            file.seek(last.byte_offset + 100)
            byte = file.read(1)[0]
            file.seek(last.byte_offset + 100)
            file.write(bytes([byte ^ 16]))
        with run.start(RANKS, {**ENDLESS, "data.corpus": damaged, "data.global_batch": RANKS}) as job:
            job.wait_for(r"^new run at step 0")
            ranks = job.ranks()
            job.wait_for("^tenfold: error", job.errors)
            result = self.expect_end(job, ranks)
        self.assertRegex(result.stderr, rf"tenfold: error on rank \d of {RANKS} {HOST}: \S*damaged\.h5.*step \d+")

    def test_a_bit_that_flips_in_one_rank_ends_all_and_is_named(self):
        run = self.folder()
        keys = {"optimizer.learning_rate": 0, "checkpoint.every": 50, "checkpoint.keep": 1000, "parallel.replica_check_every": 7}
        with run.start(RANKS, {**ENDLESS, **keys}) as job:
            job.wait_for("^saved ")
            ranks = job.ranks()
            victim = random.choice(ranks)
            rank = job.wait_for(rf"^(\d) +\S+ +{victim} ")[1]
            weights = support.contents(run.checkpoints()[0])["tensors/weights/embeddings.token.weight"]
            self.assertGreater(flip_a_bit(victim, weights[100].tobytes()), 0)
            said = self.expect_end(job, ranks).stderr
        (line,) = support.our_lines(said)
        step = run.trace()["step"][-1]
        self.assertEqual(step % 7, 0)
        self.assertRegex(line, rf"error on rank {rank} of {RANKS} {HOST}: .*drifted: after step {step} .* of rank {rank} {HOST}")

    def test_tasks_of_a_launcher_that_mpi_does_not_know_are_refused(self):
        # As the mpiexec of another MPI starts them.
        for task in (0, 1):
            environment = {**support.ENVIRONMENT, "PMI_SIZE": "3", "PMI_RANK": str(task)}
            result = subprocess.run(support.command("--version"), env=environment, capture_output=True, text=True, timeout=support.TIMEOUT)
            support.expect_code(2, result)
            self.assertEqual(result.stdout, "")
            self.assertRegex(result.stderr, r"^tenfold: error: 3 tasks .*do not know each other.*mpirun.*\n$" if task == 0 else "^$")
        alone = subprocess.run(support.command("--version"), env={**support.ENVIRONMENT, "PMI_SIZE": "1", "PMI_RANK": "0"}, timeout=support.TIMEOUT,
                               capture_output=True, text=True)
        support.expect_code(0, alone)

    def test_steps_that_are_not_finite_are_counted_and_then_end_the_run(self):
        run = self.folder()
        result = run.pretrain(RANKS, {**ENDLESS, "optimizer.learning_rate": 1e30}, code=1)
        (line,) = support.our_lines(result.stderr)
        self.assertRegex(line, r"not finite in 10 steps in a row.*optimizer\.learning_rate")
        trace = run.trace()
        self.assertEqual(trace["skipped"][-11:].tolist(), [0] + [1] * 10)
        self.assertIn("SKIPPED", result.stdout)


if __name__ == "__main__":
    support.main()
