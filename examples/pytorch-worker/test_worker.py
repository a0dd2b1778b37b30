"""The training loop, and whole sweeps on it. COORDINATOR names the coordinator's program; without it none is run."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

import conformance
from loop import Failure, Loop, pb

HERE = Path(__file__).resolve().parent


def spec(entry, **fields):
    custom = pb.Custom(entry=entry, config=fields.pop("config", b""))
    return pb.TrainerSpec(custom=custom, **{"seed": 7, "threads": 1, "shuffle": True, **fields})


def losses(loop, first, end, lr=0.01):
    loop.start(0, first, end, "cpu")
    seen = []
    for step in range(first, end):
        loss, _ = loop.loss(step)
        seen.append(loss.item())
        loop.update(loss, lr)
    return seen


class Noisy(Dataset):
    """Augmentation: noise that is drawn as a sample is read."""
    def __len__(self):
        return 100

    def __getitem__(self, index):
        return torch.full((8,), float(index)) + torch.randn(8), torch.ones(1)


class LoopTest(unittest.TestCase):
    def test_augmentation_belongs_to_the_step_also_in_a_loaders_processes(self):
        loop = Loop(spec("conformance:ordinary"), "")
        batches = []
        for processes, first in ((0, 0), (2, 0), (0, 3)):
            loop.loader = DataLoader(Noisy(), num_workers=processes)
            loop.data, loop.samples, loop.batch_size, loop.epoch_steps = Noisy(), 100, 10, 10
            loop.start(0, first, 6, "cpu")
            batches.append([inputs for inputs, _ in loop.batches][3 - first:])
        for other in batches[1:]:
            self.assertTrue(all(torch.equal(a, b) for a, b in zip(batches[0], other, strict=True)))

    def test_the_losses_are_those_of_a_plain_loop(self):
        loop = Loop(spec("conformance:ordinary", shuffle=False), "")
        loop.model[2].p = 0.0  # Its noise is the step's, which a plain loop does not know.
        model = copy.deepcopy(loop.model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        plain = []
        for inputs, targets in DataLoader(loop.data, batch_size=32):
            loss = torch.nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            plain.append(float(loss.detach()))
        self.assertEqual(losses(loop, 0, 16), plain)

    def test_every_epoch_has_every_sample_once_in_an_order_of_its_own(self):
        loop = Loop(spec("conformance:ordinary"), "")
        loop.start(0, 0, 32, "cpu")
        keys = [[index for _, index in step] for step in loop.keys(0, 32)]
        epochs = [sum(keys[:16], []), sum(keys[16:], [])]
        for epoch in epochs:
            self.assertEqual(sorted(epoch), list(range(500)))
        self.assertNotEqual(*epochs)

    def test_parameter_groups_keep_their_ratio_to_the_first(self):
        loop = Loop(spec("conformance:ordinary"), "")
        loop.make_optimizer = lambda model: torch.optim.SGD(
            [{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.1}], lr=1.0)
        losses(loop, 0, 1, lr=0.5)
        self.assertEqual([group["lr"] for group in loop.optimizer.param_groups], [0.5, 0.05])

    def test_data_that_is_not_map_style_refuses_segments(self):
        loop = Loop(spec("conformance:stream"), "")
        described = loop.describe()
        self.assertEqual((described.seekable, described.samples), (False, 0))
        self.assertEqual(len(losses(loop, 0, 10)), 10, "the stream of 4 batches begins again")
        with self.assertRaises(Failure):
            loop.start(0, 3, 10, "cpu")

    def test_mistakes_name_their_field(self):
        for field, fields in (
            ("entry", {"entry": "no_such_module:setup"}),
            ("entry", {"entry": "conformance:no_such_function"}),
            ("custom_config", {"entry": "digits:setup", "config": b"{width"}),
            ("entry", {"entry": "digits:setup", "config": b'{"widht": 8}'}),
            ("batch_size", {"entry": "conformance:ordinary", "batch_size": 501}),
        ):
            with self.assertRaises(Failure) as caught:
                Loop(spec(**fields), "")
            self.assertEqual(caught.exception.proto.kind, pb.FAILURE_KIND_USER)
            self.assertEqual(caught.exception.proto.fields[0].field, field)


@unittest.skipUnless(os.environ.get("COORDINATOR"), "COORDINATOR is not set")
class SweepTest(unittest.TestCase):
    def sweep(self, *arguments):
        command = f"'{sys.executable}' '{HERE / 'worker.py'}' digits:setup"
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run(
                [os.environ["COORDINATOR"], "--workers", "2", "--worker-command", command, "--device", "cpu", "--quiet",
                 "--out", out, *arguments], capture_output=True, text=True, timeout=240)
            path = Path(out, "sweep.json")
            return done, json.loads(path.read_text()) if path.exists() else None

    def test_a_sweep_in_segments_gives_a_learning_rate(self):
        done, sweep = self.sweep("--segments", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(1e-4 < float(done.stdout) < 1, done.stdout)
        self.assertEqual(len(sweep["replicas"][0]["tasks"]), 2)
        self.assertEqual(sweep["described"]["beta"], 0.9)
        self.assertEqual(sweep["effective_batch_size"], 64)
        self.assertEqual(sweep["spec"]["entry"], "")

    def test_a_mistake_in_ones_own_code_is_told_with_its_place_and_costs_no_step(self):
        done, sweep = self.sweep("--custom-config", '{"widht": 8}')
        self.assertEqual((done.returncode, sweep), (2, None))
        self.assertIn("--entry", done.stderr)
        self.assertIn("widht", done.stderr)


if __name__ == "__main__":
    unittest.main()
