#!/usr/bin/env python3
"""Bad input ends every rank with exit code 2 and one line that says what is wrong, before any work, and nothing is touched.

    bad_input_test.py TENFOLD
"""

import pathlib
import shutil
import subprocess

import h5py

import support

ALONE = (None,)
ALONE_AND_TWO = (None, 2)

# Overrides, and what the line must say: a case a path; the parser has its own tests.
KEYS = {
    "unknown": ({"model.colour": 3}, r"command line: unknown key model\.colour; did you mean model\.\w+\?"),
    "misspelt": ({"model.layer": 3}, r"unknown key model\.layer; did you mean model\.layers\?"),
    "of another command": ({"corpus.file": "x.h5"}, r"pretrain does not read corpus\.file"),
    "below range": ({"model.layers": 0}, r"model\.layers = 0 .*1"),
    "missing": ({"data.corpus": None}, r"data\.corpus is missing"),
    "heads": ({"model.heads": 5}, r"model\.width = 32 is not a multiple of model\.heads = 5"),
    "micro-batch": ({"data.micro_batch": 25}, r"data\.micro_batch = 25 is above .* share .* data\.global_batch = 24"),
    "ranks": ({"parallel.data": 5}, r"parallel\.data = 5 .* is not the number of ranks"),
    "candidates": ({"objective.kind": "multiple-choice", "objective.candidates": 500}, r"objective\.candidates = 500 .* fewer"),
    "vocabulary": ({"tokenizer.vocabulary_size": 9999}, r"tokenizer\.vocabulary_size = 9999, but .* has a vocabulary of \d+"),
    "memory": ({"model.layers": 1000, "model.width": 8192}, r"the tensors of the ranks on this host \(\d+\) need \d+ MiB"),
    "memory of batches": ({"data.global_batch": 999999999 - 999999999 % 6, "data.micro_batch": 1}, r"the tensors of the ranks on this host \(\d+\) need \d+ MiB"),
    "no folder": ({"run.folder": "file/run"}, r"run\.folder: cannot make file/run"),
    "no GPU": ({"run.device": "cuda"}, r"run\.device = cuda, but this program has no kernels for GPUs: build it with the preset cuda"),
    "no GPU to sum on": ({"parallel.communicator": "nccl"}, r"parallel\.communicator = nccl sums memory of GPUs, and this run is on the host"),
    "no checkpoint": ({"run.resume": "always"}, r"run\.resume = always, but .* no checkpoint"),
}


