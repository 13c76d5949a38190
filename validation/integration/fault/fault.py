#!/usr/bin/env python3
"""Starts three ranks of fault_program, lets one go wrong, and checks that all end in time and say what happened.

    fault.py CASE PROGRAM --mpiexec mpirun -n 3
    fault.py --list
"""

import argparse
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ending import contain

PATIENCE = 300  # seconds after which a rank counts as left behind; who ended the job, and why, its words tell
RANKS = 3


@dataclasses.dataclass
class Case:
    """What must be true: exit code (None: any but 0), and expressions that standard error matches."""

    fault: str
    says: list
    code: int | None = None
    kill: signal.Signals | None = None  # sent to rank 1
    end_job: signal.Signals | None = None  # sent to mpiexec
    file: bool = False
    lines: int | None = None  # how many lines begin with "tenfold:"


HOST = r"\(host \S+\)"
RANK_1 = r"rank 1 \(host \S+, pid {pid}\)"
TABLE = [r"tenfold:   rank 0 \(host \S+, pid \d+\): step \d+ in tenfold::fault::\w+", r"tenfold:   rank 2 \(host"]
THROWN = rf"tenfold: error on rank 1 of 3 {HOST}: matrix is not finite \[.*fault_program.cpp:\d+, in tenfold::fault::compute, step 20\]"
DIED = rf"tenfold: {RANK_1} died at step \d+ in tenfold::fault::\w+"
STALLED = rf"tenfold: {RANK_1} stalled for \d+ s at step \d+ in tenfold::fault::\w+"
AT_ITS_PLACE = rf"tenfold: {RANK_1} .*at step 20 in tenfold::fault::compute"

CASES = {
    "throw": Case("throw", [THROWN], code=1),
    "throw_with_file": Case("throw", [THROWN], code=1, file=True),
    "foreign_exception": Case("foreign", [rf"tenfold: error on rank 1 of 3 {HOST}: index 7 of 5 \[in tenfold::fault::compute"], code=1),
    "agreed": Case("agreed", [rf"tenfold: error on rank 1 of 3 {HOST}: disk full"], code=1, lines=1),
    "agreed_with_file": Case("agreed", [rf"tenfold: error on rank 1 of 3 {HOST}: disk full"], code=1, lines=1, file=True),
    "input": Case("input", ["tenfold: error: model.heads does not divide model.width"], code=2, lines=1),
    "input_of_one": Case("input-of-one", [rf"tenfold: error on rank 1 of 3 {HOST}: cannot read text.gz"], code=2),
    "exit": Case("exit", [DIED, AT_ITS_PLACE] + TABLE),
    "exit_with_file": Case("exit", [DIED, AT_ITS_PLACE] + TABLE, file=True),
    "kill": Case("none", [DIED] + TABLE, kill=signal.SIGKILL),
    "kill_with_file": Case("none", [DIED] + TABLE, kill=signal.SIGKILL, file=True),
    "kill_of_a_stoppable_run": Case("stoppable", [DIED] + TABLE, kill=signal.SIGKILL),
    "crash": Case("none", [DIED] + TABLE, kill=signal.SIGSEGV),
    "stop": Case("none", [STALLED, "stopped by a signal"] + TABLE, kill=signal.SIGSTOP),
    "end_of_job": Case("none", [], end_job=signal.SIGTERM, lines=0),  # nobody takes the others' end for a fault
    "hang": Case("hang", [STALLED + r"\n", AT_ITS_PLACE] + TABLE),
    "lonely_collective": Case("lonely", [r"tenfold: every rank of host \S+ waits for others",
                                         r"rank 1 .*waiting in MPI_Barrier", r"rank 0 .*waiting in MPI_Allreduce"]),
}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Run:
    """The job: its ranks' process ids, when the fault came, and what was said."""

    def __init__(self, command):
        self.job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pids = {}
        self.fault_time = None
        self.output = []
        self.errors = []
        self.readers = [threading.Thread(target=self.read_output, daemon=True), threading.Thread(target=self.read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def read_output(self):
        for line in self.job.stdout:
            self.output.append(line)
            if match := re.match(r"rank (\d) pid (\d+)", line):
                self.pids[int(match[1])] = int(match[2])
            if line == "fault now\n":
                self.fault_time = time.monotonic()

    def read_errors(self):
        for line in self.job.stderr:
            self.errors.append(line)

    def wait_until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {PATIENCE} s: {what}")
            time.sleep(0.02)

    def end(self):
        for pid in [*self.pids.values(), self.job.pid]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def check(case, run):
    run.wait_until(lambda: (run.fault_time is not None and len(run.pids) == RANKS) or run.job.poll() is not None, "all ranks at work")
    assert len(run.pids) == RANKS, "the ranks did not start"
    start = run.fault_time
    if case.kill is not None or case.end_job is not None:
        time.sleep(0.3)
        start = time.monotonic()
        os.kill(*((run.pids[1], case.kill) if case.kill is not None else (run.job.pid, case.end_job)))
    gone = lambda: run.job.poll() is not None and not any(alive(pid) for pid in run.pids.values())
    run.wait_until(gone, "the end of all ranks")
    seconds = time.monotonic() - start
    for reader in run.readers:
        reader.join(5)
    said = "".join(run.errors)
    assert "ended without a fault\n" not in run.output, "the ranks went on"
    assert run.job.returncode == case.code if case.code is not None else run.job.returncode != 0, f"exit code {run.job.returncode}"
    for expression in case.says:
        expression = expression.replace("{pid}", str(run.pids[1]))
        assert re.search(expression, said), f"standard error lacks: {expression}"
    ours = [line for line in said.splitlines() if line.startswith("tenfold:")]
    assert case.lines is None or len(ours) == case.lines, f"{len(ours)} lines of ours, expected {case.lines}"
    print(f"all {RANKS} ranks ended in {seconds:.1f} s with exit code {run.job.returncode}:")
    print("\n".join(ours))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("case", nargs="?", choices=CASES)
    parser.add_argument("program", nargs="?")
    parser.add_argument("--mpiexec", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(CASES))
        return 0
    contain()
    case = CASES[arguments.case]
    with tempfile.TemporaryDirectory() as folder:
        file = [os.path.join(folder, "open.h5")] if case.file else []
        run = Run([*arguments.mpiexec, arguments.program, case.fault, *file])
        try:
            check(case, run)
        except AssertionError as failure:
            print(f"FAILED: {failure}\n--- standard output\n{''.join(run.output)}--- standard error\n{''.join(run.errors)}", file=sys.stderr)
            return 1
        finally:
            run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
