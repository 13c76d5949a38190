"""What a model of a corpus reaches on the masked language model task without using context."""

import h5py
import numpy as np

SPECIAL_TOKENS = 6  # [PAD] [UNK] [CLS] [SEP] [MASK] [NOTA] are the first ids
CHUNK = 1 << 22


def token_counts(dataset, vocabulary):
    counts = np.zeros(vocabulary, dtype=np.int64)
    for begin in range(0, len(dataset), CHUNK):
        counts += np.bincount(dataset[begin : begin + CHUNK], minlength=vocabulary)
    return counts


def cross_entropy(seen, expected):
    """Of tokens with counts `seen` under counts `expected` plus one a type, in nats."""
    probabilities = (expected + 1) / (expected + 1).sum()
    return float(-(seen / seen.sum()) @ np.log(probabilities))


def best_without_context(seen, expected, leave, replace):
    """Mean loss, in nats, on selected tokens y with counts `seen` of a model that knows the unigram distribution p (counts
    `expected` plus one) and what stands at the position: y itself with probability `leave`, a token x drawn from u, uniform over
    the ordinary ones, with probability `replace`, or else [MASK]. By Bayes' rule
    P(y | x) = p(y) (leave [x = y] + replace u(x)) / (leave p(x) + replace u(x))."""
    p = (expected + 1) / (expected + 1).sum()
    q = seen / seen.sum()
    u = (np.arange(len(p)) >= SPECIAL_TOKENS) / (len(p) - SPECIAL_TOKENS)
    information = -np.log(p)
    loss = (1 - leave - replace) * (q @ information)

    visible = leave * p + replace * u
    itself = leave + replace * u  # probability that y is seen as y
    known = itself > 0
    loss += (q * itself)[known] @ (information[known] + np.log(visible[known] / itself[known]))
    if replace > 0:
        ordinary = u > 0
        other = np.zeros_like(p)  # - log(P(y | x) / p(y)) of x other than y
        other[ordinary] = np.log(visible[ordinary] / (replace * u[ordinary]))
        loss += replace * (u @ other + q @ information - (q * u) @ (other + information))
    return float(loss)


def context_free_losses(corpus, objective):
    """Cross-entropies in nats of the validation tokens of a corpus file: `all` and `text` (special tokens left out) under the
    training unigram distribution, and `context_free` under the masking of this [objective] section."""
    with h5py.File(corpus) as file:
        vocabulary = int(file.attrs["vocabulary_size"])
        expected = token_counts(file["train/tokens"], vocabulary)
        seen = token_counts(file["validation/tokens"], vocabulary)
    leave, replace = objective.getfloat("leave_unmasked"), objective.getfloat("replace_random")
    return {
        "all": cross_entropy(seen, expected),
        "text": cross_entropy(seen[SPECIAL_TOKENS:], expected[SPECIAL_TOKENS:]),
        "context_free": best_without_context(seen, expected, leave, replace),
    }
