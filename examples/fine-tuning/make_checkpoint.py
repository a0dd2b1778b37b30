#!/usr/bin/env python3
"""Trains a small network to tell the handwritten digits 0 to 4 apart, gives it a new head for 5 to 9, and
writes what a sweep needs to fine-tune it: model.pt, the network; checkpoint.pt, its weights; train.npz, the
data of the new task.

usage: make_checkpoint.py DIGITS.npz [FOLDER]        (the repository's worker/data/assets/digits.npz)
"""

import sys
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn import functional

EPOCHS, BATCH, CLASSES = 10, 32, 5


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.body = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(128, CLASSES)

    def forward(self, images):
        return self.head(self.body(self.stem(images)).flatten(1))


def pretrain(model, images, labels):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        right = (model(images).argmax(1) == labels).float().mean().item()
    print(f"digits 0 to 4: {right:.0%} right after {EPOCHS} epochs")


def main(digits, folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    arrays = numpy.load(digits)
    images, labels = arrays["inputs"].astype("float32") / 16, arrays["targets"]
    old = labels < CLASSES
    model = Network()
    pretrain(model, torch.from_numpy(images[old]), torch.from_numpy(labels[old]).long())
    model.head = nn.Linear(128, CLASSES)
    torch.jit.script(Network()).save(folder / "model.pt")  # Its own weights are replaced by the checkpoint's.
    torch.save(model.state_dict(), folder / "checkpoint.pt")
    numpy.savez(folder / "train.npz", inputs=images[~old], targets=labels[~old] - CLASSES)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "."))
