#!/usr/bin/env python3
"""Prints an interpreter that has PyTorch, numpy and gRPC: this one if it has them, else that of a virtual
environment in the cache, which is made on first use (several GB: PyTorch comes with its CUDA libraries).

usage: python3 scripts/pytorch.py
"""

import importlib.util
import os
import subprocess
import sys
import venv

MODULES = ["torch", "numpy", "grpc", "grpc_tools"]
PACKAGES = ["torch==2.11.0", "numpy", "grpcio", "grpcio-tools"]


def installed():
    return all(importlib.util.find_spec(module) for module in MODULES)


def cached():
    cache = os.environ.get("RANGEFINDER_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rangefinder")
    folder = os.path.join(cache, "pytorch-venv")
    python = os.path.join(folder, "bin", "python")
    ready = os.path.join(folder, "ready")
    wanted = " ".join(PACKAGES)
    if not os.path.exists(ready) or open(ready).read() != wanted:
        print(f"pytorch: installing {wanted} in {folder} (several GB, once)", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
                       check=True, stdout=sys.stderr)
        with open(ready, "w") as file:
            file.write(wanted)
    return python


if __name__ == "__main__":
    print(sys.executable if installed() else cached())
