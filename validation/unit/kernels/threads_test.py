"""The unit tests of the kernels pass with three threads, and every value that they read has the same bits as with one.

threads_test.py PROGRAM: runs the program of the tests twice.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)


def bits_by_test(threads):
    """What each test of an op read, as one number (OpTest in op_test.hpp)."""
    with tempfile.NamedTemporaryFile(suffix=".json") as results:
        command = [PROGRAM, f"--gtest_output=json:{results.name}", "--gtest_filter=-*/cuda_*"]
        run = subprocess.run(command, env={**os.environ, "TENFOLD_TEST_THREADS": str(threads)}, capture_output=True, text=True)
        if run.returncode != 0:
            raise AssertionError(f"with {threads} threads: {run.stdout[-3000:]}{run.stderr[-3000:]}")
        suites = json.loads(pathlib.Path(results.name).read_text(encoding="utf-8"))["testsuites"]
    return {f"{suite['name']}.{test['name']}": test["bits"] for suite in suites for test in suite["testsuite"] if "bits" in test}


class Threads(unittest.TestCase):
    def test_three_threads_compute_the_bits_of_one(self):
        alone, together = bits_by_test(1), bits_by_test(3)
        self.assertGreater(len(alone), 100)
        differing = [name for name in alone if alone[name] != together[name]]
        self.assertEqual(differing, [])


if __name__ == "__main__":
    unittest.main()
