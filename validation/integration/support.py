"""What the integration tests share: the program, a small corpus made with it, runs in folders of their own, and what they leave.

Every test script takes the program as its first argument, and then what unittest takes (names of tests, -v).
"""

import configparser
import contextlib
import fcntl
import itertools
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy

from ending import contain
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "convergence"))
import plateau

MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n"]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
TIMEOUT = 1200  # seconds after which a command counts as hanging, however slow or loaded the machine; no test is about time

# A small model of every layer kind. All runs go through the same command line, whether they start or resume.
SETTINGS = {
    "run.folder": "run", "run.resume": "auto", "run.steps": 50,
    "data.sequence_length": 32, "data.global_batch": 24,
    "model.layers": 2, "model.width": 32, "model.heads": 2, "model.feed_forward": 64, "model.dropout": 0.1,
    "optimizer.learning_rate": 1e-4, "optimizer.warmup_steps": 5,
    "checkpoint.every": 1000000, "validation.every": 25, "validation.sequences": 24, "log.every": 1, "parallel.threads": 1,
}
VOCABULARY = 500
# The most that a run can do at once: other networks, draws from their output, and the distributed notes.
EVERYTHING = {"objective.kind": "multiple-choice", "notes.enabled": "true"}

program = None  # path of tenfold, set by main()


def main():
    """Runs the tests of the calling script."""
    global program
    contain()
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} TENFOLD [unittest's arguments]")
    program = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])


# The corpus.


def english_looking_text(seed, documents):
    """Words by Zipf's law in sentences, paragraphs and documents; a document has words of its own that come up again."""
    draw = random.Random(seed)
    syllables = [consonant + vowel for consonant in "bdfghklmnprstw" for vowel in "aeiou"] + ["the", "an", "er", "in"]
    words = ["".join(draw.choice(syllables) for _ in range(1 + (i > 60) + (i > 800))) for i in range(4000)]
    words = list(dict.fromkeys(words))
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    lines = []
    for _ in range(documents):
        topic = draw.sample(words[50:], 40)
        for _ in range(draw.randint(5, 30)):
            sentences = []
            for _ in range(draw.randint(1, 5)):
                common = draw.choices(words, cum_weights=weights, k=draw.randint(3, 14))
                sentence = " ".join(draw.choice(topic) if draw.random() < 0.3 else word for word in common)
                sentences.append(sentence.capitalize() + draw.choice(".?!"))
            lines.append(" ".join(sentences))
        lines.append("")
    return "\n".join(lines)


def text_of_topics(seed, documents):
    """Documents of one topic each, of which a sentence tells four words: a model that looks around guesses one of four, one that
    does not, one of 64. Every fourth sentence ends in a name, which is rare and belongs to no topic."""
    topics, words_a_topic, names = 16, 4, 300
    draw = random.Random(seed)
    words, rare = (invent(draw, count, syllables) for count, syllables in ((topics * words_a_topic, 2), (names, 4)))
    lines = []
    for _ in range(documents):
        own = words[draw.randrange(topics)::topics]
        for n in range(20):
            lines.append(" ".join([*draw.choices(own, k=7), *([draw.choice(rare)] if n % 4 == 0 else [])]) + ".")
        lines.append("")
    return "\n".join(lines)


def invent(draw, count, syllables):
    """Distinct words of so many syllables."""
    words = set()
    while len(words) < count:
        words.add("".join(draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(syllables)))
    words = sorted(words)
    draw.shuffle(words)
    return words


def made_once(name, text, **keys):
    """Path of a corpus beside the program, made once for each build of it from the text that text() gives."""
    folder = pathlib.Path(program).parent / "integration"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.h5"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test scripts may run side by side
        if not file.exists() or file.stat().st_mtime < max(os.path.getmtime(program), os.path.getmtime(__file__)):
            (folder / f"{name}.txt").write_text(text())
            prepare(folder / f"{name}.txt", file, **keys)
    return str(file)


def corpus(**keys):
    """The usual one; with keys of [corpus], one of the same text."""
    return made_once("-".join(["corpus", *map(str, keys.values())]), lambda: english_looking_text(1, 150), **keys)


def corpus_of_topics():
    """On which a model shows within seconds that it looks at the words around a mask."""
    return made_once("topics", lambda: text_of_topics(1, 1000), vocabulary_size=200, rare_min_count=5, rare_max_count=100)


def context_free_loss(run):
    """The least mean loss on masked tokens that a model reaches on the run's corpus without looking at the words around."""
    with h5py.File(run.run / "trace.h5", "r") as file:
        configuration = configparser.ConfigParser()
        configuration.read_string(file["configuration"].asstr()[()])
    return plateau.context_free_losses(configuration["data"]["corpus"], configuration["objective"])["context_free"]


def prepare(text, file, vocabulary_size=VOCABULARY, **keys):
    """Makes a corpus; further keys of [corpus]."""
    keys = {"corpus.text": text, "corpus.file": file, "corpus.valid_fraction": 0.05, "tokenizer.vocabulary_size": vocabulary_size,
            **{f"corpus.{key}": value for key, value in keys.items()}}
    expect_code(0, tenfold("prepare", *(f"--{key}={value}" for key, value in keys.items())))


