"""What the scripts of the peers share: the same networks, data and optimizer, and the answer that they print.

The networks are those of pytorch_loop.py: `mlp` with AdamW, `cnn` with SGD with momentum, batches of 64, 100
steps from 1e-8 to 1. Each script of a peer prints one JSON line: seconds of its range test alone, its
suggestion, and how many losses it saw.
"""

import argparse
import contextlib
import json
import os
import time

import numpy
import torch
from torch.utils.data import TensorDataset

import pytorch_loop

LOW, HIGH, STEPS, BATCH = 1e-8, 1.0, 100, 64


def given(document):
    """The command line that all peers have; sets threads and seed."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["mlp", "cnn"])
    parser.add_argument("data", metavar="DIGITS.npz")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    return given


def digits(path):
    arrays = numpy.load(path)
    return TensorDataset(torch.from_numpy(arrays["inputs"]).reshape(-1, 1, 8, 8).float() / 16,
                         torch.from_numpy(arrays["targets"]).long())


def network(name):
    return {"mlp": pytorch_loop.mlp, "cnn": pytorch_loop.cnn}[name]()


def optimizer(name, parameters, lr=LOW):
    """As Rangefinder's side of the comparison has it."""
    if name == "cnn":
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)
    return torch.optim.AdamW(parameters, lr=lr)


def timed(range_test):
    """(seconds, what the range test returned); what it says on both streams goes nowhere."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        start = time.perf_counter()
        result = range_test()
        return time.perf_counter() - start, result


def answer(seconds, suggestion, losses):
    print(json.dumps({"alone_seconds": seconds, "suggestion": suggestion, "steps": losses}))
