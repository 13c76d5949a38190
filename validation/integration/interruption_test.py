#!/usr/bin/env python3
"""A test whose parent (CTest) is killed leaves no process behind: no rank, no daemon.

    interruption_test.py TENFOLD
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest
import uuid

import support
from slurm import cluster

HERE = pathlib.Path(__file__).resolve().parent
RANKS = 2
SECONDS = 20
ENDLESS_RUN = """
import sys, support
support.program = sys.argv[1]
support.contain()
with support.temporary_run() as run, run.start(2, {"run.steps": 1000000}) as job:
    job.end()
"""
# Waits for its child as CTest does; the child is what follows.
PARENT = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", sys.executable]


def programs_with(mark):
    """Executables of all processes in whose environment this stands, by process id."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = os.readlink(entry / "exe")
        except OSError:  # it has ended
            continue
    return found


def kill(processes):
    for pid in processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Interruption(support.TestCase):
    def expect_nothing_left(self, *words):
        """Of what a test started, once its parent is killed while ranks are at work."""
        mark = f"MARK={uuid.uuid4()}"
        environment = {**support.ENVIRONMENT, **dict([mark.split("=")]), "PYTHONPATH": str(HERE), "TMPDIR": str(self.folder().path)}
        self.addCleanup(kill, lambda: programs_with(mark))
        parent = subprocess.Popen([*PARENT, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        deadline = time.monotonic() + support.TIMEOUT
        while list(programs_with(mark).values()).count(support.program) < RANKS:
            self.assertIsNone(parent.poll(), "it ended too soon")
            self.assertLess(time.monotonic(), deadline, "no ranks")
            time.sleep(0.05)
        parent.kill()
        deadline = time.monotonic() + SECONDS
        while left := programs_with(mark):
            self.assertLess(time.monotonic(), deadline, left)
            time.sleep(0.05)

    def test_a_run_under_mpirun(self):
        support.corpus()
        self.expect_nothing_left("-c", ENDLESS_RUN, support.program)

    @unittest.skipIf(cluster.missing(), "no Slurm to start")
    def test_a_cluster_and_its_jobs(self):
        self.expect_nothing_left(str(HERE / "slurm" / "slurm_test.py"), support.program)


if __name__ == "__main__":
    support.main()
