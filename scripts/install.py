#!/usr/bin/env python3
"""Installs both programs and libtorch under a prefix, or removes them again.

    PREFIX/bin/coordinator, PREFIX/bin/worker
    PREFIX/lib/rangefinder/     libtorch (links, where it comes from an installed PyTorch)
    PREFIX/share/rangefinder/   licences, of all that is installed
    PREFIX/share/man/man1/      pages of the manual
    PREFIX/share/               completions where bash, zsh and fish look for them

The tree runs from any folder and needs no environment variable: the coordinator finds the worker
beside itself, and the worker's RUNPATH names ../lib/rangefinder.
"""

import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = ["coordinator", "worker"]
COMPLETIONS = {
    "bash": "share/bash-completion/completions/coordinator",
    "zsh": "share/zsh/site-functions/_coordinator",
    "fish": "share/fish/vendor_completions.d/coordinator.fish",
}
PAGES = "share/man/man1"


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
    licences(libtorch, lib, share)
    help_(prefix, os.path.join(bin_, "coordinator"))
    print(f"installed {os.path.join(bin_, 'coordinator')}")
    if bin_ not in os.environ.get("PATH", "").split(os.pathsep):
        print(f"{bin_} is not in PATH yet: export PATH=\"{bin_}:$PATH\"")


def licences(libtorch, lib, share):
    """The texts of all that is installed; docs/licences.md is the overview."""
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        replace(os.path.join(ROOT, name), os.path.join(share, name))
    subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "licences.py"),
                    os.path.join(share, "THIRD-PARTY-LICENSES")], check=True)
    texts = os.path.join(share, "licenses")
    sysroot = subprocess.run([os.environ.get("RUSTC", "rustc"), "--print", "sysroot"],
                             capture_output=True, text=True, check=True).stdout.strip()
    notices = os.path.join(sysroot, "share", "doc", "rust", "COPYRIGHT-library.html")
    if os.path.isfile(notices):
        os.makedirs(os.path.join(texts, "rust"), exist_ok=True)
        shutil.copy(notices, os.path.join(texts, "rust"))
    else:
        print(f"install: this Rust has no {notices}: the notices of its standard library are not installed")
    if os.path.isdir(os.path.join(libtorch, "licenses")):
        shutil.copytree(os.path.join(libtorch, "licenses"), texts, dirs_exist_ok=True)
    elif not os.path.islink(os.path.join(lib, "libtorch_cpu.so")):
        print(f"install: {libtorch} has no folder `licenses`: before you pass {lib} on, put PyTorch's licences beside it")
    gomp = os.path.join(lib, "libgomp.so.1")
    if os.path.isfile(gomp) and not os.path.islink(gomp):
        shutil.copytree(os.path.join(ROOT, "deploy", "licenses"), texts, dirs_exist_ok=True)


def help_(prefix, coordinator):
    """Completions and pages of the manual, as the program itself gives them."""
    for shell, path in COMPLETIONS.items():
        path = os.path.join(prefix, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            subprocess.run([coordinator, "completions", shell], stdout=file, check=True)
    pages = os.path.join(prefix, PAGES)
    subprocess.run([coordinator, "man", "--out", pages], stdout=subprocess.DEVNULL, check=True)
    replace(os.path.join(ROOT, "worker", "worker.1"), os.path.join(pages, "worker.1"))


def remove(prefix):
    pages = os.path.join(prefix, PAGES)
    paths = [os.path.join(prefix, "bin", name) for name in PROGRAMS]
    paths += [os.path.join(prefix, path) for path in COMPLETIONS.values()]
    paths += [os.path.join(pages, "worker.1"), os.path.join(pages, "coordinator.1")]
    paths += glob.glob(os.path.join(glob.escape(pages), "coordinator-*.1"))
    for path in paths:
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
    except subprocess.CalledProcessError as error:
        sys.exit(f"install: failed: {' '.join(error.cmd)} (see above)")
