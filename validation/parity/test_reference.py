"""Laws that the PyTorch reference must obey: it is judged here before tenfold is judged by it."""

import unittest

import torch
from torch import nn

import reference
from reference import Model

VARIANTS = [(position, untie) for position in reference.POSITIONS for untie in ((True, False) if "tupe" in position else (True,))]


def small_model(position, untie_cls=True):
    return Model(vocabulary=23, length=9, layers=2, width=12, heads=3, feed_forward=20, position=position,
                 untie_cls=untie_cls, relative_buckets=8, relative_max_distance=6)


def random_parameters(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in reference.parameter_shapes(model).items()
    }


def random_batch(model, seed=2):
    """Two sequences, the second of which has padding; three selected tokens."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(6, model.vocabulary, (2, model.length), generator=generator)
    return dict(tokens=tokens, lengths=torch.tensor([model.length, model.length - 3]),
                selected_rows=torch.tensor([0, 4, model.length + 2]), labels=torch.tensor([7, 8, 9]), selected_count=3)


def hidden(parameters, model, tokens, lengths, shift=0.0):
    bias = reference.position_bias(parameters, model, tokens.shape[1]).clone()
    bias[:, 0, :] += shift
    return reference.encode(parameters, model, tokens, lengths, bias)


def gradients(parameters, model, batch):
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    loss = reference.masked_lm_loss(leaves, model, **batch)
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))


class ReferenceTest(unittest.TestCase):
    def test_bucket_table(self):
        """TUPE's table of 32 buckets and distance 128, made by hand."""
        first_distance = {**{n: n for n in range(8)}, 8: 8, 12: 9, 16: 10, 23: 11, 32: 12, 46: 13, 64: 14, 91: 15}
        bucket = None
        for distance in range(200):
            bucket = first_distance.get(distance, bucket)
            self.assertEqual(reference.relative_bucket(-distance, 32, 128), bucket)
            if distance > 0:
                self.assertEqual(reference.relative_bucket(distance, 32, 128), bucket + 16)

    def test_gradients_match_finite_differences(self):
        for position, untie in VARIANTS:
            model = small_model(position, untie)
            parameters, batch = random_parameters(model), random_batch(model)
            analytic = gradients(parameters, model, batch)
            for name, value in parameters.items():
                with self.subTest(position=position, untie_cls=untie, parameter=name):
                    direction = torch.randn(value.shape, generator=torch.Generator().manual_seed(3), dtype=value.dtype)
                    h = 1e-5
                    high, low = (
                        reference.masked_lm_loss({**parameters, name: value + s * h * direction}, model, **batch)
                        for s in (1, -1)
                    )
                    numeric = float(high - low) / (2 * h)
                    self.assertAlmostEqual(float((analytic[name] * direction).sum()), numeric, delta=1e-7)

    def test_absolute_encoder_is_pytorchs_transformer_encoder(self):
        model = small_model("absolute")
        p, batch = random_parameters(model), random_batch(model)
        layer = nn.TransformerEncoderLayer(model.width, model.heads, model.feed_forward, dropout=0.0,
                                           activation="gelu", layer_norm_eps=1e-5, batch_first=True)
        encoder = nn.TransformerEncoder(layer, model.layers).double()
        for n in range(model.layers):
            ours, state = f"encoder.layer.{n}", {}
            for kind in ("weight", "bias"):
                qkv = [p[f"{ours}.attention.{part}.{kind}"] for part in ("query", "key", "value")]
                state[f"self_attn.in_proj_{kind}"] = torch.cat(qkv)
                state[f"self_attn.out_proj.{kind}"] = p[f"{ours}.attention.output.{kind}"]
                state[f"norm1.{kind}"] = p[f"{ours}.attention.layer_norm.{kind}"]
                state[f"linear1.{kind}"] = p[f"{ours}.feed_forward.input.{kind}"]
                state[f"linear2.{kind}"] = p[f"{ours}.feed_forward.output.{kind}"]
                state[f"norm2.{kind}"] = p[f"{ours}.feed_forward.layer_norm.{kind}"]
            encoder.layers[n].load_state_dict(state)
        real = torch.arange(model.length) < batch["lengths"][:, None]
        expected = encoder(reference.embed(p, model, batch["tokens"], real), src_key_padding_mask=~real)
        actual = hidden(p, model, batch["tokens"], batch["lengths"])
        torch.testing.assert_close(actual[real], expected[real], rtol=1e-10, atol=1e-10)

    def test_padding_changes_nothing(self):
        for position, untie in VARIANTS:
            with self.subTest(position=position, untie_cls=untie):
                model = small_model(position, untie)
                p, batch = random_parameters(model), random_batch(model)
                tokens, length = batch["tokens"][1:], int(batch["lengths"][1])
                padded = hidden(p, model, tokens, batch["lengths"][1:])[0, :length]
                alone = hidden(p, model, tokens[:, :length], batch["lengths"][1:])[0]
                torch.testing.assert_close(padded, alone, rtol=1e-10, atol=1e-10)

    def test_permutation_law(self):
        """Without position scores TUPE is a bag of words: permuting the tokens after [CLS] permutes the outputs."""
        order = torch.tensor([0, 5, 3, 1, 8, 2, 7, 4, 6])
        for position in ("tupe-a", "tupe-r"):
            model = small_model(position)
            p, tokens = random_parameters(model), random_batch(model)["tokens"]
            lengths = torch.full((2,), model.length)
            for name in p:
                if name.startswith(("position.query", "position.key", "position.relative.weight")):
                    p[name] = torch.zeros_like(p[name])
            permuted = hidden(p, model, tokens[:, order], lengths)
            torch.testing.assert_close(permuted, hidden(p, model, tokens, lengths)[:, order], rtol=1e-10, atol=1e-10)
            p = random_parameters(model)
            difference = hidden(p, model, tokens[:, order], lengths) - hidden(p, model, tokens, lengths)[:, order]
            self.assertGreater(float(difference.abs().max()), 1e-2, "position scores must matter")

    def test_untied_cls_bias(self):
        """Row 0 is zero and column 0 is one value a head; tied, neither holds."""
        for position in ("tupe-a", "tupe-r"):
            for untie in (True, False):
                model = small_model(position, untie)
                bias = reference.position_bias(random_parameters(model), model, model.length)
                row_is_zero = bool((bias[:, 0, :] == 0).all())
                column_is_constant = bool((bias[:, 1:, 0] == bias[:, 1:2, 0]).all())
                self.assertEqual((row_is_zero, column_is_constant), (untie, untie))

    def test_cls_row_shift_law(self):
        """A constant a head on row 0 of the bias changes nothing (so theta1 need not exist), while theta2 is alive."""
        shift = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)[:, None]
        for position in ("tupe-a", "tupe-r"):
            model = small_model(position)
            p, batch = random_parameters(model), random_batch(model)
            tokens, lengths = batch["tokens"], batch["lengths"]
            shifted = hidden(p, model, tokens, lengths, shift)
            torch.testing.assert_close(shifted, hidden(p, model, tokens, lengths), rtol=1e-10, atol=1e-10)
            self.assertGreater(float(gradients(p, model, batch)["position.table.weight"][0].norm()), 1e-4)

    def test_gradients_that_are_zero(self):
        """Key biases shift every score of a query alike; so does TUPE's when [CLS] is tied."""
        for position, untie in VARIANTS:
            model = small_model(position, untie)
            g = gradients(random_parameters(model), model, random_batch(model))
            self.assertLess(float(g["encoder.layer.0.attention.key.bias"].abs().max()), 1e-12)
            if model.is_tupe:
                size = float(g["position.key.bias"].norm())
                self.assertGreater(size, 1e-5) if untie else self.assertLess(size, 1e-12)


if __name__ == "__main__":
    unittest.main()
