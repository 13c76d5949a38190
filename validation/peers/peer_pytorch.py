"""Tokens per second of PyTorch, on the CPU or a GPU, eager or by torch.compile, training the encoder that `tenfold bench` trains: post-LN,
masked language model head on 15 % selected tokens, dropout, gradient clipping, AdamW with f32 state, full sequences of random
tokens.

Sample run:  taskset -c 0 /usr/bin/python3 validation/peers/peer_pytorch.py --precision bf16 --micro-batch 8

Prints JSON. PyTorch is given what helps it: fused query/key/value product, no padding mask, head on selected rows only, the
batch drawn before the clock starts, memory kept by the allocator, denormals flushed. bf16 runs either under autocast or with
bf16 modules beside f32 master weights (--bf16-style); compare.py takes the faster. On a GPU attention is PyTorch's fused one.
"""

import argparse
import contextlib
import ctypes
import json
import time

import torch
import torch.nn.functional as F
from torch import nn

BUCKETS, MAX_DISTANCE, MASK_RATE = 32, 128, 0.15


class TupeRelativeBias(nn.Module):
    """TUPE-R with the [CLS] untied: [heads, T, T], once a forward."""

    def __init__(self, o):
        super().__init__()
        self.heads, self.scale = o.heads, (2 * o.width / o.heads) ** -0.5
        self.table, self.norm = nn.Parameter(torch.randn(o.length, o.width) * 0.02), nn.LayerNorm(o.width)
        self.query, self.key = nn.Linear(o.width, o.width), nn.Linear(o.width, o.width)
        self.relative, self.cls = nn.Embedding(BUCKETS, o.heads), nn.Parameter(torch.zeros(o.heads))
        offset = torch.arange(o.length)[None] - torch.arange(o.length)[:, None]
        exact = BUCKETS // 4
        growth = torch.log(offset.abs().clamp(min=1) / exact) / torch.log(torch.tensor(MAX_DISTANCE / exact))
        far = (exact + (growth * exact).long()).clamp(max=2 * exact - 1)
        buckets = torch.where(offset.abs() < exact, offset.abs(), far) + 2 * exact * (offset > 0)
        self.register_buffer("buckets", buckets)

    def forward(self):
        rows = self.norm(self.table)
        query, key = (p(rows).unflatten(1, (self.heads, -1)).transpose(0, 1) for p in (self.query, self.key))
        position = query @ key.transpose(1, 2) * self.scale
        bias = position + self.relative(self.buckets).permute(2, 0, 1)
        theta2 = position[:, :1, :1] + self.cls[:, None, None]
        bias = torch.cat([theta2.expand(-1, bias.shape[1], 1), bias[:, :, 1:]], 2)
        return torch.cat([torch.zeros_like(bias[:, :1]), bias[:, 1:]], 1)


class Layer(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.heads, self.dropout = o.heads, o.dropout
        self.scale = ((2 if o.position == "tupe-r" else 1) * o.width / o.heads) ** -0.5
        self.qkv, self.output = nn.Linear(o.width, 3 * o.width), nn.Linear(o.width, o.width)
        self.up, self.down = nn.Linear(o.width, o.feed_forward), nn.Linear(o.feed_forward, o.width)
        self.norm1, self.norm2 = nn.LayerNorm(o.width), nn.LayerNorm(o.width)

    def forward(self, x, bias):
        batch, length, width = x.shape
        query, key, value = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = self.attend(query, key, value, bias).transpose(1, 2).reshape(batch, length, width)
        x = self.norm1(x + F.dropout(self.output(y), self.dropout))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), self.dropout))


    def attend(self, query, key, value, bias):
        if query.is_cuda:
            mask = None if bias is None else bias.to(query.dtype)[None]
            return F.scaled_dot_product_attention(query, key, value, mask, self.dropout, scale=self.scale)
        scores = (query * self.scale) @ key.transpose(-1, -2)
        if bias is not None:
            scores = scores.add_(bias)
        return F.dropout(scores.softmax(-1), self.dropout) @ value


