"""What notes on rare words are worth where a rare word tells the topic of its sentence, and that they reveal nothing else.

    notes_test.py TENFOLD

Every sentence of the text holds a word of its topic, words that all topics share (by Zipf's law), and a name. A name belongs to one
topic, is rare, and is spelt with the syllables that all names are spelt with. So nothing but the name tells the topic, and a
name is met too rarely for a model without notes to learn many of them.
"""

import fcntl
import random
import unittest

import h5py
import numpy

import seal
import support

TOPICS, WORDS_A_TOPIC, NAMES, SENTENCES = 8, 12, 480, 24000
STEPS = 800
RANKS = 2
KEYS = {
    "run.steps": STEPS, "data.sequence_length": 32, "data.global_batch": 32,
    "model.width": 64, "model.feed_forward": 128, "model.dropout": 0, "model.attention_dropout": 0,
    "optimizer.learning_rate": 3e-3, "optimizer.warmup_steps": 50, "checkpoint.every": STEPS - 1,
    "validation.every": STEPS, "validation.sequences": 1000, "log.every": 100,
}
NOTES = {"notes.enabled": "true", "notes.window": 4}


def invent(draw, count, syllables):
    """Distinct words of so many syllables."""
    words = set()
    while len(words) < count:
        words.add("".join(draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(syllables)))
    words = sorted(words)
    draw.shuffle(words)
    return words


def text_of_topics(seed):
    draw = random.Random(seed)
    topical = invent(draw, TOPICS * WORDS_A_TOPIC, 2)
    common = [word + "n" for word in invent(draw, 30, 1)]
    names = invent(draw, NAMES, 4)
    weights = [1 / rank for rank in range(1, len(common) + 1)]
    lines = []
    for n in range(1, SENTENCES + 1):
        name = draw.randrange(NAMES)
        a, b, c = draw.choices(common, weights, k=3)
        lines.append(f"{a} {names[name]} {b} {draw.choice(topical[name % TOPICS::TOPICS])} {c}.")
        if n % 50 == 0:
            lines.append("")
    return "\n".join(lines)


def corpus():
    usual = support.pathlib.Path(support.corpus())
    file = usual.with_name("topics.h5")
    with open(usual.with_name("lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists() or file.stat().st_mtime < usual.stat().st_mtime:
            text = usual.with_name("topics.txt")
            text.write_text(text_of_topics(1))
            support.expect_code(0, support.tenfold(
                "prepare", f"--corpus.text={text}", f"--corpus.file={file}", "--corpus.rare_min_count=20",
                "--corpus.rare_max_count=100", "--corpus.valid_fraction=0.05", "--tokenizer.vocabulary_size=400"))
    return str(file)


def shuffle_notes(checkpoint):
    """Gives every word the note of another."""
    with h5py.File(checkpoint, "r+") as file:
        rows = file["tensors/notes/rows"]
        rows[:] = numpy.roll(rows[:], 1 + TOPICS // 2, axis=0)
    seal.reseal(checkpoint)


class Notes(support.TestCase):
    def train(self, keys, run=None):
        """The last validation's losses by name, and the run."""
        run = run or self.folder()
        run.pretrain(RANKS, {"data.corpus": corpus(), **KEYS, **keys})
        return {name: values[-1] for name, values in run.trace("validation").items()}, run

    def test_notes_help_their_neighbours_and_hide_what_is_masked(self):
        plain, _ = self.train({})
        other_seed, _ = self.train({"run.seed": 2})
        noted, run = self.train(NOTES)
        near, of = "loss_mlm_near_rare_word", "loss_mlm_of_rare_word"
        print({name: (round(plain[name], 3), round(other_seed[name], 3), round(noted[name], 3), round(noted[name + "_without_notes"], 3)) for name in (near, of, "loss_mlm_with_rare_word")})

        shuffled = run.copy(self.folder())
        for each in (run, shuffled):
            each.checkpoints()[-1].unlink()  # the last step is done again
        shuffle_notes(shuffled.checkpoints()[-1])
        again, _ = self.train(NOTES, run)
        self.assertEqual(again[near], noted[near])
        mixed_up, _ = self.train(NOTES, shuffled)
        print(mixed_up[near], mixed_up[of])


if __name__ == "__main__":
    support.main()
