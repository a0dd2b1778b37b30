#!/usr/bin/env python3
"""Prints an interpreter that has what examples/client-python needs: this one if it has it, else that of a virtual
environment in the cache, which is made on first use (some 10 MB, no PyTorch).

usage: python3 scripts/grpcio.py
"""

import fcntl
import importlib.util
import os
import subprocess
import sys
import venv

from pytorch import SITE, cache

HERE = os.path.dirname(os.path.abspath(__file__))
REQUIREMENTS = os.path.join(HERE, "..", "examples", "client-python", "requirements.txt")
MODULES = ["grpc", "grpc_status", "grpc_tools"]


def works(python):
    return os.path.exists(python) and not subprocess.run(
        [python, "-c", f"import {', '.join(MODULES)}"], capture_output=True).returncode


def environment():
    folder = os.path.join(cache(), "grpcio-venv")
    python = os.path.join(folder, "bin", "python")
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if works(python):
            return python
        print(f"grpcio: installing {', '.join(MODULES)} in {folder} (once)", file=sys.stderr)
        venv.create(folder, clear=True)
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                               "--only-binary=:all:", "--target", os.path.join(folder, SITE), "-r", REQUIREMENTS],
                              stdout=sys.stderr)
        if done.returncode or not works(python):
            sys.exit(f"grpcio: {folder} could not be made (see above; pip is needed: python3 -m pip --version)")
    return python


if __name__ == "__main__":
    print(sys.executable if all(map(importlib.util.find_spec, MODULES)) else environment())
