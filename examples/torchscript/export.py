#!/usr/bin/env python3
"""Writes what a sweep needs: model.pt, the network with its initial weights, and train.npz, the data.

The network tells four shapes of a noisy wave apart: sine, square, sawtooth and triangle, each at a frequency
and a phase of its own.

usage: export.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy
import torch
from torch import nn

SAMPLES, LENGTH, NOISE = 1000, 48, 0.3


class WaveNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.body = nn.Sequential(*self.block(1, 16), *self.block(16, 32))
        self.head = nn.Linear(32, classes)

    @staticmethod
    def block(channels, width):
        return [nn.Conv1d(channels, width, 5, padding=2, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
                nn.MaxPool1d(2)]

    def forward(self, wave):
        return self.head(self.body(wave).mean(dim=2))


def waves(seed=0):
    """inputs: float32 (samples, 1, length); targets: uint8 (samples,), the shape."""
    random = numpy.random.default_rng(seed)
    shape = random.integers(4, size=SAMPLES)
    frequency, phase = random.uniform(1.5, 4, (SAMPLES, 1)), random.uniform(size=(SAMPLES, 1))
    turn = (frequency * numpy.linspace(0, 1, LENGTH) + phase) % 1  # Where in its period each point lies, 0 to 1.
    all_shapes = numpy.stack([numpy.sin(2 * numpy.pi * turn), numpy.sign(turn - 0.5), 2 * turn - 1,
                              4 * numpy.abs(turn - 0.5) - 1])
    wave = all_shapes[shape, numpy.arange(SAMPLES)] + random.normal(scale=NOISE, size=(SAMPLES, LENGTH))
    return wave[:, None].astype("float32"), shape.astype("uint8")


def main(folder):
    torch.manual_seed(0)
    torch.jit.script(WaveNet()).save(folder / "model.pt")
    inputs, targets = waves()
    numpy.savez(folder / "train.npz", inputs=inputs, targets=targets)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
