#!/usr/bin/env python3
"""What validation/supervise.py runs leaves no process behind, however it ends.

    supervise_test.py
"""

import pathlib
import signal
import subprocess
import sys
import time
import unittest

SUPERVISE = pathlib.Path(__file__).resolve().parents[1] / "supervise.py"
PATIENCE = 60  # seconds, on a loaded machine

# Three that go on for ever: one in the background, which a shell tells to ignore an interrupt, one that left for a session of its
# own, as a daemon does, and, unless the command is to end, the command itself.
COMMAND = """
sleep {mark} &
/usr/bin/python3 -c 'import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "{mark}"])
    os._exit(0)
os.wait()'
{end}
"""


def alive(mark):
    """How many sleep so long."""
    found = 0
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            found += (entry / "cmdline").read_bytes() == f"sleep\0{mark}\0".encode()
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class Supervise(unittest.TestCase):
    def wait_for(self, count, mark):
        deadline = time.monotonic() + PATIENCE
        while alive(mark) != count:
            self.assertLess(time.monotonic(), deadline, f"{alive(mark)} processes instead of {count}")
            time.sleep(0.05)

    def start(self, mark, end):
        return subprocess.Popen([SUPERVISE, "sh", "-c", COMMAND.format(mark=mark, end=end)])

    def test_interrupted_ended_or_killed(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            with self.subTest(number.name):
                mark = f"86400.{int(number)}{time.monotonic_ns()}"
                with self.start(mark, f"exec sleep {mark}") as process:
                    self.wait_for(3, mark)
                    process.send_signal(number)
                    self.assertEqual(process.wait(PATIENCE), -number if number == signal.SIGKILL else 128 + number)
                self.wait_for(0, mark)

    def test_with_its_parent(self):
        mark = f"86400.9{time.monotonic_ns()}"
        with subprocess.Popen(["sh", "-c", '"$@" & wait', "sh", SUPERVISE, "--with-parent", "sh", "-c",
                               COMMAND.format(mark=mark, end=f"exec sleep {mark}")]) as parent:
            self.wait_for(3, mark)
            parent.kill()
        self.wait_for(0, mark)

    def test_ended_by_itself(self):
        for code in (0, 3):
            mark = f"86400.{code}{time.monotonic_ns()}"
            with self.start(mark, f"exit {code}") as process:
                self.assertEqual(process.wait(PATIENCE), code)
            self.assertEqual(alive(mark), 0)

    def test_a_command_that_died_of_a_signal(self):
        self.assertEqual(subprocess.run([SUPERVISE, "sh", "-c", "kill -9 $$"], timeout=PATIENCE).returncode, 128 + signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
