#!/usr/bin/env python3
"""What the commands print and what a run writes is what the README and io/FORMATS.md say.

    commands_test.py TENFOLD
"""

import contextlib
import json
import os
import pathlib
import pty
import re
import socket
import subprocess
import sys

import h5py
import numpy

import support

TRAIN = ["step", "loss", "learning_rate", "gradient_norm", "tokens", "sequences", "seconds", "seconds_data", "seconds_compute",
         "seconds_communication", "model_flops"]
COMMANDS = ["prepare", "pretrain", "inspect", "bench", "plan"]
KEYS = {"run.steps": 12, "validation.every": 5, "checkpoint.every": 10}
MODEL = [f"--{key}={value}" for key, value in support.SETTINGS.items() if key.startswith(("model.", "data."))]
VOCABULARY = f"--tokenizer.vocabulary_size={support.VOCABULARY}"
MEMORY = pathlib.Path(__file__).resolve().parents[1] / "scaling" / "memory.py"


def said(*arguments, **options):
    return support.expect_code(0, support.tenfold(*arguments, **options)).stdout


class Run(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.enterClassContext(support.temporary_run())
        cls.output = cls.run_folder.pretrain(2, KEYS).stdout

    def test_the_trace_has_its_columns(self):
        with h5py.File(self.run_folder.run / "trace.h5", "r") as file:  # a clean end leaves a plain file
            self.assertLessEqual(set(TRAIN), set(file["train"]))
            self.assertLessEqual({"step", "loss"}, set(file["validation"]))
            self.assertEqual({data.shape for data in file["train"].values()}, {(12,)})
            self.assertEqual(file["validation/step"][:].tolist(), [0, 5, 10, 12])
            self.assertEqual(len(file["hosts"]), 2)
            self.assertEqual(file.attrs["seed"], 1)
            self.assertTrue(file["version"][()] and file["configuration"][()])

    def test_the_trace_is_consistent(self):
        trace = self.run_folder.trace()
        self.assertEqual(trace["step"].tolist(), list(range(1, 13)))
        self.assertEqual(set(trace["sequences"]), {24})
        self.assertTrue((trace["tokens"] <= 24 * 32).all() and (trace["tokens"] > 24 * 16).all())
        parts = sum(trace[name] for name in ("seconds_data", "seconds_compute", "seconds_communication"))
        self.assertTrue((parts <= trace["seconds"] * 1.001).all())
        warmup, steps, peak = 5, 12, 1e-4
        expected = [peak * min(t / warmup, (steps + 1 - t) / (steps + 1 - warmup)) for t in trace["step"]]
        numpy.testing.assert_allclose(trace["learning_rate"], expected, rtol=1e-6, atol=1e-20)
        self.assertTrue((trace["gradient_norm"] > 0).all() and (trace["model_flops"] > 0).all())

    def test_the_effective_configuration_gives_the_same_run(self):
        again = self.folder()
        with h5py.File(self.run_folder.run / "trace.h5", "r") as file:
            configuration = file["configuration"].asstr()[()]
        self.assertEqual(self.output.count(configuration.strip()), 1, "it is printed once")
        (again.path / "run.ini").write_text(configuration)
        said("pretrain", "run.ini", ranks=2, folder=again.path)
        self.assertEqual(again.trace()["loss"].tobytes(), self.run_folder.trace()["loss"].tobytes())
        self.assertEqual(again.checkpoints()[-1].read_bytes(), self.run_folder.checkpoints()[-1].read_bytes())

    def test_later_sources_win(self):
        run = self.folder()
        (run.path / "first.ini").write_text("[run]\nsteps = 3\nseed = 3\n[model]\nlayers = 7\n")
        (run.path / "second.ini").write_text("[run]\nseed = 4\nfolder = elsewhere\n[corpus]\nfile = read by another command\n")
        command, *overrides = support.pretrain_arguments({"run.steps": 1})
        said(command, "first.ini", *overrides, "second.ini", folder=run.path)
        with h5py.File(run.run / "trace.h5", "r") as file:
            configuration = file["configuration"].asstr()[()]
        for line in ("steps = 1", "seed = 4", "layers = 2", "folder = run"):
            self.assertIn(f"\n{line}\n", configuration)

    def test_manifest_and_logs(self):
        manifest = json.loads((self.run_folder.run / "manifest.json").read_text())
        (job,) = manifest["jobs"]
        self.assertEqual((job["exit_status"], job["first_step"], job["last_step"], len(job["hosts"])), (0, 0, 12, 2))
        self.assertEqual([pathlib.Path(path).name for path in manifest["checkpoints"]],
                         [path.name for path in reversed(self.run_folder.checkpoints())])
        log = (self.run_folder.run / "log.txt").read_text()
        for words in ("step 12/12  loss", "validation at step 10", "saved", "memory a rank", "summary: step 12 of 12"):
            self.assertIn(words, log)
            self.assertIn(words, self.output)
        for line in (self.run_folder.run / "mllog.txt").read_text().splitlines():
            json.loads(line.removeprefix(":::MLLOG "))
        self.assertEqual((self.run_folder.run / "lock").read_text(), "")

    def test_the_ranks_are_shown_with_their_hosts(self):
        for rank in range(2):
            self.assertRegex(self.output, rf"(?m)^{rank} +{re.escape(socket.gethostname())} +\d+ ")

    def test_output_to_a_file_has_no_terminal_codes(self):
        self.assertNotIn("\033", self.output)

    def test_ranks_of_one_thread_are_not_told_to_be_more(self):
        self.assertNotIn("usually faster", self.output)

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run(support.command("inspect", self.run_folder.run / "trace.h5"), env=support.ENVIRONMENT, stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=support.TIMEOUT)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write to the standard output", result.stderr)

    def test_inspect_explains_every_file(self):
        checkpoint, trace = self.run_folder.checkpoints()[-1], self.run_folder.run / "trace.h5"
        files = {"corpus": support.corpus(), "checkpoint": checkpoint, "trace": trace,
                 "manifest": self.run_folder.run / "manifest.json", "log": self.run_folder.run / "log.txt",
                 "MLPerf log": self.run_folder.run / "mllog.txt", "lock": self.run_folder.run / "lock"}
        facts = {kind: json.loads(said("inspect", file, "--json")) for kind, file in files.items()}
        for kind, file in files.items():
            self.assertEqual(facts[kind]["kind"], kind)
            self.assertIn(f"is a {kind} of tenfold", said("inspect", file))
        self.assertEqual((facts["checkpoint"]["step"], facts["trace"]["train"]["rows"]), (12, 12))
        self.assertEqual(facts["checkpoint"]["corpus_digest"], facts["corpus"]["digest"])
        self.assertEqual(facts["corpus"]["vocabulary_size"], support.VOCABULARY)
        norms = {row["name"]: row["norm"] for row in facts["checkpoint"]["weights"]}
        weights = {name.removeprefix("tensors/weights/"): value for name, value in support.contents(checkpoint).items()
                   if name.startswith("tensors/weights/")}
        self.assertEqual(facts["checkpoint"]["parameters"], sum(value.size for value in weights.values()))
        self.assertEqual(norms.keys(), weights.keys())
        for name, value in weights.items():
            self.assertAlmostEqual(norms[name], numpy.linalg.norm(value.astype(float)), delta=1e-5, msg=name)

    def test_plan_foretells_the_run(self):
        plan = planned(*MODEL, f"--data.corpus={support.corpus()}", "--parallel.data=2")
        facts = json.loads(said("inspect", self.run_folder.checkpoints()[-1], "--json"))
        self.assertEqual(plan["parameters"], facts["parameters"])
        self.assertAlmostEqual(plan["memory a rank"], float(re.search(r"planned ([\d.]+) MiB", self.output)[1]), delta=0.1)


class Live(support.TestCase):
    def test_the_trace_is_read_while_the_run_goes_on(self):
        run = self.folder()
        with run.start(2, {"run.steps": 1000000}) as job:
            lengths = []
            for step in (3, 30):
                job.wait_for_step(step)
                lengths.append(len(run.trace()["loss"]))
                self.assertGreaterEqual(lengths[-1], step)
                self.assertTrue(numpy.isfinite(run.trace()["loss"]).all())
            self.assertIsNone(job.process.poll())
            self.assertIn("rows", said("inspect", run.run / "trace.h5"))
        self.assertGreaterEqual(len(run.trace()["loss"]), lengths[-1], "and after it was killed")


class Progress(support.TestCase):
    def seen_on_a_terminal(self, *arguments, **options):
        ours, theirs = pty.openpty()
        seen = b""
        with os.fdopen(ours, "rb", buffering=0) as screen, \
                subprocess.Popen(support.command(*arguments, **options), cwd=self.folder().path, env=support.ENVIRONMENT,
                                 stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            with contextlib.suppress(OSError):  # all writers are gone
                while block := screen.read(4096):
                    seen += block
        self.assertEqual(process.returncode, 0, seen)
        return seen.decode()

    def test_a_run_redraws_its_line_on_a_terminal(self):
        arguments = support.pretrain_arguments({"run.steps": 200, "validation.every": 200})
        for ranks in (None, 2):
            seen = self.seen_on_a_terminal(*arguments, ranks=ranks)
            self.assertRegex(seen, r"(\r\x1b\[Kstep \d+/200  loss [^\r\n]* left [\d:]+){2,}\r\x1b\[Kvalidation at step 200 ")

    def test_prepare_draws_a_bar_on_a_terminal_and_lines_elsewhere(self):
        file = self.folder().path / "text.txt"
        arguments = ["prepare", f"--corpus.text={file}", "--corpus.file=corpus.h5", VOCABULARY, "--corpus.valid_fraction=0.05"]
        numbers = r"[\d.]+ MB  [\d.]+ MB/s  \d+ s left"
        text = support.english_looking_text(1, 150)
        file.write_text(text * 100)
        redrawn = rf"\r\W*(\w+) +\[#+\.+\] +\d+ %  {numbers} *(\r\W*\1 +\[#[#.]+\] +\d+ %  {numbers} *)*\r\W*\1 +\[#+\] +100 %  {numbers}"
        self.assertRegex(self.seen_on_a_terminal(*arguments), redrawn)
        file.write_text(text)
        plain = subprocess.run(support.command(*arguments), cwd=self.folder().path, capture_output=True, check=True,
                               timeout=support.TIMEOUT).stderr.decode()
        self.assertNotRegex(plain, "[\r\x1b]")
        self.assertRegex(plain, rf"(?m)^write +\[#+\] +100 %  {numbers}$")


def planned(*arguments):
    """First number of every line."""
    return {line[1]: float(line[2]) for line in re.finditer(r"^(\w[\w -]*\w)  +([\d.]+)", said("plan", *arguments), re.MULTILINE)}


class Commands(support.TestCase):
    def test_plan_counts_operations_and_bytes(self):
        layers, width, inner, length, batch, vocabulary, ranks = 4, 256, 1024, 128, 64, 16384, 4
        plan = planned(f"--model.layers={layers}", f"--model.width={width}", f"--model.feed_forward={inner}",
                       f"--data.sequence_length={length}", f"--data.global_batch={batch}",
                       f"--tokenizer.vocabulary_size={vocabulary}", f"--parallel.data={ranks}")
        # Two operations a weight and token, forward; twice that backward. The head runs on 0.15 of the tokens.
        projections = layers * 2 * (4 * width * width + 2 * width * inner)
        attention = layers * 4 * length * width
        head = 0.15 * 2 * (width * width + width * vocabulary)
        expected = 3 * batch * length * (projections + attention + head)
        self.assertAlmostEqual(plan["FLOPs a step"] * 1e9 / expected, 1, delta=0.02)
        ring = 2 * (ranks - 1) / ranks * 4 * plan["parameters"] / 2**20
        self.assertAlmostEqual(plan["communicated a step"] / ring, 1, delta=0.02)

    def test_plan_counts_what_notes_send(self):
        width, batch, length, ranks = 256, 64, 128, 4
        plan = planned(f"--model.width={width}", f"--data.sequence_length={length}", f"--data.global_batch={batch}",
                       f"--parallel.data={ranks}", "--notes.enabled=true")
        occurrences = batch * length / 128  # as in the sequences of bench
        self.assertAlmostEqual(plan["rare words a step"], occurrences, delta=0.05)
        bytes_of_one = 4 + 16 + 2 * 4 * width  # key; sample, key and begin; the row, there and back
        sent = occurrences / ranks * (ranks - 1) / ranks * bytes_of_one / 2**20
        self.assertAlmostEqual(plan["notes a step"], sent, delta=0.001)

    def test_bench(self):
        for ranks in (None, 2):
            bench = json.loads(said("bench", "--json", *MODEL, VOCABULARY, "--bench.steps=3", "--parallel.threads=1", ranks=ranks))
            self.assertEqual(bench["ranks"], ranks or 1)
            for share, peak in (("utilisation", "matmul"), ("utilisation_row_major", "matmul_row_major")):
                self.assertAlmostEqual(bench[share], bench["model_flops_per_second"] / bench[f"{peak}_flops_per_second"] /
                                       bench["ranks"], delta=1e-6)
            self.assertAlmostEqual(bench["tokens_per_second"], 3 * 24 * 32 / bench["seconds"], delta=1e-3 * bench["tokens_per_second"])
            self.assertTrue(0 < bench["utilisation"] < 1)
            operations = {row["op"]: row for row in bench["ops"]}
            self.assertTrue(operations and all(name.startswith("tenfold::") for name in operations))
            self.assertLessEqual(sum(row["seconds"] for row in operations.values()), bench["seconds"])
        table = said("bench", *MODEL, VOCABULARY, "--bench.steps=1")
        for words in ("tokens per second", "utilisation", "tenfold::"):
            self.assertIn(words, table)
        processors = len(os.sched_getaffinity(0))
        advice = f"# 1 rank with {processors} threads on this node: {processors} ranks with 1 thread each are usually faster (mpirun -n {processors})\n"
        self.assertEqual(table.count(advice), int(processors > 1), table)

    def test_kokkos_tools_see_every_region(self):
        tool = pathlib.Path(support.program).with_name("libregions_tool.so")
        result = subprocess.run(support.command("bench", *MODEL, VOCABULARY, "--bench.steps=1", "--parallel.threads=1"),
                                env={**support.ENVIRONMENT, "KOKKOS_PROFILE_LIBRARY": str(tool)}, capture_output=True, text=True,
                                timeout=support.TIMEOUT)
        self.assertEqual(result.returncode, 0, result.stderr)
        seen = set(re.findall(r"(?m)^region (\S+)$", result.stderr))
        table = set(re.findall(r"(?m)^(tenfold::\S+) ", result.stdout))
        self.assertIn("tenfold::linear::backward_weight", table)
        self.assertLessEqual(table, seen, "what bench's table names, the tool has seen")

    def test_help_and_version(self):
        overview = said("--help")
        for command in COMMANDS:
            self.assertIn(f"  {command} ", overview)
            page = said(command, "--help")
            self.assertIn(f"tenfold {command} ", page)
        for key in ("layers", "learning_rate", "global_batch"):
            self.assertRegex(said("pretrain", "--help"), rf"(?m)^  {key} = \S+ +\w")
        self.assertRegex(said("--version"), r"^tenfold \d+\.\d+\.\d+ \(commit [0-9a-f]{7,}")
        self.assertEqual(support.tenfold().returncode, 2)
        self.assertEqual(said("--version", ranks=2), said("--version"), "said once")

    def test_memory_is_as_planned(self):
        for model in ((), ("--model.layers=2", "--model.width=64", "--model.heads=2", "--model.feed_forward=256", "--data.global_batch=32")):
            command = [sys.executable, str(MEMORY), f"--tenfold={support.program}", f"--corpus={support.corpus()}",
                       "--parallel.threads=1", "--validation.sequences=32", *model]
            result = subprocess.run(command, capture_output=True, text=True, timeout=support.TIMEOUT)
            print(result.stdout)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    support.main()
