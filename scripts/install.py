#!/usr/bin/env python3
"""Installs both programs and libtorch under a prefix, or removes them again.

    PREFIX/bin/coordinator, PREFIX/bin/worker
    PREFIX/lib/rangefinder/     libtorch (links, where it comes from an installed PyTorch)
    PREFIX/share/rangefinder/   licences

The tree runs from any folder and needs no environment variable: the coordinator finds the worker
beside itself, and the worker's RUNPATH names ../lib/rangefinder.
"""

import os
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = ["coordinator", "worker"]


def replace(source, target):
    """Copies a file so that a program that runs keeps its old one."""
    new = target + ".new"
    shutil.copy2(source, new, follow_symlinks=False)
    os.replace(new, target)


def install(prefix):
    libtorch = os.environ["LIBTORCH"]
    bin_, lib, share = (os.path.join(prefix, *parts) for parts in
                        (["bin"], ["lib", "rangefinder"], ["share", "rangefinder"]))
    for folder in (bin_, lib, share):
        os.makedirs(folder, exist_ok=True)
    for name in PROGRAMS:
        replace(os.path.join(ROOT, "target", "release", name), os.path.join(bin_, name))
    for name in sorted(os.listdir(os.path.join(libtorch, "lib"))):
        source = os.path.join(libtorch, "lib", name)
        # What only a linker needs stays behind, as does all of a full PyTorch that is not ours to copy.
        if ".so" in name and name != "libtorch.so" and os.path.isfile(source):
            replace(source, os.path.join(lib, name))
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        replace(os.path.join(ROOT, name), os.path.join(share, name))
    if os.path.isdir(os.path.join(libtorch, "licenses")):
        shutil.copytree(os.path.join(libtorch, "licenses"), os.path.join(share, "licenses"), dirs_exist_ok=True)
    print(f"installed {os.path.join(bin_, 'coordinator')}")
    if bin_ not in os.environ.get("PATH", "").split(os.pathsep):
        print(f"{bin_} is not in PATH yet: export PATH=\"{bin_}:$PATH\"")


def remove(prefix):
    for name in PROGRAMS:
        path = os.path.join(prefix, "bin", name)
        if os.path.lexists(path):
            os.remove(path)
    for folder in ("lib", "share"):
        shutil.rmtree(os.path.join(prefix, folder, "rangefinder"), ignore_errors=True)
    print(f"removed rangefinder from {prefix}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    removing = arguments[:1] == ["--remove"]
    if len(arguments) != 1 + removing or not arguments[-1]:
        sys.exit(__doc__ + "\nusage: install.py [--remove] PREFIX")
    target = os.path.abspath(os.path.expanduser(arguments[-1]))
    try:
        remove(target) if removing else install(target)
    except OSError as error:
        sys.exit(f"install: {error.filename}: {error.strerror}; choose another folder with PREFIX=...")