class BadInput(support.TestCase):
    def expect_refusal(self, run, arguments, words, ranks=ALONE):
        for count in ranks:
            before = files_of(run.path)
            result = support.expect_code(2, support.tenfold(*arguments, ranks=count, folder=run.path))
            lines = support.our_lines(result.stderr) if count else result.stderr.splitlines()
            self.assertEqual(len(lines), 1, result.stderr)
            self.assertRegex(lines[0], rf"^tenfold: error: .*{words}")
            self.assertEqual(files_of(run.path), before, f"{words}: something was left or touched")

    def test_keys(self):
        run = self.folder()
        (run.path / "file").write_text("a file\n")
        for name, (keys, words) in KEYS.items():
            with self.subTest(name):
                # One rank reads the sources and all parse the same text: what depends on files or processes is tried on two.
                both = keys.keys() & {"model.layer", "model.heads", "data.micro_batch", "model.layers", "parallel.data", "run.folder", "run.resume", "run.device",
                                      "parallel.communicator"}
                self.expect_refusal(run, support.pretrain_arguments(keys), words, ALONE_AND_TWO if both else ALONE)

    def test_batch_that_ranks_cannot_share(self):
        run = self.folder()
        self.expect_refusal(run, support.pretrain_arguments({"data.global_batch": 25}),
                            r"data\.global_batch = 25 cannot be shared by parallel\.data = 2", ranks=(2,))

    def test_key_given_twice_in_one_source(self):
        run = self.folder()
        run.path.joinpath("twice.ini").write_text("[model]\nlayers = 2\nwidth = 32\nlayers = 3\n")
        self.expect_refusal(run, ["pretrain", "twice.ini"], r"twice\.ini: model\.layers is given twice")
        self.expect_refusal(run, support.pretrain_arguments({}) + ["--model.width=64"], r"command line: model\.width is given twice",
                            ALONE_AND_TWO)

    def test_configuration_files(self):
        run = self.folder()
        for name, data in {"binary": bytes(range(256)), "prose": b"these are words\n", "unknown": b"[model]\nlayer = 3\n"}.items():
            (run.path / name).write_bytes(data)
        for name in ("nowhere.ini", "binary", "prose", "unknown", "."):
            with self.subTest(name):
                self.expect_refusal(run, ["pretrain", name], rf"{name}.*: \w")

    def test_command_lines(self):
        run = self.folder()
        for arguments, words in {("pretrian",): "did you mean pretrain", ("pretrain", "--model.layers"): r"--model\.layers",
                                 ("pretrain", "-x"): "-x", ("inspect",): "inspect takes one file"}.items():
            with self.subTest(arguments):
                self.expect_refusal(run, arguments, words)

    def test_files_that_are_no_corpus(self):
        run = self.folder()
        good = pathlib.Path(support.corpus()).read_bytes()
        for name, data in {"empty": b"", "text": b"some words\n" * 99, "binary": bytes(range(256)) * 99,
                           "truncated": good[:len(good) // 2], "short": good[:700]}.items():
            (run.path / name).write_bytes(data)
        with h5py.File(run.path / "foreign", "w") as file:
            file["numbers"] = range(9)
        with h5py.File(shutil.copy(support.corpus(), run.path / "newer"), "r+") as file:
            file.attrs.modify("schema", file.attrs["schema"] + 1)
        for name in ("nowhere", "empty", "text", "binary", "truncated", "short", "foreign", "newer", "."):
            with self.subTest(name):
                ranks = ALONE_AND_TWO if name in ("nowhere", "truncated") else ALONE
                self.expect_refusal(run, support.pretrain_arguments({"data.corpus": name}), rf"data\.corpus: {name}", ranks)
                self.expect_refusal(run, ["inspect", name], name)

    def test_resuming_another_run(self):
        run = self.folder()
        run.pretrain(keys={"run.steps": 4, "checkpoint.every": 2})
        other = run.path / "other.h5"
        (run.path / "text.txt").write_text(support.english_looking_text(2, 60))
        support.prepare(run.path / "text.txt", other, vocabulary_size=300)
        for keys, words in (
                ({"model.width": 64, "model.heads": 4}, r"model\.width \(32 .*64 .*model\.heads \(2 .*4 "),
                ({"optimizer.beta1": 0.8}, r"optimizer\.beta1 "), ({"run.seed": 9}, r"run\.seed "),
                ({"data.global_batch": 12}, r"data\.global_batch "), ({"precision.compute": "bf16"}, r"precision\.compute "),
                ({"data.corpus": other}, r"another corpus: .*other\.h5"), ({"run.steps": 3}, r"run\.steps = 3 ")):
            with self.subTest(words):
                ranks = ALONE_AND_TWO if "model.width" in keys or "data.corpus" in keys else ALONE
                self.expect_refusal(run, support.pretrain_arguments({"run.steps": 4, **keys}), words, ranks)
        run.pretrain(2, {"run.steps": 6, "checkpoint.keep": 5, "validation.every": 3, "data.micro_batch": 3})  # may differ

    def test_ranks_that_do_not_see_the_same(self):
        """Two ranks in folders of their own, as on hosts that share no disk."""
        run = self.folder()
        for name, seed in {"a": 3, "b": 4}.items():
            (run.path / name).mkdir()
            (run.path / name / "text.txt").write_text(support.english_looking_text(seed, 60))
            support.prepare(run.path / name / "text.txt", run.path / name / "corpus.h5", vocabulary_size=300)
        shared = {"run.folder": run.run, "data.corpus": run.path / "a/corpus.h5"}
        for keys, others, words in (({**shared, "data.corpus": "corpus.h5"}, {}, r"data\.corpus: corpus\.h5 has digest \w+ here and"),
                                    ({**shared, "run.folder": "run"}, {}, r"run/checkpoints: this rank does not see"),
                                    (shared, {"run.seed": 5}, "other arguments than rank 0")):
            with self.subTest(words):
                first, second = ["-n", "1", "-wdir", run.path / "a"], ["-n", "1", "-wdir", run.path / "b"]
                line = [*support.MPIRUN[:-1], *first, *support.command(*support.pretrain_arguments(keys)), ":",
                        *second, *support.command(*support.pretrain_arguments({**keys, **others}))]
                result = subprocess.run(list(map(str, line)), env=support.ENVIRONMENT, capture_output=True, text=True,
                                        timeout=support.TIMEOUT)
                support.expect_code(2, result)
                (said,) = support.our_lines(result.stderr)
                self.assertRegex(said, f"^tenfold: error on rank 1 of 2 .*{words}")


def files_of(folder):
    """Every file and folder with its content."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


if __name__ == "__main__":
    support.main()
