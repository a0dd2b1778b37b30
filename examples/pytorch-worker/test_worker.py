"""The training loop."""
import copy
import sys
import unittest

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

import conformance
from loop import Failure, Loop, pb, sorted_out


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

    def test_an_optimizer_that_starts_late_soon_remembers_what_it_has_missed(self):
        optimizers = {
            "adam": lambda model: torch.optim.Adam(model.parameters(), amsgrad=True),
            "adamw": lambda model: torch.optim.AdamW(model.parameters()),
            "rmsprop": lambda model: torch.optim.RMSprop(model.parameters(), centered=True),
            "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9),
            "adagrad": lambda model: torch.optim.Adagrad(model.parameters()),
        }
        loop = Loop(spec("conformance:ordinary", shuffle=False), "")
        loop.model[2].p = 0.0
        loop.keys = lambda first, end: ([((7, 0, 0), index) for index in range(32)] for _ in range(first, end))

        def state(first, end):
            losses(loop, first, end, lr=0.0)  # At one batch and the initial weights: all gradients are the same.
            return loop.optimizer.state_dict()["state"][0]

        for name, optimizer in optimizers.items():
            loop.make_optimizer = optimizer
            late, fresh, all_of_it = state(150, 160), state(0, 10), state(0, 160)
            expected = fresh if name in ("sgd", "adagrad") else all_of_it
            self.assertEqual(late.keys(), expected.keys())
            for key, value in expected.items():
                torch.testing.assert_close(late[key], value, msg=f"{name}: {key}", rtol=1e-4, atol=1e-7)

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


    def test_mistakes_of_setup_say_what_and_where(self):
        batches = DataLoader(Broken(), batch_size=20, num_workers=1)
        for told, setup in (
            ("SystemExit: no GPU (", lambda: sys.exit("no GPU")),
            ("returns no model, data, optimizer, loss", lambda: None),
            ("expected a function of the model", lambda: ordinary(optimizer=torch.optim.SGD([torch.ones(1)], lr=1.0))),
            ("batch_size is not known", lambda: ordinary(batch_size=None)),
            ("KeyError: 'sample 5' (", lambda: ordinary(data=batches)),
            ("missing 1 required positional argument: 'closure'",
             lambda: ordinary(optimizer=lambda model: torch.optim.LBFGS(model.parameters()))),
        ):
            conformance.under_test = setup
            with self.subTest(told), self.assertRaises(Failure) as caught:
                Loop(spec("conformance:under_test", shuffle=False), "").describe()
            failure = caught.exception.proto
            self.assertEqual(failure.kind, pb.FAILURE_KIND_USER)
            message = f"{failure.fields[0].field} {failure.fields[0].message}"
            self.assertIn(told, message)
            self.assertNotIn("Traceback", message)
            if told.endswith("("):
                self.assertRegex(message, r"test_worker\.py:\d+\)$")

    def test_running_out_of_memory_is_told_apart_however_it_is_raised(self):
        for error in (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), MemoryError(),
                      RuntimeError("CUDA error: out of memory"), RuntimeError("can't allocate memory: 64 bytes")):
            for loading in (True, False):
                failure = sorted_out(error, 512, loading).proto
                self.assertEqual(failure.kind, pb.FAILURE_KIND_OUT_OF_MEMORY)
                self.assertIn("batch_size 512", failure.message)
                self.assertIn("smaller batch_size", failure.fields[0].remedy)

    def test_the_batch_size_is_the_flags_else_setups_else_the_loaders(self):
        samples = conformance.ordinary()["data"]
        sampler = BatchSampler(SequentialSampler(samples), 20, drop_last=False)
        for expected, flag, parts in (
            (8, 8, {"data": DataLoader(samples, 16), "batch_size": 4}),
            (4, 0, {"data": DataLoader(samples, 16), "batch_size": 4}),
            (16, 0, {"data": DataLoader(samples, 16), "batch_size": None}),
            (20, 0, {"data": DataLoader(samples, batch_sampler=sampler), "batch_size": None}),
            (8, 8, {"data": conformance.Stream(), "batch_size": 4}),
            (16, 0, {"data": DataLoader(conformance.Stream(), 16), "batch_size": None}),
            (5, 0, {"data": (pair for pair in [(torch.ones(5, 8), torch.ones(5, 1))]), "batch_size": None}),
        ):
            conformance.under_test = lambda: ordinary(**parts)
            loop = Loop(spec("conformance:under_test", batch_size=flag), "")
            self.assertEqual(loop.describe().effective_batch_size, expected)


class Broken(Noisy):
    def __getitem__(self, index):
        if index == 5:
            raise KeyError("sample 5")
        return super().__getitem__(index)


def ordinary(**changed):
    return {**conformance.ordinary(), **changed}


if __name__ == "__main__":
    unittest.main()
