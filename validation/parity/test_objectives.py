"""Laws of the reference's notes, ELECTRA and MC-BERT: it is judged here before tenfold is judged by it."""

import dataclasses
import math
import unittest

import torch

import objectives
import reference
from objectives import Batch, Objective
from reference import Model, Notes

ELECTRA, CHOICE = Objective("electra", divider=2, weight=50.0), Objective("multiple-choice", divider=2, weight=20.0)
OBJECTIVES = (Objective("mlm"), ELECTRA, CHOICE)


def small_model(position):
    return Model(vocabulary=23, length=9, layers=2, width=12, heads=3, feed_forward=20, position=position,
                 relative_buckets=8, relative_max_distance=6)


def random_parameters(model, objective, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)
            for name, shape in objectives.parameter_shapes(model, objective).items()}


def random_batch(model):
    """Two sequences, the second with padding; four selected tokens, of which three are replaced."""
    original = torch.randint(6, model.vocabulary, (2, model.length), generator=torch.Generator().manual_seed(2))
    lengths = torch.tensor([model.length, model.length - 3])
    rows = torch.tensor([0, 4, model.length, model.length + 2])
    labels = original.flatten()[rows]
    tokens, corrupted = original.flatten().clone(), original.flatten().clone()
    tokens[rows] = 4
    corrupted[rows[1:]] = (labels[1:] - 5) % 17 + 6
    candidates = torch.stack([torch.roll(torch.arange(5, model.vocabulary), -n)[:4] for n in range(len(tokens))])
    answers = (corrupted != original.flatten()).long()
    return Batch(tokens.view_as(original), original, lengths, rows, labels, corrupted.view_as(original), candidates, answers)


