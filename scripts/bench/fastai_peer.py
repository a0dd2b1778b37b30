"""The comparison's range test with fastai's Learner; see peer.py."""

import tempfile
from functools import partial

from fastai.callback.schedule import valley  # Gives Learner its lr_find.
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from torch.nn import functional

import peer

given = peer.given(__doc__)
loader = DataLoader(peer.digits(given.data), bs=peer.BATCH, shuffle=True, num_workers=0)
optimizer = partial(OptimWrapper, opt=lambda groups, lr, **_: peer.optimizer(given.model, groups, lr))
# It saves and restores the weights around the range test.
with tempfile.TemporaryDirectory() as folder:
    learner = Learner(DataLoaders(loader, loader), peer.network(given.model), loss_func=functional.cross_entropy,
                      opt_func=optimizer, path=folder)
    learner.create_opt()  # The first optimizer loads parts of PyTorch, which is start-up.
    seconds, found = peer.timed(lambda: learner.lr_find(start_lr=peer.LOW, end_lr=peer.HIGH, num_it=peer.STEPS,
                                                        show_plot=False, suggest_funcs=(valley,)))
    losses = len(learner.recorder.losses)
peer.answer(seconds, found.valley, losses)
