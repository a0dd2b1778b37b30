#!/usr/bin/env python3
"""Prints an interpreter that has PyTorch, numpy and gRPC: this one if it has them, else that of a virtual
environment in the cache, which is made on first use.

A PyTorch of the right version that this interpreter or another environment in the cache has is not fetched
again; otherwise its wheel comes with its CUDA libraries (several GB). Only the standard library and pip are
needed, not the parts of venv that some systems leave out.

usage: python3 scripts/pytorch.py
"""

import fcntl
import glob
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import venv

TORCH = "2.11.0"
# Packages by the module that each brings.
PACKAGES = {"torch": f"torch=={TORCH}", "numpy": "numpy", "grpc": "grpcio", "grpc_tools": "grpcio-tools"}
SITE = os.path.join("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")


def missing(paths):
    """The packages that are not in any of these folders; a PyTorch of another version does not count."""
    absent = [package for module, package in PACKAGES.items()
              if not any(os.path.isdir(os.path.join(path, module)) for path in paths)]
    versions = [one.version.split("+")[0] for one in importlib.metadata.distributions(name="torch", path=paths)]
    return absent if versions[:1] == [TORCH] else sorted({*absent, PACKAGES["torch"]})


def cache():
    base = os.environ.get("RANGEFINDER_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rangefinder")
    os.makedirs(base, exist_ok=True)
    return base


def with_torch(folder):
    """Folders of packages with the right PyTorch in them: this interpreter's, or another environment's."""
    others = [[path] for path in glob.glob(os.path.join(cache(), "*-venv", SITE)) if not path.startswith(folder)]
    for paths in [[path for path in sys.path if path.endswith("-packages")], *others]:
        if PACKAGES["torch"] not in missing(paths):
            return paths
    return []


def works(python):
    modules = ", ".join(PACKAGES)
    return os.path.exists(python) and not subprocess.run(
        [python, "-c", f"import {modules}; assert torch.__version__.split('+')[0] == '{TORCH}'"],
        capture_output=True).returncode


def environment():
    folder = os.path.join(cache(), "pytorch-venv")
    python = os.path.join(folder, "bin", "python")
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if works(python):
            return python
        borrowed = with_torch(folder)
        packages = missing(borrowed)
        print(f"pytorch: installing {' '.join(packages)} in {folder} (once)", file=sys.stderr)
        venv.create(folder, clear=True)
        site = os.path.join(folder, SITE)
        with open(os.path.join(site, "borrowed.pth"), "w") as file:
            file.writelines(path + "\n" for path in borrowed)
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                               "--only-binary=:all:", "--target", site, *packages], stdout=sys.stderr)
        if done.returncode or not works(python):
            sys.exit(f"pytorch: {folder} could not be made (see above; pip is needed: python3 -m pip --version). "
                     f"Run the command again, or name an interpreter that has {' '.join(PACKAGES.values())} with "
                     "PYTHON=...")
    return python


if __name__ == "__main__":
    print(sys.executable if all(map(importlib.util.find_spec, PACKAGES)) else environment())
