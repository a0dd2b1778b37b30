"""The comparison's range test with torch-lr-finder; see peer.py."""

import numpy
from torch import nn
from torch.utils.data import DataLoader
from torch_lr_finder import LRFinder

import peer

given = peer.given(__doc__)
model = peer.network(given.model)
finder = LRFinder(model, peer.optimizer(given.model, model.parameters()), nn.CrossEntropyLoss(), device="cpu")
loader = DataLoader(peer.digits(given.data), batch_size=peer.BATCH, shuffle=True)
seconds, _ = peer.timed(lambda: finder.range_test(loader, start_lr=peer.LOW, end_lr=peer.HIGH, num_iter=peer.STEPS,
                                                  diverge_th=4))
# What its plot suggests, without drawing it.
losses, rates = finder.history["loss"][10:-5], finder.history["lr"][10:-5]
peer.answer(seconds, rates[int(numpy.gradient(numpy.array(losses)).argmin())], len(finder.history["loss"]))
