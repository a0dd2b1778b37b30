"""The scripts of the examples that need PyTorch make the files that lie beside them, and a sweep with those that
are made now says the same as the page. COORDINATOR names the coordinator's program."""
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy
import torch

HERE = Path(__file__).resolve().parent
# The commands of the pages, with this interpreter.
PYTHON = f"python3() {{ '{sys.executable}' \"$@\"; }}\n"
# Training from a seed differs a little between kinds of CPU, and so does what a sweep suggests.
OF_LARGEST, OF_SUGGESTION = 1e-2, 1.25


def tensors(path):
    """What a file of arrays, a model or a checkpoint holds, by name."""
    if path.suffix == ".npz":
        return dict(numpy.load(path))
    with open(path, "rb") as file:
        scripted = b"/constants.pkl" in file.read()
    return torch.jit.load(path).state_dict() if scripted else torch.load(path)


class Exports(unittest.TestCase):
    def bash(self, folder, command):
        path = os.path.dirname(os.environ["COORDINATOR"]) + os.pathsep + os.environ["PATH"]
        done = subprocess.run(["bash", "-ec", PYTHON + command], cwd=folder, capture_output=True, text=True,
                              env={**os.environ, "PATH": path, "CUDA_VISIBLE_DEVICES": ""})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def made_again(self, example, *files):
        page = (HERE / example / "README.md").read_text()
        (export,) = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
        (sweep,) = re.findall(r"^```console\n\$ ((?:.*\\\n)*.*\n)", page, re.M)
        (suggested,) = re.findall(r"^(\d\S+)\n```$", page, re.M)
        with tempfile.TemporaryDirectory() as root:
            # As deep as in the repository, whose data the commands name.
            folder = Path(shutil.copytree(HERE / example, Path(root, "examples", example)))
            Path(root, "worker").symlink_to(HERE.parent / "worker")
            for name in files:
                (folder / name).unlink()
            self.bash(folder, export)
            for name in files:
                self.alike(tensors(folder / name), tensors(HERE / example / name))
            lr = float(self.bash(folder, sweep))
        self.assertLess(abs(math.log(lr / float(suggested))), math.log(OF_SUGGESTION))

    def alike(self, new, old):
        self.assertEqual(new.keys(), old.keys())
        for name in new:
            made, kept = numpy.asarray(new[name]), numpy.asarray(old[name])
            self.assertEqual((made.dtype, made.shape), (kept.dtype, kept.shape), name)
            self.assertLessEqual(abs(made - kept.astype(float)).max(), OF_LARGEST * abs(kept.astype(float)).max(), name)

    def test_the_torchscript_model_and_its_data(self):
        self.made_again("torchscript", "model.pt", "train.npz")

    def test_the_checkpoint(self):
        self.made_again("fine-tuning", "model.pt", "checkpoint.pt", "train.npz")
