#!/usr/bin/env python3
"""Runs the range tests of torch-lr-finder, Lightning and fastai on handwritten digits, and writes the losses of
each, and what each suggests.

Needs torch-lr-finder, lightning, fastai and scikit-learn (whose digits it takes).
usage: record.py [FOLDER]
"""

import csv
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import lightning
import numpy
import torch
from fastai.callback.schedule import valley
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from lightning.pytorch.tuner import Tuner
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torch_lr_finder import LRFinder

LOW, HIGH, STEPS, BATCH = 1e-7, 1.0, 200, 64


def parts():
    """The same network, data and optimizer for each tool."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    images, labels = load_digits(return_X_y=True)
    data = TensorDataset(torch.from_numpy(images).float() / 16, torch.from_numpy(labels))
    return model, DataLoader(data, BATCH, shuffle=True)


def torch_lr_finder():
    """The raw losses, far enough to see them rise; and what plot() suggests of the same run with the tool's own
    smoothing and stop."""
    def history(**options):
        model, loader = parts()
        finder = LRFinder(model, torch.optim.AdamW(model.parameters(), lr=LOW), nn.CrossEntropyLoss(), device="cpu")
        finder.range_test(loader, end_lr=HIGH, num_iter=STEPS, **options)
        return finder.history["lr"], finder.history["loss"]
    rates, smoothed = history()
    suggestion = rates[10:-5][numpy.gradient(smoothed[10:-5]).argmin()]
    return *history(smooth_f=0, diverge_th=100), suggestion


class Module(lightning.LightningModule):
    def __init__(self, network):
        super().__init__()
        self.network, self.lr = network, LOW

    def training_step(self, batch, _):
        return functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def with_lightning(folder):
    model, loader = parts()
    trainer = lightning.Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder)
    finder = Tuner(trainer).lr_find(Module(model), loader, min_lr=LOW, max_lr=HIGH, num_training=STEPS)
    return finder.results["lr"], finder.results["loss"], finder.suggestion()


def with_fastai(folder):
    model, loader = parts()
    learner = Learner(DataLoaders(loader, loader), model, loss_func=functional.cross_entropy, path=folder,
                      opt_func=lambda groups, lr, **_: OptimWrapper(groups, torch.optim.AdamW, lr=lr))
    with learner.no_bar():
        found = learner.lr_find(start_lr=LOW, end_lr=HIGH, num_it=STEPS, show_plot=False, suggest_funcs=(valley,))
    return learner.recorder.lrs, [loss.item() for loss in learner.recorder.losses], found.valley


def main(folder):
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        runs = {"torch-lr-finder": torch_lr_finder(), "lightning": with_lightning(scratch),
                "fastai": with_fastai(scratch)}
    for tool, (rates, losses, _) in runs.items():
        with open(folder / f"{tool}.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("lr", "loss"), *zip(rates, losses)])
    with open(folder / "suggested.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("tool", "lr"), *((tool, suggestion) for tool, (_, _, suggestion) in runs.items())])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
