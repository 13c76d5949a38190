"""The losses of masked language modelling, ELECTRA and MC-BERT in plain PyTorch, given what was drawn.

Generator (ELECTRA) and controller (MC-BERT) are encoders of the main model's kind and depth with divided widths, named
`generator.` and `controller.`; they share the main model's token table through a projection and see the masked input,
while the main model sees the input in which every selected token is replaced by a drawn one. Draws are data.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

import reference

SMALL_NETWORK = {"electra": "generator.", "multiple-choice": "controller."}


@dataclass(frozen=True)
class Objective:
    kind: str  # mlm, electra or multiple-choice
    divider: int = 1  # of the main model's widths and heads
    weight: float = 0.0  # of the main model's loss beside the small network's


@dataclass(frozen=True)
class Batch:
    """Of a whole optimizer step. Rows count as b * T + t."""

    tokens: torch.Tensor  # [B, T] with the selected ones masked
    original: torch.Tensor  # [B, T]
    lengths: torch.Tensor  # [B], real tokens
    selected_rows: torch.Tensor  # [n]
    labels: torch.Tensor  # [n], original tokens there
    corrupted: torch.Tensor | None = None  # [B, T], input of the main model beside a generator
    candidates: torch.Tensor | None = None  # [B * T, k] tokens, -1 in slots that are not used
    answers: torch.Tensor | None = None  # [B * T], slot of the right answer


def small_model(model, objective):
    """Generator or controller."""
    n = objective.divider
    return replace(model, width=model.width // n, heads=max(1, model.heads // n), feed_forward=model.feed_forward // n,
                   table_width=model.width)


def parameter_shapes(model, objective):
    """Name and shape of every parameter of a checkpoint."""
    if objective.kind == "mlm":
        return reference.parameter_shapes(model)
    small, prefix, d = small_model(model, objective), SMALL_NETWORK[objective.kind], model.width
    shapes = {prefix + name: shape for name, shape in reference.parameter_shapes(small).items()}
    if objective.kind == "electra":
        main = {**reference.encoder_shapes(model), "discriminator.dense.weight": (d, d), "discriminator.dense.bias": (d,),
                "discriminator.output.weight": (d,), "discriminator.output.bias": (1,)}
    else:
        main = reference.parameter_shapes(model)
        del shapes[prefix + "head.bias"]  # shared
    return {**main, **shapes}


def small_parameters(parameters, objective):
    """By the names that they have in an encoder of its own; what it has not got itself is the main model's."""
    prefix = SMALL_NETWORK[objective.kind]
    own = {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}
    shared = {name: parameters[name] for name in ("embeddings.token.weight", "head.bias") if name in parameters}
    return {**shared, **own}


def main_hidden(parameters, model, batch, notes):
    """Final hidden states [m, d] of the main model at the m real tokens of the corrupted input."""
    bias = reference.position_bias(parameters, model, batch.corrupted.shape[1])
    x = reference.encode(parameters, model, batch.corrupted, batch.lengths, bias, notes)
    return x[reference.real_tokens(batch.corrupted, batch.lengths)]


def replaced_tokens(batch):
    """Of the m real tokens, which are not the original ones."""
    return (batch.corrupted != batch.original)[reference.real_tokens(batch.corrupted, batch.lengths)]


def discriminator_logits(parameters, model, batch, notes):
    """[m] of 'this token is not the original'."""
    x = main_hidden(parameters, model, batch, notes)
    hidden = F.gelu(reference.linear(parameters, "discriminator.dense", x))
    return hidden @ parameters["discriminator.output.weight"] + parameters["discriminator.output.bias"]


def replaced_token_loss(parameters, model, batch, notes):
    """Mean over real tokens of the binary cross entropy (nats)."""
    logits = discriminator_logits(parameters, model, batch, notes)
    return F.binary_cross_entropy_with_logits(logits, replaced_tokens(batch).to(logits.dtype))


def choice_logits(parameters, model, batch, notes):
    """[m, k] of the candidates."""
    hidden = reference.head_hidden(parameters, main_hidden(parameters, model, batch, notes))
    candidates = batch.candidates[reference.real_tokens(batch.corrupted, batch.lengths).flatten()]
    tokens = candidates.clamp(min=0)
    logits = (parameters["embeddings.token.weight"][tokens] @ hidden[:, :, None]).squeeze(2) + parameters["head.bias"][tokens]
    return logits.masked_fill(candidates < 0, -torch.inf)


def multiple_choice_loss(parameters, model, batch, notes):
    """Mean over real tokens of the cross entropy (nats) of the right answer among the candidates."""
    answers = batch.answers[reference.real_tokens(batch.corrupted, batch.lengths).flatten()]
    return F.cross_entropy(choice_logits(parameters, model, batch, notes), answers)


def loss(parameters, model, objective, batch, notes=None):
    """Total loss of the step: L_MLM, or L_MLM + weight x L_second."""
    masked = dict(tokens=batch.tokens, lengths=batch.lengths, selected_rows=batch.selected_rows, labels=batch.labels,
                  selected_count=len(batch.selected_rows), notes=notes)
    if objective.kind == "mlm":
        return reference.masked_lm_loss(parameters, model, **masked)
    first = reference.masked_lm_loss(small_parameters(parameters, objective), small_model(model, objective), **masked)
    second = replaced_token_loss if objective.kind == "electra" else multiple_choice_loss
    return first + objective.weight * second(parameters, model, batch, notes)


def metrics(parameters, model, objective, batch, notes=None):
    """Columns of the trace by name, of a network with two objectives."""
    small = small_parameters(parameters, objective), small_model(model, objective)
    logits = reference.masked_lm_logits(*small, batch.tokens, batch.lengths, batch.selected_rows, notes)
    truth = logits.gather(1, batch.labels[:, None])
    replaced = replaced_tokens(batch)
    columns = {"loss_mlm": F.cross_entropy(logits, batch.labels), "accuracy": (logits.argmax(1) == batch.labels).double().mean(),
               "truth_rank": 1 + (logits > truth).sum(1).double().mean(), "replaced_share": replaced.double().mean()}
    if objective.kind == "electra":
        said = discriminator_logits(parameters, model, batch, notes) > 0
        columns |= {"loss_discriminator": replaced_token_loss(parameters, model, batch, notes),
                    "discriminator_accuracy": (said == replaced).double().mean(),
                    "discriminator_precision": replaced[said].double().mean(),
                    "discriminator_recall": said[replaced].double().mean()}
    else:
        answer = choice_logits(parameters, model, batch, notes).argmax(1)
        columns |= {"loss_choice": multiple_choice_loss(parameters, model, batch, notes),
                    "accuracy_replaced": (answer == 1)[replaced].double().mean(),
                    "accuracy_unchanged": (answer == 0)[~replaced].double().mean(),
                    "nota_share": (answer == 0).double().mean()}
    return {name: float(value) for name, value in columns.items()}