# Running the program.


def command(*arguments, ranks=None):
    """Command line: under mpirun, or alone without `ranks`."""
    return [*(MPIRUN + [str(ranks)] if ranks else []), program, *map(str, arguments)]


def tenfold(*arguments, ranks=None, folder=None):
    return subprocess.run(command(*arguments, ranks=ranks), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=TIMEOUT)


def expect_code(code, result):
    if result.returncode != code:
        raise AssertionError(f"exit code {result.returncode} instead of {code}: {' '.join(result.args)}\n"
                             f"{result.stdout[-1500:]}\n{result.stderr}")
    return result


def our_lines(stderr):
    """What tenfold itself said on standard error, without mpirun's words."""
    return [line for line in stderr.splitlines() if line.startswith("tenfold:")]


def pretrain_arguments(keys):
    """Command line of a run with these keys beside the usual ones; None takes one away."""
    keys = {"data.corpus": corpus(), **SETTINGS, **keys}
    return ["pretrain", *(f"--{key}={value}" for key, value in keys.items() if value is not None)]


class RunFolder:
    """A working folder of its own with the run in `run/`, so that equal runs have equal configurations."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.run = self.path / "run"

    def pretrain(self, ranks=None, keys=None, code=0):
        return expect_code(code, tenfold(*pretrain_arguments(keys or {}), ranks=ranks, folder=self.path))

    def start(self, ranks, keys=None):
        return Job(command(*pretrain_arguments(keys or {}), ranks=ranks), self.path)

    def trace(self, table="train"):
        """Columns by name; of a run that goes on or was killed, their common length."""
        with h5py.File(self.run / "trace.h5", "r", swmr=True) as file:
            columns = {name: data[:] for name, data in file[table].items()}
        rows = min(map(len, columns.values()))
        return {name: values[:rows] for name, values in columns.items()}

    def checkpoints(self):
        return sorted((self.run / "checkpoints").glob("step-????????.h5"))

    def copy(self, other):
        """Into another working folder."""
        subprocess.run(["cp", "-r", str(self.run), str(other.path)], check=True)
        return other


class Job:
    """A run in the background; what it says goes to files in its folder."""

    def __init__(self, words, folder):
        kept = {"mode": "w", "dir": folder, "delete": False}
        with tempfile.NamedTemporaryFile(suffix=".out", **kept) as output, tempfile.NamedTemporaryFile(suffix=".err", **kept) as errors:
            self.output, self.errors = pathlib.Path(output.name), pathlib.Path(errors.name)
            self.process = subprocess.Popen(words, cwd=folder, env=ENVIRONMENT, stdout=output, stderr=errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def ranks(self):
        """Process ids of the ranks, in no order."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.process.pid and fields[0] != "Z" and os.readlink(entry / "exe") == program:
                    found.append(int(entry.name))
        return found

    def kill(self):
        """All ranks and then mpirun, without a warning."""
        for pid in [*self.ranks(), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)

    def wait_for(self, words, file=None):
        """Until a line of the standard output, or of that file, matches; the match."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            ended = self.process.poll() is not None or time.monotonic() > deadline
            if match := re.search(words, (file or self.output).read_text(), re.MULTILINE):
                return match
            if ended:
                raise AssertionError(f"did not say {words}\n{self.output.read_text()[-1500:]}\n{self.errors.read_text()}")
            time.sleep(0.005)

    def wait_for_step(self, step):
        self.wait_for(rf"^step {step}/")

    def end(self, timeout=TIMEOUT):
        """As subprocess.run gives it."""
        self.process.wait(timeout)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, self.output.read_text(),
                                           self.errors.read_text())


# What a run leaves behind.


def contents(path):
    """Every data set and attribute of an HDF5 file by name."""
    found = {}

    def visit(name, item):
        found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path, "r") as file:
        visit("", file)
        file.visititems(visit)
    return found


def state(path):
    """All of a checkpoint but the configuration, in which the number of ranks and steps stands."""
    return {name: value for name, value in contents(path).items() if name != "texts/configuration"}


@contextlib.contextmanager
def temporary_run():
    with tempfile.TemporaryDirectory() as folder:
        yield RunFolder(folder)


class TestCase(unittest.TestCase):
    """A test with folders that are removed after it."""

    def folder(self):
        return self.enterContext(temporary_run())

    def assert_same_bits(self, a, b, what=""):
        self.assertEqual(a.keys(), b.keys(), what)
        for name in a:
            self.assertEqual(numpy.asarray(a[name]).tobytes(), numpy.asarray(b[name]).tobytes(), f"{what} {name}")

    def assert_close(self, values, expected, tolerance, what=""):
        """Relative to each expected value."""
        self.assertEqual(len(values), len(expected), what)
        error = numpy.max(numpy.abs(numpy.asarray(values) - expected) / numpy.abs(expected))
        self.assertLess(error, tolerance, what)
