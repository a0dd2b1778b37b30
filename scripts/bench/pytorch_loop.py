"""A plain PyTorch training loop with the fused optimizer: what a range test costs at least in Python.

Nothing but training: the data are tensors in memory, on the GPU where one is used, the order of the
batches is drawn before the clock starts, and the learning rate is set from a list. The networks are
those of Rangefinder's built-in `mlp`, `cnn` and `gpt`.

Prints one JSON line: the seconds of the loop, and its losses.
usage: pytorch_loop.py MODEL DATA.npz STEPS [--device DEVICE] [--threads N] [--precision fp32|tf32|bf16]
       pytorch_loop.py tokens FILE.npz        (writes the tokens for `gpt`)
"""

import argparse
import contextlib
import json
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

# Blocks, heads, width, vocabulary, context and sequences of `gpt`.
GPT = {"layers": 2, "heads": 4, "width": 64, "vocabulary": 256, "context": 64, "sequences": 512}
BATCH = {"mlp": 64, "cnn": 64, "gpt": 8}
MIN_LR, MAX_LR = 1e-8, 1e-3


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                         nn.Linear(256, 10))


def cnn():
    def block(channels, width):
        return [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                nn.MaxPool2d(2)]
    return nn.Sequential(*block(1, 32), *block(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.c_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, context, width = x.shape
        parts = [part.view(batch, context, self.heads, -1).transpose(1, 2)
                 for part in self.c_attn(self.ln_1(x)).split(width, dim=2)]
        attended = functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.c_proj(attended.transpose(1, 2).contiguous().view(batch, context, width))
        return x + self.c_out(functional.gelu(self.c_fc(self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self, width=GPT["width"], heads=GPT["heads"]):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(GPT["vocabulary"], width), nn.Embedding(GPT["context"], width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(GPT["layers"]))
        self.ln_f = nn.LayerNorm(width)
        for name, weights in self.named_parameters():
            if weights.dim() > 1:
                nn.init.normal_(weights, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(weights)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.ln_f(x), self.wte.weight)


def tokens(path):
    """Sequences in which each token mostly follows from the one before, so that there is something to learn."""
    draw = numpy.random.default_rng(0)
    follows = draw.permutation(GPT["vocabulary"])
    text = draw.integers(0, GPT["vocabulary"], (GPT["sequences"], GPT["context"] + 1))
    for at in range(1, GPT["context"] + 1):
        known = draw.random(GPT["sequences"]) < 0.8
        text[known, at] = follows[text[known, at - 1]]
    numpy.savez(path, inputs=text[:, :-1].astype("int64"), targets=text[:, 1:].astype("int64"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["mlp", "cnn", "gpt", "tokens"])
    parser.add_argument("data")
    parser.add_argument("steps", type=int, nargs="?")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    given = parser.parse_args()
    if given.model == "tokens":
        return tokens(given.data)

    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = given.precision == "tf32"
    device = torch.device(given.device)
    arrays = numpy.load(given.data)
    inputs, targets = torch.from_numpy(arrays["inputs"]), torch.from_numpy(arrays["targets"]).long()
    if given.model != "gpt":
        inputs = inputs.reshape(-1, 1, 8, 8).float() / 16
    inputs, targets = inputs.to(device), targets.to(device)
    model = {"mlp": mlp, "cnn": cnn, "gpt": Gpt}[given.model]().to(device)
    if given.model == "cnn":
        optimizer = torch.optim.SGD(model.parameters(), lr=MIN_LR, momentum=0.9, fused=True)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=MIN_LR, fused=True)
    lrs = [MIN_LR * (MAX_LR / MIN_LR) ** (step / (given.steps - 1)) for step in range(given.steps)]
    size, order = BATCH[given.model], []
    while len(order) < given.steps:
        order += torch.randperm(len(inputs)).split(size)
    order = [batch.to(device) for batch in order]
    autocast = given.precision == "bf16"

    losses = []
    start = time.perf_counter()
    for lr, batch in zip(lrs, order):
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16) if autocast else contextlib.nullcontext():
            output, wanted = model(inputs[batch]), targets[batch]
            loss = functional.cross_entropy(output.flatten(0, -2), wanted.flatten())
        loss.backward()
        optimizer.step()
        # Waiting for a GPU at each step would be unfair: it reads all losses at the end.
        losses.append(loss.item() if device.type == "cpu" else loss.detach())
    losses = [float(loss) for loss in losses]
    print(json.dumps({"alone_seconds": time.perf_counter() - start, "losses": losses}))


if __name__ == "__main__":
    main()
