#!/usr/bin/env python3
"""`tenfold prepare` from outside: the same corpus on any number of ranks, a sound file, and clear refusals.

    prepare_test.py PATH_OF_TENFOLD
"""

import base64
import gzip
import itertools
import json
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
    weights = list(itertools.accumulate(1 / (i + 1) for i in range(len(words))))
    lines = []
    for _ in range(documents):
        for _ in range(draw.randint(1, 450)):
            sentences = []
            for _ in range(draw.randint(1, 5)):
                chosen = draw.choices(words, cum_weights=weights, k=draw.randint(2, 12))
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


def expect_words_of_the_normalised_text(folder):
    """NFKC makes four words of U+FDFA, and SentencePiece's rules make a space of U+200C: the words are those of the pieces."""
    text, output, among = f"{folder}/ligature.txt", f"{folder}/ligature.h5", "\ufdfa said \u06a9\u062a\u0627\u0628\u200c\u0647\u0627. "
    with open(text, "w") as file:
        file.write(made_up_text(4, 10) + f"{among * 40}\n" * 12)
    bounds = ["--corpus.rare_min_count=2", "--corpus.rare_max_count=1000"]
    result = prepare(2, [text], output, "--tokenizer.vocabulary_size=420", KEYS[1], *bounds)
    expect(result.returncode == 0, result.stderr)
    found = contents(output)
    words = bytes(found["rare/word"]).decode().splitlines()
    all_words = dict(zip(bytes(found["words/text"]).decode().splitlines(), found["words/count"]))
    expect(not any(" " in word for word in all_words), "no word has a space")
    expect("\u0627\u0644\u0644\u0647" in all_words and "\u06a9\u062a\u0627\u0628" in all_words, "words are parted where pieces are")
    expect([all_words.get(word) for word in words] == list(found["rare/count"]), "rare words have the counts of the words")


def without_files(corpus):
    """A corpus but for what names its text files."""
    return {name: value for name, value in corpus.items() if name != "provenance"}


def expect_lines_may_end_in_cr_lf(folder):
    corpora = []
    for name, end in (("lf", "\n"), ("crlf", "\r\n")):
        with open(f"{folder}/{name}.txt", "w", newline="") as file:
            file.write(made_up_text(6, 8).replace("\n", end))
        result = prepare(2, [f"{folder}/{name}.txt"], f"{folder}/{name}.h5", *KEYS)
        expect(result.returncode == 0, result.stderr)
        corpora.append(without_files(contents(f"{folder}/{name}.h5")))
    for name, value in corpora[0].items():
        expect(numpy.array_equal(value, corpora[1][name]), f"{name} differs where lines end in CR LF")


def expect_long_words_do_no_harm(folder):
    """Lines of one word each: more than the trainer's 32,768 and 65,536 characters, and a line of base64."""
    text, output = f"{folder}/long_words.txt", f"{folder}/long_words.h5"
    data = base64.b64encode(random.Random(1).randbytes(60_000)).decode()
    with open(text, "w") as file:
        file.write(made_up_text(7, 10) + f"{'a' * 40_000}\n{'b' * 70_000}\n{data}\n")
    result = prepare(2, [text], output, *KEYS)
    expect(result.returncode == 0, result.stderr)
    expect("3 words of more than 2048 bytes were left out" in result.stdout, result.stdout)  # the 70,000 are cut to two
    found = contents(output)
    provenance = json.loads(found["provenance"])
    expect(provenance["words_too_long_to_train_on"] == 3, provenance)
    expect(sum((found[f"{split}/tokens"] == 1).sum() for split in ("train", "validation")) == 0, "[UNK] in ASCII")
    letters = decoded(output, found)
    expect(letters.count("a") > 40_000 and letters.count("b") > 70_000 and data[:1000] in letters, "long words are encoded")


def decoded(path, found):
    """The text of a corpus without spaces."""
    with tempfile.NamedTemporaryFile(suffix=".model") as model:
        model.write(bytes(found["tokenizer"]))
        model.flush()
        ids = numpy.concatenate([found["train/tokens"], found["validation/tokens"]])
        lines = " ".join("" if token == 3 else str(token) for token in ids)
        result = subprocess.run(["spm_decode", f"--model={model.name}", "--input_format=id"], input=lines, capture_output=True, text=True)
        return "".join(result.stdout.split())


def odd_text(folder):
    """Mostly distinct words, among which each of some characters is frequent; and a few characters that stand once."""
    draw = random.Random(8)
    path = f"{folder}/dictionary.txt"
    with open(path, "w") as file:
        for i in range(12_000):
            word = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(draw.randint(4, 9)))
            file.write(f"{word.capitalize()}{draw.choice('!0689_*')} n. {draw.choice(word)}{draw.randint(0, 99)}\n")
            file.write("\n" if i % 50 == 0 else "")
        file.write("".join(chr(0x4E00 + i) + "\n" for i in range(60)))
    return path


