"""The tasks of regret.py in PyTorch: exported for the sweeps, and trained at a learning rate to judge it.

Both see the same network with the same initial weights, the same data, loss, optimizer and batch size;
the order of the batches is another one, since nobody trains on the order of the range test.

`export FOLDER SEEDS` writes FOLDER/TASK-SEED.pt and FOLDER/TASK.npz and prints the sweeps' flags of each
task as JSON. `train FOLDER STEPS` reads one JSON line {"task", "seed", "lr"} after another and answers
each with {"first", "last"}: the loss of the first step and the mean of the last 20, null if not finite.

usage: regret_tasks.py export FOLDER SEEDS | train FOLDER STEPS
"""

import json
import math
import os
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

import pytorch_loop

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "worker", "data", "assets", "digits.npz")
LAST = 20


class Residual(nn.Module):
    """Two convolutions whose output is added to their input, without normalisation."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def residual():
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), Residual(16), nn.MaxPool2d(2), Residual(16),
                         Residual(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def deep(layers, activation):
    widths = [64] * (layers + 1)
    parts = [part for a, b in zip(widths, widths[1:]) for part in (nn.Linear(a, b), activation())]
    return nn.Sequential(nn.Flatten(), *parts, nn.Linear(64, 10))


def regressor():
    return nn.Sequential(nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))


ADAM, SGD = (1e-8, 1.0), (1e-7, 10.0)
# Network, data, optimizer as PyTorch and as our flags name it, its arguments, batch size, range.
TASKS = {
    "mlp-adamw": (pytorch_loop.mlp, "digits", "adamw", {}, 64, ADAM),
    "mlp-sgd": (pytorch_loop.mlp, "digits", "sgd", {}, 32, SGD),
    "cnn-momentum": (pytorch_loop.cnn, "digits", "sgd", {"momentum": 0.9}, 64, SGD),
    "residual-adamw": (residual, "digits", "adamw", {}, 32, ADAM),
    "tanh6-momentum": (lambda: deep(6, nn.Tanh), "digits", "sgd", {"momentum": 0.9}, 64, SGD),
    "relu8-rmsprop": (lambda: deep(8, nn.ReLU), "digits", "rmsprop", {}, 64, ADAM),
    "gpt-adamw": (lambda: pytorch_loop.Gpt(width=32, heads=2), "tokens", "adamw", {}, 8, ADAM),
    "regression-adam": (regressor, "regression", "adam", {}, 32, ADAM),
}
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD,
              "rmsprop": torch.optim.RMSprop}


def write_data(name, path):
    if name == "tokens":
        return pytorch_loop.tokens(path)
    if name == "digits":
        digits = numpy.load(DIGITS)
        inputs = digits["inputs"].reshape(-1, 1, 8, 8).astype("float32") / 16
        return numpy.savez(path, inputs=inputs, targets=digits["targets"].astype("int64"))
    draw = numpy.random.default_rng(0)
    x = draw.standard_normal((2048, 8)).astype("float32")
    y = numpy.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + numpy.abs(x[:, 3]) + 0.1 * draw.standard_normal(2048)
    return numpy.savez(path, inputs=x, targets=y[:, None].astype("float32"))


def export(folder, seeds):
    flags = {}
    for task, (network, data, optimizer, options, batch, (low, high)) in TASKS.items():
        path = os.path.join(folder, f"{data}.npz")
        if not os.path.exists(path):
            write_data(data, path)
        example = torch.from_numpy(numpy.load(path)["inputs"][:batch])
        for seed in range(seeds):
            torch.manual_seed(seed)
            # Traced in training mode: batch norm stays one.
            torch.jit.trace(network(), example, check_trace=False).save(os.path.join(folder, f"{task}-{seed}.pt"))
        flags[task] = ["--data", path, "--optimizer", optimizer, "--batch-size", str(batch), "--min-lr", str(low),
                       "--max-lr", str(high), *(["--loss", "mse"] if data == "regression" else []),
                       *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    print(json.dumps(flags))


def train(folder, task, seed, lr, steps):
    network, data, optimizer, options, batch, _ = TASKS[task]
    arrays = numpy.load(os.path.join(folder, f"{data}.npz"))
    inputs, targets = torch.from_numpy(arrays["inputs"]), torch.from_numpy(arrays["targets"])
    torch.manual_seed(seed)
    model = network()
    optimizer = OPTIMIZERS[optimizer](model.parameters(), lr=lr, **options)
    draw, order = torch.Generator().manual_seed(1000 + seed), []
    while len(order) < steps:
        order += torch.randperm(len(inputs), generator=draw).split(batch)
    losses = []
    for picked in order[:steps]:
        optimizer.zero_grad()
        output, wanted = model(inputs[picked]), targets[picked]
        if data == "regression":
            loss = functional.mse_loss(output, wanted)
        else:
            loss = functional.cross_entropy(output.flatten(0, -2), wanted.flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            return {"first": losses[0], "last": None}
    return {"first": losses[0], "last": sum(losses[-LAST:]) / LAST}


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("export", "train"):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    _, what, folder, count = sys.argv
    if what == "export":
        return export(folder, int(count))
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(train(folder, wanted["task"], wanted["seed"], wanted["lr"], int(count))), flush=True)


if __name__ == "__main__":
    main()
