#!/usr/bin/env python3
"""The README tells the truth: what it names exists, and its step-by-step commands work as they stand.

    readme_test.py TENFOLD

The commands of the program are run as written, in a folder that looks like a built repository, but for a small text
instead of the demonstration corpus and, in the end, a smaller model and fewer steps (later keys win).
"""

import pathlib
import re
import subprocess

import support

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SMALLER = {
    "prepare": [f"--tokenizer.vocabulary_size={support.VOCABULARY}"],
    "pretrain": ["--run.steps=3", "--data.global_batch=4", "--data.sequence_length=32", "--model.layers=1", "--model.width=32",
                 "--model.heads=2", "--model.feed_forward=64", "--validation.sequences=8"],
}


def shell_blocks():
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def program_commands():
    """Command lines that call the program, in order, continuation lines joined."""
    lines = "".join(shell_blocks()).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if re.search(r"/tenfold (?!--)", line)]


class Readme(support.TestCase):
    def test_what_it_names_exists(self):
        folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"build", "corpora", "runs"}
        named = set(re.findall(rf"(?<![\w/-])((?:{'|'.join(folders)})/[\w./-]*\w)", README))
        self.assertGreater(len(named), 5)
        self.assertEqual([path for path in sorted(named) if not (ROOT / path).exists()], [])

    def test_its_commands_work_in_their_order(self):
        folder = self.folder().path
        for name in ("inputs", "jobscripts", "validation"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "build/release").mkdir(parents=True)
        (folder / "build/release/tenfold").symlink_to(support.program)
        (folder / "corpora/demo").mkdir(parents=True)
        (folder / "corpora/demo/demo.txt").write_text(support.english_looking_text(1, 150))
        environment = {**support.ENVIRONMENT, "OMPI_MCA_rmaps_base_oversubscribe": "1"}

        commands = program_commands()
        self.assertGreaterEqual(len(commands), 3)
        for line in commands:
            command = re.search(r"/tenfold (\w+)", line)[1]
            result = subprocess.run(["bash", "-c", " ".join([line, *SMALLER.get(command, [])])], cwd=folder, env=environment,
                                    capture_output=True, text=True, timeout=support.TIMEOUT)
            support.expect_code(0, result)


if __name__ == "__main__":
    support.main()