def unknown_share(tokens, unknown):
    return float((tokens == unknown).sum() / len(tokens))


def expect_little_is_unknown(folder):
    text, output = odd_text(folder), f"{folder}/dictionary.h5"
    keys = ["--tokenizer.vocabulary_size=1000", "--tokenizer.character_coverage=0.5"]
    result = prepare(2, [text], output, *keys)
    expect(result.returncode == 0, result.stderr)
    found = contents(output)
    tokens = numpy.concatenate([found["train/tokens"], found["validation/tokens"]])
    inspected = json.loads(subprocess.run([tenfold, "inspect", output, "--json"], capture_output=True, text=True).stdout)["unknown"]
    expect(inspected["unknown_tokens"] == (tokens == 1).sum() == 30, inspected)
    expect(inspected["characters_without_piece"] == 30 and len(inspected["most_frequent"]) == 10, inspected)
    first = inspected["most_frequent"][0]
    expect(first["count"] == 1 and f"{first['character']} ({first['code_point']}, 1 times)" in result.stdout, result.stdout)
    words = subprocess.run([tenfold, "inspect", output], capture_output=True, text=True).stdout
    expect("unknown_share" in words and first["code_point"] in words, words)

    theirs = f"{folder}/theirs"
    train = ["spm_train", f"--input={text}", f"--model_prefix={theirs}", "--model_type=bpe", "--vocab_size=1000", "--minloglevel=3"]
    subprocess.run(train, check=True, capture_output=True)
    encoded = subprocess.run(["spm_encode", f"--model={theirs}.model", "--output_format=id", f"--input={text}"], check=True,
                             capture_output=True, text=True).stdout
    share = unknown_share(numpy.array(encoded.split(), int), 0)
    expect(inspected["unknown_share"] <= share, f"[UNK] is {inspected['unknown_share']} of the tokens, spm_train's {share}")

    result = prepare(2, [text], output, *keys, "--tokenizer.byte_fallback=true")
    expect(result.returncode == 0 and " 0.00 % of the tokens are [UNK]" in result.stdout, result.stdout + result.stderr)
    expect(not any((contents(output)[f"{split}/tokens"] == 1).any() for split in ("train", "validation")), "bytes instead of [UNK]")


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

    def pipe(name):
        os.mkfifo(f"{folder}/{name}")
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
        "a pipe": ([pipe("text.fifo")], [], "is no regular file"),
        "nothing left": ([write("controls.txt", b"\x01\x02\n\x07\n")], [], "nothing but control and format characters"),
        "small vocabulary": ([good], ["--tokenizer.vocabulary_size=64"], "this text needs 101 pieces"),
        "model a folder": ([good], [f"--tokenizer.model={folder}"], f"tokenizer.model: {folder} is no regular file"),
        "model a pipe": ([good], ["--tokenizer.model=" + pipe("model.fifo")], "model.fifo is no regular file"),
        "model missing": ([good], [f"--tokenizer.model={folder}/no"], "tokenizer.model: "),
        "file a folder": ([good], [f"--corpus.file={folder}"], "corpus.file"),
        "file a pipe": ([good], ["--corpus.file=" + pipe("file.fifo")], "corpus.file"),
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
        with gzip.open(f"{folder}/first.gz", "wt") as file:
            file.write(made_up_text(9, 8))
        corpus = expect_same_on_any_ranks(folder, [f"{folder}/first.gz", plain, zipped, odd])
        expect_sound(f"{folder}/ranks1.h5", corpus)
        model = expect_given_tokenizer_is_used(folder, [f"{folder}/first.gz", plain, zipped, odd], corpus)
        expect_memory_of_distinct_words(folder, model)
        expect_one_job_at_a_time(folder, model)
        link, before = f"{folder}/link.h5", os.stat(f"{folder}/ranks1.h5").st_ino
        os.symlink("ranks1.h5", link)
        result = prepare(2, [plain], link, *KEYS)
        expect(result.returncode == 0, f"a corpus is replaced: {result.stderr}")
        expect(os.path.islink(link) and os.stat(link).st_ino != before, "what a link points to is replaced, not the link")
        expect_words_of_the_normalised_text(folder)
        expect_lines_may_end_in_cr_lf(folder)
        expect_long_words_do_no_harm(folder)
        expect_little_is_unknown(folder)
        expect_refusals(folder, plain)
    print("prepare: passed")


main()
