"""A training loop around the user's own model, data and optimizer, that can start at any step.

What a step sees (its batch, augmentation, dropout noise) is a function of (seed, replica, global step) alone, so any
worker may start anywhere and a second run gives the same losses.
"""
import copy, hashlib, importlib, json, os, random, re, resource, sys, time, traceback
from pathlib import Path

import grpc
import torch
from torch.utils.data import DataLoader, IterableDataset

sys.path[:0] = [os.getcwd(), os.environ.get("RANGEFINDER_PROTO") or str(Path(__file__).resolve().parents[2] / "proto")]
pb, services = grpc.protos_and_services("rangefinder/v1/worker.proto")  # grpcio-tools compiles it here and now

SAMPLE = 8  # Updates that tell a segment's optimizer what it has missed.


class Failure(Exception):
    def __init__(self, kind, message, field="", remedy=""):
        fields = [pb.FieldError(field=field, message=message, remedy=remedy)] if field else []
        self.proto = pb.Failed(kind=kind, message=message, fields=fields)


def mistake(field, message, remedy):
    return Failure(pb.FAILURE_KIND_USER, message, field, remedy)


def place_of(error):
    """File and line of the user's own code, not of a library's, at which an error arose; empty when there are none."""
    libraries = re.compile(r"^<|-packages/|^" + re.escape(str(Path(os.__file__).parent)))
    ours = [Path(__file__).with_name(name) for name in ("loop.py", "worker.py")]
    told = re.findall(r'File "(.+?)", line (\d+)', "".join(traceback.format_exception(error)))
    own = [(file, line) for file, line in told if not libraries.search(file) and Path(file).resolve() not in ours]
    return f" ({own[-1][0].removeprefix(os.getcwd() + os.sep)}:{own[-1][1]})" if own else ""


def sorted_out(error, batch_size, loading):
    """What an exception is: out of memory, the user's mistake (while loading), or the worker's failure."""
    if isinstance(error, Failure):
        return error
    text = f"{type(error).__name__}: {error}".split("\nException raised from")[0].strip()
    if "Original Traceback" in text:  # Of a DataLoader's process.
        text = text.splitlines()[-1]
    signs = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in text for sign in signs):
        where = f"with batch_size {batch_size}" if batch_size else "in setup"
        return Failure(pb.FAILURE_KIND_OUT_OF_MEMORY, f"out of memory {where}: {text}", "batch_size",
                       "use a smaller batch_size or model, or a device with more memory")
    text += place_of(error)
    return mistake("entry", text, "correct what setup does or returns") if loading else Failure(
        pb.FAILURE_KIND_WORKER, text)


def seed_of(*key):
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=7).digest(), "big")


def seed_all(*key):
    torch.manual_seed(seed_of(*key))
    random.seed(seed_of(*key))
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed_of(*key) % 2**32)


class Seeded:
    """A dataset whose randomness, augmentation say, belongs to a step; in a DataLoader's processes too."""
    def __init__(self, dataset):
        self.dataset = dataset

    def __getitems__(self, keys):
        seed_all("data", *keys[0][0])
        indices = [index for _, index in keys]
        together = getattr(self.dataset, "__getitems__", None)
        return together(indices) if together else [self.dataset[index] for index in indices]


