#!/usr/bin/env python3
"""`tenfold prepare` from outside: the same corpus on any number of ranks, a sound file, and clear refusals.

    prepare_test.py PATH_OF_TENFOLD
"""

import gzip
import os
import random
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

from support import ENVIRONMENT, MPIRUN, contents

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[NOTA]"]
KEYS = ["--tokenizer.vocabulary_size=400", "--corpus.valid_fraction=0.2"]
tenfold = os.path.abspath(sys.argv[1])


def prepare(ranks, texts, output, *keys):
    command = MPIRUN + [str(ranks), tenfold, "prepare", *(f"--corpus.text={t}" for t in texts), f"--corpus.file={output}"]
    return subprocess.run(command + list(keys), env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def made_up_text(seed, documents):
    """Words by Zipf's law, several syllables each, in sentences, paragraphs and documents."""
    draw = random.Random(seed)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    spell = random.Random(0)
    words = ["".join(spell.choice(syllables) for _ in range(1 + (i > 200) + (i > 2000) + i // 9000)) for i in range(30000)]
    weights = [1 / (i + 1) for i in range(len(words))]
    lines = []
    for _ in range(documents):
        for _ in range(draw.randint(1, 450)):
            sentences = []
            for _ in range(draw.randint(1, 5)):
                chosen = draw.choices(words, weights, k=draw.randint(2, 12))
                sentences.append(" ".join(chosen).capitalize() + draw.choice([".", "!", "?", ", said [MASK]."]))
            lines.append(" ".join(sentences))
        lines.append("")
    return "\n".join(lines) + "\n"


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def expect_same_on_any_ranks(folder, texts):
    reference = None
    for ranks in (1, 2, 3, 4):
        output = f"{folder}/ranks{ranks}.h5"
        result = prepare(ranks, texts, output, *KEYS)
        expect(result.returncode == 0, f"{ranks} ranks: {result.stderr}")
        found = contents(output)
        if reference is None:
            reference = found
        expect(found.keys() == reference.keys(), f"{ranks} ranks: other data sets")
        for name, value in found.items():
            expect(numpy.array_equal(value, reference[name]), f"{ranks} ranks: {name} differs from one rank's")
    return reference


def lines_of(data):
    return data.tobytes().decode().splitlines()


def expect_sound(path, corpus):
    for name, value in enumerate(SPECIALS):
        expect(corpus[f"@{value}"] == name, f"{value} is not {name}")
    with h5py.File(path) as file:
        for split in ("train", "validation"):
            for name in ("tokens", "sentence_offsets", "document_offsets", "rare/key", "rare/begin", "rare/end"):
                data = file[f"{split}/{name}"]
                expect(data.size == 0 or data.fletcher32, f"{split}/{name} has no checksums")
                expect(data.size == 0 or data.chunks[0] * data.dtype.itemsize <= 65536, f"{split}/{name}: long chunks")
    rare_words = lines_of(corpus["rare/word"])
    counts = dict(zip(lines_of(corpus["words/text"]), corpus["words/count"]))
    expect(len(counts) == len(corpus["words/count"]), "words are not distinct")
    expect(rare_words and [counts[w] for w in rare_words] == list(corpus["rare/count"]), "counts of rare words")
    expect(sum(counts.values()) == corpus["@running_words"], "counts do not add up")
    for split in ("train", "validation"):
        tokens = corpus[f"{split}/tokens"].astype(int)
        ends = corpus[f"{split}/sentence_offsets"]
        documents = corpus[f"{split}/document_offsets"]
        expect(ends[0] == 0 and ends[-1] == len(tokens) and (numpy.diff(ends) > 1).all(), f"{split}: sentence offsets")
        expect(numpy.array_equal(numpy.flatnonzero(tokens == 3) + 1, ends[1:]), f"{split}: [SEP] ends sentences only")
        expect(not numpy.isin(tokens, [0, 2, 4, 5]).any(), f"{split}: control symbols in text")
        expect(tokens.max() < corpus["@vocabulary_size"], f"{split}: tokens beyond the vocabulary")
        expect(documents[0] == 0 and documents[-1] == len(tokens) and numpy.isin(documents, ends).all(),
               f"{split}: document offsets")
        begin, end = corpus[f"{split}/rare/begin"], corpus[f"{split}/rare/end"]
        expect(len(begin) > 0 and (begin[1:] >= end[:-1]).all(), f"{split}: rare occurrences overlap")
        expect((end - begin >= 2).all() and (corpus[f"{split}/rare/key"] < len(rare_words)).all(), f"{split}: occurrences")
        expect(not any((tokens[b:e] == 3).any() for b, e in zip(begin, end)), f"{split}: an occurrence crosses a [SEP]")
    share = len(corpus["train/rare/key"]) / corpus["@running_words"]
    expect(0.005 < share < 0.05, f"rare words make up {share} of the running words, asked for about 0.01")


def expect_whole_list_of_rare_words(folder):
    """NFKC makes four words with spaces of U+FDFA, which stands as one word in the text; no other may be lost for that."""
    text, output, among = f"{folder}/ligature.txt", f"{folder}/ligature.h5", "\ufdfa said. "
    with open(text, "w") as file:
        file.write(made_up_text(4, 10) + f"{among * 40}\n" * 12)
    bounds = ["--corpus.rare_min_count=2", "--corpus.rare_max_count=1000"]
    result = prepare(2, [text], output, *KEYS, *bounds)
    expect(result.returncode == 0, result.stderr)
    found = contents(output)
    words = bytes(found["rare/word"]).decode().splitlines()
    expect(any(" " in word for word in words), "the ligature is rare")
    all_words = dict(zip(bytes(found["words/text"]).decode().splitlines(), found["words/count"]))
    expect([all_words.get(word) for word in words] == list(found["rare/count"]), "rare words have the counts of the words")


def expect_given_tokenizer_is_used(folder, files, corpus):
    model, output = f"{folder}/given.model", f"{folder}/given.h5"
    with open(model, "wb") as file:
        file.write(bytes(corpus["tokenizer"]))
    result = prepare(2, files, output, f"--tokenizer.model={model}", *KEYS[1:])
    expect(result.returncode == 0, result.stderr)
    given = contents(output)
    for name in ("tokenizer", "train/tokens", "validation/tokens"):
        expect((given[name] == corpus[name]).all(), f"{name} is that of the corpus whose tokenizer it is")
    return model


def long_text(folder, megabytes):
    """A file of so many MB in which the same words come again and again."""
    once = made_up_text(5, 30)
    with open(f"{folder}/long.txt", "w") as file:
        file.writelines(once for _ in range(megabytes * 1_000_000 // len(once)))
    return file.name


def peak_memory(text, output, *keys):
    """MB that one rank took at its most. A process starts with the peak of the one that made it: hence one in between."""
    between = ("import os, sys; _, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0); "
               "print(usage.ru_maxrss); sys.exit(status != 0)")
    command = [sys.executable, "-c", between, tenfold, "prepare", f"--corpus.text={text}", f"--corpus.file={output}", *keys]
    result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    expect(result.returncode == 0, result.stderr)
    return int(result.stdout.splitlines()[-1]) / 1024


def expect_memory_of_distinct_words(folder, model):
    """Four times the text with the same words, no more memory: its tokens alone would take 50 MB more."""
    peaks = []
    for megabytes in (24, 96):
        text = long_text(folder, megabytes)
        peaks.append(peak_memory(text, f"{folder}/long.h5", f"--tokenizer.model={model}", *KEYS[1:]))
        os.remove(text)
    expect(peaks[1] < peaks[0] + 10, f"24 MB of text take {peaks[0]:.1f} MB of memory, 96 MB of the same words {peaks[1]:.1f}")


def expect_one_job_at_a_time(folder, model):
    text, output = long_text(folder, 96), f"{folder}/long.h5"
    command = [tenfold, "prepare", f"--corpus.text={text}", f"--corpus.file={output}", f"--tokenizer.model={model}", *KEYS[1:]]
    first = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    while not os.path.exists(f"{output}.part") and first.poll() is None:
        time.sleep(0.01)
    second = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    expect(first.poll() is None, "the first job is still at work")
    expect(second.returncode == 2 and "being written by another job" in second.stderr, second.stderr)
    expect(first.wait(300) == 0 and os.path.exists(output), "the first job ends well")
    os.remove(text)


def expect_refusals(folder, good):
    def write(name, data):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
        return f"{folder}/{name}"

    whole = gzip.compress(open(good, "rb").read())
    cases = {
        "missing": ([f"{folder}/nowhere.txt"], [], "does not exist"),
        "folder": ([folder], [], "is a folder"),
        "empty": ([write("empty.txt", b"")], [], "is empty"),
        "blank": ([write("blank.txt", b"\n  \n\n")], [], "is empty"),
        "binary": ([good, write("binary.bin", bytes(range(256)) * 100 + b"\0" * 5000)], [], "binary.bin"),
        "utf-16": ([write("wide.txt", "some words\n".encode("utf-16") * 50)], [], "binary file or UTF-16"),
        "truncated": ([write("cut.gz", whole[: len(whole) // 2])], [], "gzip"),
        "damaged": ([write("bad.gz", whole[:3000] + bytes(64) + whole[3064:])], [], "gzip"),
        "more": ([write("more.gz", whole + b"more text\n" * 9)], [], "something after it that is none"),
        "twice": ([good, os.path.join(folder, ".", os.path.basename(good))], [], "given twice"),
        "all held out": ([good], ["--corpus.valid_fraction=0.999999"], "nothing of this text falls to the train"),
        "few words": ([write("few.txt", b"a few words\n")], [], "corpus.valid_fraction|tokenizer.vocabulary_size"),
        "vocabulary": ([good], ["--tokenizer.vocabulary_size=500000"], "tokenizer.vocabulary_size"),
        "no model": ([good], ["--tokenizer.model=" + write("no.model", b"no model")], "no.model"),
        "model and size": ([good], ["--tokenizer.model=" + good, "--tokenizer.vocabulary_size=400"], "tokenizer.vocabulary_size"),
        "half a band": ([good], ["--corpus.rare_coverage=0", "--corpus.rare_min_count=5"], "corpus.rare_coverage = 0"),
        "no folder": ([good], [f"--corpus.file={folder}/nowhere/out.h5"], "corpus.file"),
        "own text": ([write("own.part", open(good, "rb").read())], [f"--corpus.file={folder}/own"], "corpus.text"),
        "not ours": ([good], [f"--corpus.file={good}"], "corpus.file"),
    }
    for name, (texts, keys, message) in cases.items():
        before, files = open(good, "rb").read(), set(os.listdir(folder))
        outputs = [k for k in keys if k.startswith("--corpus.file=")] or [f"--corpus.file={folder}/refused.h5"]
        vocabulary = [k for k in keys if k.startswith("--tokenizer.")] or [KEYS[0]]
        fraction = [k for k in keys if k.startswith("--corpus.valid_fraction=")] or [KEYS[1]]
        others = [k for k in keys if k not in outputs + vocabulary + fraction]
        result = prepare(2, texts, outputs[0].split("=")[1], *vocabulary, *fraction, *others)
        expect(result.returncode == 2, f"{name}: exit code {result.returncode}: {result.stderr}")
        expect(any(m in result.stderr for m in message.split("|")), f"{name}: {result.stderr}")
        expect(set(os.listdir(folder)) == files, f"{name}: left {set(os.listdir(folder)) - files}")
        expect(open(good, "rb").read() == before, f"{name}: the text was touched")


def main():
    with tempfile.TemporaryDirectory() as folder:
        plain, zipped, odd = f"{folder}/plain.txt", f"{folder}/zipped.txt.gz", f"{folder}/odd.txt"
        with open(plain, "w") as file:
            file.write(made_up_text(1, 40))
        with gzip.open(zipped, "wt") as file:
            file.write(made_up_text(2, 20))
        with open(odd, "wb") as file:  # a line of 3 MB, bad UTF-8 and control characters
            long_line = made_up_text(3, 25).replace("\n", " ").encode()
            file.write(long_line * (3_000_000 // len(long_line) + 1) + b"\nbo\xffba \x07ku\xc3.\r\n\r\nka ba.")
        corpus = expect_same_on_any_ranks(folder, [plain, zipped, odd])
        expect_sound(f"{folder}/ranks1.h5", corpus)
        model = expect_given_tokenizer_is_used(folder, [plain, zipped, odd], corpus)
        expect_memory_of_distinct_words(folder, model)
        expect_one_job_at_a_time(folder, model)
        link, before = f"{folder}/link.h5", os.stat(f"{folder}/ranks1.h5").st_ino
        os.symlink("ranks1.h5", link)
        result = prepare(2, [plain], link, *KEYS)
        expect(result.returncode == 0, f"a corpus is replaced: {result.stderr}")
        expect(os.path.islink(link) and os.stat(link).st_ino != before, "what a link points to is replaced, not the link")
        expect_whole_list_of_rare_words(folder)
        expect_refusals(folder, plain)
    print("prepare: passed")


main()
