"""BERT and TUPE encoders with a masked language model head and notes in their input, in plain PyTorch.

An independent statement of what tenfold computes, for comparing losses and gradients. Post-LN blocks, exact GELU, no
dropout. Parameters are a dictionary from checkpoint names to tensors; linear weights are [out, in], y = x W^T + b.
A network whose token table is projected from another's (a generator) differs in its input and output matrix only.
Shapes: B sequences, T positions, d width, H heads, F feed-forward, V vocabulary.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

LAYER_NORM_EPSILON = 1e-5
POSITIONS = ("absolute", "relative", "tupe-a", "tupe-r")


@dataclass(frozen=True)
class Model:
    vocabulary: int
    length: int
    layers: int
    width: int
    heads: int
    feed_forward: int
    position: str
    untie_cls: bool = True  # TUPE only
    relative_buckets: int = 32
    relative_max_distance: int = 128
    table_width: int | None = None  # of the token table of another network, projected to this one's width

    @property
    def is_tupe(self):
        return self.position in ("tupe-a", "tupe-r")

    @property
    def has_relative_bias(self):
        return self.position in ("relative", "tupe-r")


@dataclass(frozen=True)
class Notes:
    """Notes of n occurrences of rare words, each at the rows b * T + t from begin on and before end. They are data: no
    gradient flows into them, nor into the factor of `rescale`, which gives a note the norm of the embedding it joins."""

    begin: torch.Tensor  # [n]
    end: torch.Tensor  # [n]
    vectors: torch.Tensor  # [n, width of the token table]
    mix: float
    rescale: bool = False

    def mixed_into(self, x):
        """(1 - mix) x + mix note at the rows of an occurrence, x [B, T, width] elsewhere."""
        rows = x.flatten(0, 1)
        note, share = torch.zeros_like(rows), torch.zeros_like(rows[:, :1])
        for begin, end, vector in zip(self.begin, self.end, self.vectors.detach()):
            note[begin:end], share[begin:end] = vector, self.mix
            if self.rescale:
                note[begin:end] *= rows[begin:end].detach().norm(dim=1, keepdim=True) / vector.norm()
        return ((1 - share) * rows + share * note).unflatten(0, x.shape[:2])


def encoder_shapes(model):
    """Name and shape of every parameter of the encoder itself, with the token table if it is its own."""
    d, f = model.width, model.feed_forward
    shapes = {}

    def linear(name, rows, columns):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (rows, columns), (rows,)

    def layer_norm(name):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (d,), (d,)

    if model.table_width is None:
        shapes["embeddings.token.weight"] = (model.vocabulary, d)
    else:
        linear("projection", d, model.table_width)
    layer_norm("embeddings.layer_norm")
    if model.is_tupe:
        shapes["position.table.weight"] = (model.length, d)
        layer_norm("position.layer_norm")
        linear("position.query", d, d)
        linear("position.key", d, d)
    else:
        shapes["embeddings.position.weight"] = (model.length, d)
    if model.has_relative_bias:
        shapes["position.relative.weight"] = (model.relative_buckets, model.heads)
    if model.position == "tupe-r" and model.untie_cls:
        shapes["position.relative.cls"] = (model.heads,)
    for n in range(model.layers):
        layer = f"encoder.layer.{n}"
        for projection in ("query", "key", "value", "output"):
            linear(f"{layer}.attention.{projection}", d, d)
        layer_norm(f"{layer}.attention.layer_norm")
        linear(f"{layer}.feed_forward.input", f, d)
        linear(f"{layer}.feed_forward.output", d, f)
        layer_norm(f"{layer}.feed_forward.layer_norm")
    return shapes


def head_shapes(model):
    """Of the masked language model head but for the output matrix, which is the token table."""
    d = model.width
    return {"head.dense.weight": (d, d), "head.dense.bias": (d,), "head.layer_norm.weight": (d,),
            "head.layer_norm.bias": (d,), "head.bias": (model.vocabulary,)}


def parameter_shapes(model):
    """Name and shape of every parameter of an encoder with its masked language model head."""
    return {**encoder_shapes(model), **head_shapes(model)}


def linear(parameters, name, x):
    return F.linear(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def layer_norm(parameters, name, x):
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    return F.layer_norm(x, weight.shape, weight, bias, LAYER_NORM_EPSILON)


def split_heads(x, heads):
    """[..., T, d] to [..., H, T, d / H]."""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def relative_bucket(offset, buckets, max_distance):
    """T5 bucket of offset = key - query: the lower half is for keys at or before the query. Within a half the first
    half of the buckets are single distances and the rest grow by a constant factor up to max_distance. Integer
    arithmetic, so that distances on a boundary fall on the right side."""
    half = buckets // 2
    exact = half // 2
    steps = half - exact
    distance = abs(offset)
    if distance < exact:
        bucket = distance
    else:  # the largest k with (distance / exact)^steps >= (max_distance / exact)^k
        k = 0
        while k + 1 < steps and distance**steps * exact ** (k + 1) >= max_distance ** (k + 1) * exact**steps:
            k += 1
        bucket = exact + k
    return bucket + (half if offset > 0 else 0)


def relative_bias(parameters, model, length):
    """[H, T, T]: one learned scalar a head and bucket of (key - query)."""
    buckets = [
        [relative_bucket(key - query, model.relative_buckets, model.relative_max_distance) for key in range(length)]
        for query in range(length)
    ]
    return parameters["position.relative.weight"][torch.tensor(buckets)].permute(2, 0, 1)


def position_bias(parameters, model, length):
    """[H, T, T], added to the scores of every layer. With an untied [CLS] its query row has no bias (a constant
    would change nothing) and every other token sees it through one scalar a head, theta2."""
    bias = torch.zeros((), dtype=parameters["embeddings.token.weight"].dtype)
    if model.is_tupe:
        table = layer_norm(parameters, "position.layer_norm", parameters["position.table.weight"][:length])
        query = split_heads(linear(parameters, "position.query", table), model.heads)
        key = split_heads(linear(parameters, "position.key", table), model.heads)
        bias = query @ key.transpose(-1, -2) / math.sqrt(2 * model.width / model.heads)
    if not (model.is_tupe and model.untie_cls):
        if model.has_relative_bias:
            bias = bias + relative_bias(parameters, model, length)
        return bias.expand(model.heads, length, length)

    theta2 = bias[:, 0, 0]
    if model.has_relative_bias:
        bias = bias + relative_bias(parameters, model, length)
        theta2 = theta2 + parameters["position.relative.cls"]
    column = theta2[:, None, None].expand(-1, length - 1, 1)
    others = torch.cat([column, bias[:, 1:, 1:]], dim=2)
    return torch.cat([torch.zeros_like(others[:, :1]), others], dim=1)


def embed(parameters, model, tokens, real, notes=None):
    """X0 [B, T, d]; rows of padding are zero. Notes are mixed with all that the token table's width can hold: with the
    position term too, unless the network is a projected one, where positions join after the projection."""
    x = parameters["embeddings.token.weight"][tokens]
    position = 0.0 if model.is_tupe else parameters["embeddings.position.weight"][: tokens.shape[1]]

    def mixed(embedding):
        return embedding if notes is None else notes.mixed_into(embedding)

    if model.table_width is None:
        x = mixed(x + position)
    else:
        x = linear(parameters, "projection", mixed(x)) + position
    return layer_norm(parameters, "embeddings.layer_norm", x) * real[:, :, None]


def attention(parameters, model, name, x, bias, real):
    query, key, value = (
        split_heads(linear(parameters, f"{name}.{part}", x), model.heads) for part in ("query", "key", "value")
    )
    terms = 2 if model.is_tupe else 1  # content and position scores are summed in TUPE
    scores = query @ key.transpose(-1, -2) / math.sqrt(terms * model.width / model.heads) + bias
    weights = scores.masked_fill(~real[:, None, None, :], -math.inf).softmax(-1)
    return linear(parameters, f"{name}.output", (weights @ value).transpose(-2, -3).flatten(-2))


def real_tokens(tokens, lengths):
    """[B, T]: true but for padding."""
    return torch.arange(tokens.shape[1]) < lengths[:, None]


def encode(parameters, model, tokens, lengths, bias, notes=None):
    """Final hidden states [B, T, d] of tokens [B, T] of which the first lengths [B] are real, given the position
    bias [H, T, T]."""
    real = real_tokens(tokens, lengths)
    x = embed(parameters, model, tokens, real, notes)
    for n in range(model.layers):
        name = f"encoder.layer.{n}"
        y = attention(parameters, model, f"{name}.attention", x, bias, real)
        x = layer_norm(parameters, f"{name}.attention.layer_norm", x + y)
        y = F.gelu(linear(parameters, f"{name}.feed_forward.input", x))
        y = linear(parameters, f"{name}.feed_forward.output", y)
        x = layer_norm(parameters, f"{name}.feed_forward.layer_norm", x + y)
    return x


def head_hidden(parameters, x):
    """What the head multiplies with the output matrix, of rows x [n, d]."""
    return layer_norm(parameters, "head.layer_norm", F.gelu(linear(parameters, "head.dense", x)))


def masked_lm_logits(parameters, model, tokens, lengths, selected_rows, notes=None):
    """[n, V] at rows b * T + t of selected_rows [n]."""
    bias = position_bias(parameters, model, tokens.shape[1])
    x = encode(parameters, model, tokens, lengths, bias, notes).flatten(0, 1)[selected_rows]
    table = parameters["embeddings.token.weight"]
    if model.table_width is not None:
        table = linear(parameters, "projection", table)
    return head_hidden(parameters, x) @ table.T + parameters["head.bias"]


def masked_lm_loss(parameters, model, tokens, lengths, selected_rows, labels, selected_count, notes=None):
    """Sum of the negative log-likelihoods (nats) of labels [n] at rows b * T + t of selected_rows [n], divided by the
    number of selected tokens of the whole optimizer step."""
    logits = masked_lm_logits(parameters, model, tokens, lengths, selected_rows, notes)
    return F.cross_entropy(logits, labels, reduction="sum") / selected_count