class MaskedLanguageModel(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.dropout, self.vocabulary = o.dropout, o.vocabulary
        self.token, self.norm = nn.Embedding(o.vocabulary, o.width), nn.LayerNorm(o.width)
        nn.init.normal_(self.token.weight, std=0.02)
        self.position = nn.Parameter(torch.randn(o.length, o.width) * 0.02) if o.position == "absolute" else None
        self.bias = TupeRelativeBias(o) if o.position == "tupe-r" else None
        self.layers = nn.ModuleList(Layer(o) for _ in range(o.layers))
        self.dense, self.head_norm = nn.Linear(o.width, o.width), nn.LayerNorm(o.width)
        self.head_bias = nn.Parameter(torch.zeros(o.vocabulary))

    def forward(self, tokens, selected, labels):
        """Summed loss over the selected rows of tokens [B, T]."""
        x = self.token(tokens)
        if self.position is not None:
            x = x + self.position
        x = F.dropout(self.norm(x), self.dropout)
        bias = self.bias() if self.bias is not None else None
        for layer in self.layers:
            x = layer(x, bias)
        h = self.head_norm(F.gelu(self.dense(x.flatten(0, 1)[selected])).to(self.head_norm.weight.dtype))
        return F.cross_entropy(F.linear(h, self.token.weight, self.head_bias).float(), labels, reduction="sum")


def micro_batches(o):
    """The global batch of random tokens as a list of (tokens, selected rows, labels)."""
    generator = torch.Generator().manual_seed(1)
    count = int(MASK_RATE * o.micro_batch * o.length)
    return [
        (
            torch.randint(6, o.vocabulary, (o.micro_batch, o.length), generator=generator),
            torch.randperm(o.micro_batch * o.length, generator=generator)[:count].sort().values,
            torch.randint(6, o.vocabulary, (count,), generator=generator),
        )
        for _ in range(o.global_batch // o.micro_batch)
    ]


class Trainer:
    def __init__(self, o):
        self.model = MaskedLanguageModel(o).to(o.device)
        self.batches = [tuple(part.to(o.device) for part in batch) for batch in micro_batches(o)]
        self.selected = sum(len(labels) for _, _, labels in self.batches)
        self.forward = torch.compile(self.model) if o.mode == "compile" else self.model
        self.context = contextlib.nullcontext
        self.master = list(self.model.parameters())
        self.working = self.master
        if o.precision == "bf16" and o.bf16_style == "autocast":
            self.context = lambda: torch.autocast(o.device, torch.bfloat16)
        elif o.precision == "bf16":
            self.master = [nn.Parameter(p.detach().clone()) for p in self.working]
            self.model.bfloat16()
        fused = {"fused": True} if o.device == "cuda" else {}  # older versions do not know it
        self.optimizer = torch.optim.AdamW(self.master, lr=1e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01, **fused)

    def step(self):
        for tokens, selected, labels in self.batches:
            with self.context():
                loss = self.forward(tokens, selected, labels) / self.selected
            loss.backward()
        if self.master is not self.working:
            for master, working in zip(self.master, self.working):
                master.grad, working.grad = working.grad.float(), None
        nn.utils.clip_grad_norm_(self.master, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.master is not self.working:
            with torch.no_grad():
                for master, working in zip(self.master, self.working):
                    working.copy_(master)


def versions():
    """PyTorch and the BLAS that Debian's build uses for f32 products. Netlib's reference BLAS is refused: it is some thirty
    times slower than OpenBLAS, and a comparison with it would say nothing."""
    with open("/proc/self/maps") as maps:
        libraries = sorted({line.split()[-1] for line in maps if "blas" in line})
    if any("/blas/libblas.so" in library for library in libraries):
        raise SystemExit("PyTorch found only the reference BLAS; install libopenblas0-pthread to be fair to it")
    return f"PyTorch {torch.__version__} on {', '.join(libraries) or 'its own libraries'}"


def keep_memory():
    """Let glibc reuse freed memory instead of returning it to the system at every step (mallopt of malloc.h)."""
    mmap_max, trim_threshold = -4, -1
    libc = ctypes.CDLL(None)
    if not (libc.mallopt(mmap_max, 0) and libc.mallopt(trim_threshold, 2**31 - 1)):
        raise SystemExit("peer_pytorch: mallopt failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = dict(layers=12, width=256, heads=4, feed_forward=1024, length=128, vocabulary=16384)
    for name, default in {**sizes, "global_batch": 64, "micro_batch": 8, "threads": 1}.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--position", choices=("absolute", "tupe-r"), default="absolute")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--bf16-style", choices=("autocast", "modules"), default="modules")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--seconds", type=float, default=10, help="measure at least this long, and two steps")
    parser.add_argument("--versions", action="version", version=versions(), help="print the versions of PyTorch and its BLAS")
    o = parser.parse_args()
    if o.global_batch % o.micro_batch:
        parser.error("--micro-batch must divide --global-batch")

    keep_memory()
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)
    finish = torch.cuda.synchronize if o.device == "cuda" else lambda: None
    trainer = Trainer(o)
    trainer.step()
    finish()
    steps, start = 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - start < o.seconds:
        trainer.step()
        finish()
        steps += 1
    seconds = time.perf_counter() - start
    tokens_per_second = steps * o.global_batch * o.length / seconds
    print(json.dumps({**vars(o), "steps": steps, "tokens_per_second": tokens_per_second}))


if __name__ == "__main__":
    main()
