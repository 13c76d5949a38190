"""Runs every command of the README: those of a user's session in their order, the measuring ones cut short.

What validation/run.sh runs anyway (set-up, build, both of the two commands, the tests) is looked up there instead, and so are the
studies that it leaves out and names.
"""

import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

import support

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Command of the README, and how validation/run.sh says the same.
RUN_BY_THE_SUITE = {
    "jobscripts/quickstart.sh": "jobscripts/quickstart.sh",
    "validation/run.sh": "validation/run.sh",
    "jobscripts/setup.sh": "jobscripts/setup.sh",
    "cmake --preset release && cmake --build --preset release": "build release",
    "ctest --preset release --label-regex parity": "ctest --preset release",
    "ctest --preset release -L nightly": "ctest --preset release -L nightly",
}
# What makes a long command short without changing what it does, by the words it begins with.
CUT_SHORT = {
    "mpirun -n 2 build/release/tenfold prepare": "--tokenizer.vocabulary_size=2000",
    "mpirun -n 2 build/release/tenfold pretrain": "--run.steps=2 --data.global_batch=4 --validation.sequences=4 --optimizer.warmup_steps=1",
    "tenfold bench": "--bench.steps=1 --data.global_batch=32",
    "/usr/bin/python3 validation/peers/compare.py":
        "--cores 1 --precision f32 --repeats 1 --seconds 1 --global-batch 2 --micro-batch 2",
    "/usr/bin/python3 validation/peers/prepare.py": "--megabytes 4 --repeats 1",
    "/usr/bin/python3 validation/scaling/two_ranks.py": "--repeats 1 --global-batch 4 --bench.steps=1 --model.layers=2 --precision.compute=bf16",
    "/usr/bin/python3 validation/scaling/methods.py":
        "--repeats 1 --methods tupe-r bert+notes --data.global_batch=4 --bench.steps=1 --model.layers=2 --precision.compute=bf16",
    "/usr/bin/python3 validation/scaling/memory.py": "--data.global_batch=64 --optimizer.warmup_steps=1",
    "/usr/bin/python3 validation/convergence/run.py":
        "--name {folder}/study --methods bert tupe-r --run.steps=4 --validation-every 2 --data.global_batch=4"
        " --validation.sequences=4 --optimizer.warmup_steps=1",
}


def commands_of(readme):
    """Lines of the sh blocks, continuations joined and comments dropped, then what the table of measurements names."""
    lines = []
    for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL):
        lines += [line.split(" # ")[0].strip() for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"^\|.*\| `([^`]+)` \|$", readme, re.MULTILINE)
    return [re.sub(r"\s+", " ", line) for line in lines if line]


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("inputs", "jobscripts", "validation"):
            (self.folder / name).symlink_to(ROOT / name)
        release = self.folder / "build/release"
        release.mkdir(parents=True)
        (release / "tenfold").symlink_to(support.program)

    def run_command(self, command):
        extra = next((words for start, words in CUT_SHORT.items() if command.startswith(start)), "").format(folder=self.folder)
        for word, suffix in (("CORPUS", "h5"), ("TEXT", "txt")):
            command = command.replace(word, str(self.folder / f"corpora/demo/demo.{suffix}"))
        environment = {**support.ENVIRONMENT, "PATH": f"{self.folder / 'build/release'}:{support.ENVIRONMENT['PATH']}"}
        done = subprocess.run(f"{command} {extra}", shell=True, cwd=self.folder, env=environment, timeout=support.TIMEOUT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, f"{command} {extra}\n{done.stdout}")

    def test_every_command_runs(self):
        suite = (ROOT / "validation/run.sh").read_text()
        commands = commands_of((ROOT / "README.md").read_text())
        self.assertGreaterEqual(len(commands), 10)
        for command in commands:
            with self.subTest(command):
                if command in RUN_BY_THE_SUITE:
                    self.assertIn(RUN_BY_THE_SUITE[command], suite)
                else:
                    self.run_command(command)


if __name__ == "__main__":
    support.main()
