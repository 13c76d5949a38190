#!/usr/bin/env python3
"""Ranks on two hosts: none is ended while another works, a host that is cut off is named, and all end in time.

    hosts_test.py TENFOLD FAULT_PROGRAM          exit code 77: no network namespaces here
"""

import os
import sys
import time

import support
from hosts import Hosts, missing

SKIPPED = 77
RANKS = (1, 2)  # on alpha and beta
STALL_TIMEOUT = 5
SECONDS = 10  # that it may take beyond the stall timeout
ENDED = "ended without a fault"

fault_program = None  # path, set below


class TwoHosts(support.TestCase):
    def setUp(self):
        self.run_folder = self.folder()
        self.hosts = self.enterContext(Hosts(self.run_folder.path))

    def start(self, *words):
        command = self.hosts.mpirun(RANKS, *words)
        return self.enterContext(support.Job(command, self.run_folder.path))

    def test_a_host_whose_ranks_wait_for_long_work_elsewhere_is_not_ended(self):
        job = self.start(fault_program, "busy")  # rank 1 works for three times the stall timeout
        result = support.expect_code(0, job.end())
        self.assertEqual(result.stdout.count(ENDED), sum(RANKS))
        self.assertEqual(support.our_lines(result.stderr), [])

    def test_ranks_that_wait_in_different_collectives_end_and_are_named(self):
        job = self.start(fault_program, "lonely")
        job.wait_for("^fault now")
        result = job.end(STALL_TIMEOUT + SECONDS)
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn(ENDED, result.stdout)
        self.assertRegex(result.stderr, r"tenfold: every rank of host alpha waits for others since \d+ s\n"
                                        r"tenfold: host beta waits since \d+ s, in MPI_\w+\n"
                                        r"tenfold:   rank 0 \(host alpha, .*waiting in MPI_Allreduce")

    def test_a_host_that_is_cut_off_is_named_and_both_sides_end(self):
        keys = {"run.steps": 1000000, "parallel.stall_timeout": STALL_TIMEOUT}
        job = self.start(support.program, *support.pretrain_arguments(keys))
        job.wait_for_step(20)
        ranks = [self.hosts.ranks(host, support.program) for host in (0, 1)]
        self.assertEqual(tuple(map(len, ranks)), RANKS)
        self.hosts.cut()
        end = time.monotonic() + STALL_TIMEOUT + SECONDS
        while any(os.path.exists(f"/proc/{pid}") for pid in ranks[0] + ranks[1]):
            self.assertLess(time.monotonic(), end, "a rank is still there")
            time.sleep(0.05)
        job.wait_for(r"^tenfold: every rank of host alpha waits for others since \d+ s\ntenfold: host beta went silent \d+ s ago$",
                     job.errors)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} TENFOLD FAULT_PROGRAM [unittest's arguments]")
    if reason := missing():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    fault_program = os.path.abspath(sys.argv.pop(2))
    support.main()