def move(value, device):
    if isinstance(value, dict):
        return {key: move(one, device) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [move(one, device) for one in value]
    return value.to(device) if hasattr(value, "to") else value


class Loop:
    def __init__(self, spec, entry):
        if spec.WhichOneof("trainer") != "custom":
            raise mistake("model", "this worker trains a model of its own", "start it with --worker-command")
        self.spec, self.batch_size = spec, spec.batch_size
        torch.set_num_threads(max(1, spec.threads))
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # Without it cuBLAS is not deterministic.
        torch.use_deterministic_algorithms(spec.deterministic)
        try:
            options = dict(json.loads(spec.custom.config or b"{}"))
        except (ValueError, TypeError) as error:
            raise mistake("custom_config", f"is no JSON object ({error})", "give setup's arguments as a JSON object")
        seed_all("weights", spec.seed)
        name = spec.custom.entry or entry
        module, _, function = name.partition(":")
        if not module:
            raise mistake("entry", "no training loop is named", "name one: python worker.py module:setup")
        try:
            parts = getattr(importlib.import_module(module), function or "setup")(**options) or {}
            lacking = [part for part in ("model", "data", "optimizer") if part not in parts]
            lacking += [] if "forward" in parts else ["loss"] if "loss" not in parts else []
            if lacking:
                raise mistake("entry", f"{name} returns no {', '.join(lacking)}", "return a dictionary that has them")
            self.model, self.make_optimizer, data = parts["model"], parts["optimizer"], parts["data"]
            self.forward = parts.get("forward") or (lambda model, batch: parts["loss"](model(*batch[:-1]), batch[-1]))
        except (Exception, SystemExit) as error:
            raise sorted_out(error, self.batch_size, loading=True)
        if not callable(self.make_optimizer):
            raise mistake("entry", f"optimizer is a {type(self.make_optimizer).__name__}, expected a function of the "
                          "model that makes one", "put `lambda model:` before it")
        self.loader = data if isinstance(data, DataLoader) else None
        self.data = data if self.loader is None else data.dataset
        sampler = getattr(self.loader, "batch_sampler", None)
        self.batch_size = spec.batch_size or parts.get("batch_size") or getattr(sampler, "batch_size", 0)
        self.seekable = (hasattr(self.data, "__getitem__") and hasattr(self.data, "__len__")
                         and not isinstance(self.data, IterableDataset))
        self.samples = len(self.data) if self.seekable else 0
        self.in_batches = not self.seekable and (
            self.loader.batch_size is None if self.loader is not None else not isinstance(self.data, IterableDataset))
        if self.in_batches and spec.batch_size:
            raise mistake("batch_size", f"{spec.batch_size} does not apply: the data come in batches", "remove it")
        if not self.in_batches and not self.batch_size:
            raise mistake("batch_size", "is not known", "let setup return it, or give --batch-size")
        if self.seekable and self.batch_size > self.samples:
            raise mistake("batch_size", f"{self.batch_size} is more than all {self.samples} samples", "use less")
        size = self.batch_size or 1
        self.epoch_steps = self.samples // size + (self.samples % size > 0 and not spec.drop_last)

    def start(self, replica, first, end, device):
        """The initial weights, an optimizer that will make up for the steps before `first`, the data from there on."""
        self.replica, self.device = replica, device
        self.run = copy.deepcopy(self.model).to(device).train()
        self.optimizer = self.make_optimizer(self.run)
        self.missed, self.seen = 0 if self.optimizer.state else first, 0
        lrs = [group["lr"] for group in self.optimizer.param_groups]
        self.ratios = [lr / lrs[0] if lrs[0] else 1.0 for lr in lrs]  # The rate swept is the first group's.
        kept = ("collate_fn", "num_workers", "pin_memory")
        options = {} if self.loader is None else {name: getattr(self.loader, name) for name in kept}
        if self.seekable:
            self.batches = iter(DataLoader(Seeded(self.data), batch_sampler=self.keys(first, end), **options))
        elif first == 0:
            self.batches = self.in_order(options)
        else:
            raise Failure(pb.FAILURE_KIND_WORKER, f"data that is not map-style cannot be sought to step {first}")

    def keys(self, first, end):
        """The samples of each step: a function of (seed, replica, step) alone."""
        order = range(self.samples)
        for step in range(first, end):
            epoch, place = divmod(step, self.epoch_steps)
            if self.spec.shuffle and (place == 0 or step == first):
                generator = torch.Generator().manual_seed(seed_of("order", self.spec.seed, self.replica, epoch))
                order = torch.randperm(self.samples, generator=generator).tolist()
            chosen = order[place * self.batch_size:(place + 1) * self.batch_size]
            yield [((self.spec.seed, self.replica, step), index) for index in chosen]

    def in_order(self, options):
        """Batches of data that can only be read from its beginning, again and again until there are none."""
        batch, epoch, batches = True, 0, self.data if self.loader is None else self.loader
        if not self.in_batches:
            batches = DataLoader(self.data, self.batch_size, drop_last=self.spec.drop_last, **options)
        while batch is not None:
            seed_all("order", self.spec.seed, self.replica, epoch)
            batch, epoch = None, epoch + 1
            for batch in batches:
                yield batch

    def loss(self, step):
        """The loss of a step's batch and the number of its samples; None when the data has ended."""
        batch = next(self.batches, None)
        if batch is None:
            return None, 0
        batch = move(batch, self.device)
        first = batch
        while isinstance(first, (dict, list)):
            first = next(iter(first.values() if isinstance(first, dict) else first))
        seed_all("noise", self.spec.seed, self.replica, step)
        self.optimizer.zero_grad()
        return self.forward(self.run, batch), len(first) if getattr(first, "ndim", 0) else self.batch_size

    def update(self, loss, lr):
        loss.backward()
        for group, ratio in zip(self.optimizer.param_groups, self.ratios):
            group["lr"] = lr * ratio
        self.optimizer.step()
        self.seen += 1
        if self.missed and self.seen == SAMPLE:
            self.age()

    def age(self):
        """Lets Adam, RMSprop and their kin remember the steps that a segment has left out, as the first ones tell them:
        their averages over SAMPLE gradients become those over all (docs/workers.md)."""
        for group in self.optimizer.param_groups:
            first, second, alpha = *group.get("betas", (0, 0)), group.get("alpha", 0)
            decays = {"exp_avg": first, "exp_avg_sq": second, "max_exp_avg_sq": second, "square_avg": alpha,
                      "grad_avg": alpha}
            for state in (self.optimizer.state.get(weights, {}) for weights in group["params"]):
                if not state.keys() <= decays.keys() | {"step", "momentum_buffer"}:
                    continue  # An optimizer whose memory is not known here.
                for name in decays.keys() & state.keys():
                    state[name] *= (1 - decays[name]**(SAMPLE + self.missed)) / (1 - decays[name]**SAMPLE)
                if "step" in state:
                    state["step"] += self.missed

    def describe(self):
        try:
            self.start(0, 0, 1, "cpu")
            loss, samples = self.loss(0)
            if loss is None:
                raise mistake("entry", "the data is empty", "let setup return data with at least one batch")
            initial_loss = loss.item()
            self.update(loss, 0.0)  # Of a copy: so that its mistakes too are told now.
        except (Exception, SystemExit) as error:
            raise sorted_out(error, self.batch_size, loading=True)
        trained = [(name, weights) for name, weights in self.run.named_parameters() if weights.requires_grad]
        group = self.optimizer.param_groups[0]
        return pb.Described(
            parameters=[pb.Parameter(name=name, shape=list(weights.shape)) for name, weights in trained],
            parameter_count=sum(weights.numel() for _, weights in trained), initial_loss=initial_loss,
            optimizer=type(self.optimizer).__name__.lower(), beta=group.get("betas", [group.get("momentum")])[0],
            seekable=self.seekable, replayable=self.seekable, samples=self.samples, steps_per_epoch=self.epoch_steps,
            effective_batch_size=samples if self.in_batches else self.batch_size)

    def probe(self, steps, device):
        self.start(0, 0, steps, device)
        losses, gradients, seconds = [], [], []
        for step in range(steps):
            begun = time.perf_counter()
            loss, _ = self.loss(step)
            if loss is None:
                raise mistake("entry", f"the data end after {step} steps", "return data that can be read again")
            self.update(loss, 0.0)
            losses.append(loss.item())
            seconds.append(time.perf_counter() - begun)
            gradients.append(torch.cat([w.grad.flatten().cpu() for w in self.run.parameters() if w.grad is not None]))
        total, squares = sum(gradients), sum(float(gradient.square().sum()) for gradient in gradients)
        square = (float(total.square().sum()) - squares) / (steps * (steps - 1))  # Without the noise's part.
        cuda = torch.cuda.max_memory_allocated(device) if device != "cpu" else 0
        return pb.Probed(
            initial_loss=sum(losses) / steps, gradient_squared=max(0.0, square),
            gradient_l1=float(total.abs().sum()) / steps, seconds_per_step=min(seconds[1:]),
            peak_memory_bytes=cuda or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
