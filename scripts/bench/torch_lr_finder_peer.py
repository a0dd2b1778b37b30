"""The embedded default with torch-lr-finder: the same network, data, optimizer, steps and threads.

Prints one JSON line: seconds of the range test alone, and its suggestion.
usage: torch_lr_finder_peer.py DIGITS.npz THREADS
"""

import contextlib
import io
import json
import sys
import time

import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_lr_finder import LRFinder

torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)
digits = numpy.load(sys.argv[1])
inputs = torch.from_numpy(digits["inputs"]).reshape(-1, 64).float() / 16
targets = torch.from_numpy(digits["targets"]).long()
model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-8)
finder = LRFinder(model, optimizer, nn.CrossEntropyLoss(), device="cpu")
loader = DataLoader(TensorDataset(inputs, targets), batch_size=64, shuffle=True)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    start = time.perf_counter()
    finder.range_test(loader, start_lr=1e-8, end_lr=1, num_iter=100, diverge_th=4)
    alone = time.perf_counter() - start
    losses, lrs = finder.history["loss"][10:-5], finder.history["lr"][10:-5]
    suggestion = lrs[int(numpy.gradient(numpy.array(losses)).argmin())]
print(json.dumps({"alone_seconds": alone, "suggestion": suggestion, "steps": len(finder.history["loss"])}))