def random_notes(model, mix=0.3, rescale=False):
    vectors = torch.randn((2, model.width), generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return Notes(torch.tensor([1, model.length + 3]), torch.tensor([4, model.length + 4]), vectors, mix, rescale)


def gradients(parameters, loss):
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    found = torch.autograd.grad(loss(leaves), list(leaves.values()), allow_unused=True)
    return {name: torch.zeros_like(leaves[name]) if value is None else value for name, value in zip(leaves, found)}


def cases():
    for objective in OBJECTIVES:
        for position in ("absolute", "tupe-r"):
            model = small_model(position)
            yield model, objective, random_parameters(model, objective), random_batch(model)


class ObjectivesTest(unittest.TestCase):
    def test_gradients_match_finite_differences(self):
        for model, objective, parameters, batch in cases():

            def loss(p):
                return objectives.loss(p, model, objective, batch, random_notes(model))

            for name, gradient in gradients(parameters, loss).items():
                direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
                h = 1e-6
                high, low = (loss({**parameters, name: parameters[name] + s * h * direction}) for s in (1, -1))
                self.assertAlmostEqual(float((gradient * direction).sum()), float(high - low) / (2 * h), delta=2e-5, msg=name)

    def test_every_parameter_but_key_biases_is_alive(self):
        for model, objective, parameters, batch in cases():
            for name, gradient in gradients(parameters, lambda p: objectives.loss(p, model, objective, batch)).items():
                if not name.endswith("attention.key.bias"):
                    self.assertGreater(float(gradient.norm()), 1e-9, name)

    def test_notes_without_a_share_change_nothing(self):
        for model, objective, parameters, batch in cases():
            plain, none, some = (float(objectives.loss(parameters, model, objective, batch, notes))
                                 for notes in (None, random_notes(model, mix=0.0), random_notes(model)))
            self.assertEqual(none, plain)
            self.assertGreater(abs(some - plain), 1e-5)

    def test_notes_are_data(self):
        for rescale in (False, True):
            notes = random_notes(small_model("absolute"), rescale=rescale)
            vectors = notes.vectors.clone().requires_grad_()
            x = torch.ones((2, 9, 12), dtype=torch.float64, requires_grad=True)
            mixed = dataclasses.replace(notes, vectors=vectors).mixed_into(x)
            gradient_x, gradient_notes = torch.autograd.grad(mixed.sum(), (x, vectors), allow_unused=True)
            self.assertIsNone(gradient_notes)
            expected = torch.ones(18, dtype=torch.float64)
            expected[[1, 2, 3, 12]] = 0.7
            torch.testing.assert_close(gradient_x.flatten(0, 1)[:, 5], expected)

    def test_all_note_is_the_note(self):
        """At mix 1, with the norm of what it replaces if rescaled."""
        x = torch.full((2, 9, 12), 2.0, dtype=torch.float64)
        notes = random_notes(small_model("absolute"), mix=1.0)
        torch.testing.assert_close(notes.mixed_into(x)[1, 3], notes.vectors[1])
        rescaled = dataclasses.replace(notes, rescale=True).mixed_into(x)[1, 3]
        self.assertAlmostEqual(float(rescaled.norm()), float(x[1, 3].norm()))
        self.assertAlmostEqual(float(rescaled @ notes.vectors[1]), float(rescaled.norm() * notes.vectors[1].norm()))

    def test_small_network_is_an_encoder_whose_token_table_and_notes_are_projected(self):
        """For A is affine and the shares of token and note add up to 1; positions are not scaled, as TUPE has none there."""
        model, batch = small_model("tupe-r"), random_batch(small_model("tupe-r"))
        parameters, notes, small = random_parameters(model, ELECTRA), random_notes(model), objectives.small_model(model, ELECTRA)
        self.assertEqual((small.width, small.heads, small.feed_forward), (6, 1, 10))
        own = objectives.small_parameters(parameters, ELECTRA)
        projected = {**own, "embeddings.token.weight": reference.linear(own, "projection", own["embeddings.token.weight"])}
        masked = (batch.tokens, batch.lengths, batch.selected_rows, batch.labels, 4)
        loss = reference.masked_lm_loss(own, small, *masked, notes=notes)
        notes = dataclasses.replace(notes, vectors=reference.linear(own, "projection", notes.vectors))
        plain = reference.masked_lm_loss(projected, dataclasses.replace(small, table_width=None), *masked, notes=notes)
        self.assertAlmostEqual(float(loss), float(plain), places=10)

    def test_small_networks_share_what_they_must(self):
        model, batch = small_model("absolute"), random_batch(small_model("absolute"))
        for objective, shares_bias in ((ELECTRA, False), (CHOICE, True)):
            masked = dataclasses.replace(objective, weight=0.0)
            g = gradients(random_parameters(model, objective), lambda p: objectives.loss(p, model, masked, batch))
            main = {name: value for name, value in g.items() if not name.startswith(("generator.", "controller."))}
            alive = {name for name, value in main.items() if value.norm() > 0}
            self.assertEqual(alive, {"embeddings.token.weight"} | ({"head.bias"} if shares_bias else set()))

    def test_losses_of_a_head_that_knows_nothing(self):
        model = small_model("relative")
        batch = random_batch(model)
        for objective, loss, expected in ((ELECTRA, objectives.replaced_token_loss, math.log(2)),
                                          (CHOICE, objectives.multiple_choice_loss, math.log(4))):
            parameters = random_parameters(model, objective)
            for name in ("discriminator.output.weight", "discriminator.output.bias",
                         "head.layer_norm.weight", "head.layer_norm.bias", "head.bias"):
                if name in parameters:
                    parameters[name] = torch.zeros_like(parameters[name])
            self.assertAlmostEqual(float(loss(parameters, model, batch, None)), expected)

    def test_discriminator_that_says_replaced(self):
        """It is right at the 3 replaced of 15 real tokens, and pays its logit at the others."""
        model = small_model("tupe-a")
        parameters = random_parameters(model, ELECTRA)
        parameters["discriminator.output.weight"] = torch.zeros(model.width, dtype=torch.float64)
        parameters["discriminator.output.bias"] = torch.full((1,), 30.0, dtype=torch.float64)
        self.assertAlmostEqual(float(objectives.replaced_token_loss(parameters, model, random_batch(model), None)), 30 * 12 / 15)

    def test_unused_slots_and_padding_change_nothing(self):
        model = small_model("tupe-r")
        parameters, batch = random_parameters(model, CHOICE), random_batch(model)
        loss = float(objectives.multiple_choice_loss(parameters, model, batch, None))
        padded = torch.cat([batch.candidates, torch.full_like(batch.candidates, -1)], dim=1)
        padded[-3:] = -1
        wider = dataclasses.replace(batch, candidates=padded)
        self.assertAlmostEqual(float(objectives.multiple_choice_loss(parameters, model, wider, None)), loss, places=12)


if __name__ == "__main__":
    unittest.main()
