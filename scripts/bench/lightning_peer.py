"""The comparison's range test with Lightning's Tuner; see peer.py."""

import logging
import tempfile
import warnings

import lightning
from lightning.pytorch.tuner import Tuner
from torch.nn import functional
from torch.utils.data import DataLoader

import peer

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Module(lightning.LightningModule):
    def __init__(self, name):
        super().__init__()
        self.name, self.lr, self.network = name, peer.LOW, peer.network(name)

    def training_step(self, batch, _):
        return functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        return peer.optimizer(self.name, self.parameters(), self.lr)


given = peer.given(__doc__)
module = Module(given.model)
loader = DataLoader(peer.digits(given.data), batch_size=peer.BATCH, shuffle=True)
# It saves and restores a checkpoint around the range test.
with tempfile.TemporaryDirectory() as folder:
    trainer = lightning.Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder)
    seconds, finder = peer.timed(lambda: Tuner(trainer).lr_find(
        module, train_dataloaders=loader, min_lr=peer.LOW, max_lr=peer.HIGH, num_training=peer.STEPS))
peer.answer(seconds, finder.suggestion(), len(finder.results["loss"]))
