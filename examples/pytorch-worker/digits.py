"""An example: a small convolutional network on handwritten digits.

    coordinator --workers 2 --worker-command "python worker.py digits:setup"

Reads the arrays that Rangefinder's own example uses; put your own Dataset or DataLoader in their place.
"""
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.utils.data import TensorDataset

ARRAYS = Path(__file__).resolve().parents[2] / "worker" / "data" / "assets" / "digits.npz"


class Net(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(8 * width, 10))

    def forward(self, images):
        return self.head(self.features(images))


def setup(width=16, dropout=0.1):
    """`--custom-config '{"width": 32}'` arrives here as an argument."""
    with numpy.load(ARRAYS) as arrays:
        images = torch.from_numpy(arrays["inputs"]).reshape(-1, 1, 8, 8).float() / 16
        labels = torch.from_numpy(arrays["targets"]).long()
    return {
        "model": Net(width, dropout),
        "data": TensorDataset(images, labels),
        "loss": nn.CrossEntropyLoss(),
        "optimizer": lambda model: torch.optim.AdamW(model.parameters()),
        "batch_size": 64,
    }
