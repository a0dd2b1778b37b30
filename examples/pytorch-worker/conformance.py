"""What this worker is told to train when it is held to the protocol; also the shortest setups there are."""
import time

import torch
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset


class Hangs(nn.Linear):
    """Its sixth forward pass in training never returns."""
    calls = 0

    def forward(self, inputs):
        self.calls += 1
        while self.calls > 5:
            time.sleep(1)
        return super().forward(inputs)


class TooLarge(nn.Linear):
    def forward(self, inputs):
        torch.empty(1 << 54)  # More bytes than any address space has.
        return super().forward(inputs)


class Stream(IterableDataset):
    """Data that can only be read from its beginning."""
    def __iter__(self):
        for _ in range(120):
            yield torch.randn(8), torch.randn(1)


def parts(model):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 8, generator=generator)
    return {
        "model": model,
        "data": TensorDataset(inputs, inputs.sum(1, keepdim=True)),
        "loss": nn.MSELoss(),
        "optimizer": lambda model: torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9),
        "batch_size": 32,
    }


def ordinary():
    return parts(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1)))


def nan():
    return ordinary()  # A learning rate of 1e30 is enough.


def hang():
    return parts(Hangs(8, 1))


def out_of_memory():
    return parts(TooLarge(8, 1))


def user_error():
    return parts(nn.Linear(7, 1))  # The inputs have 8 columns.


def stream():
    return {**ordinary(), "data": Stream()}
