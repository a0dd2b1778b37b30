#!/usr/bin/env python3
"""Finds or fetches libtorch and prints the folder that LIBTORCH should name.

In this order:
1. LIBTORCH, where it is set: taken as it is, once its version is checked.
2. An installed PyTorch of the right version: a folder of links to its libraries.
3. The cache: `$RANGEFINDER_CACHE`, else `$XDG_CACHE_HOME/rangefinder`, else `~/.cache/rangefinder`.
4. The package index: PyTorch's wheel (530 MB), checked by hash, from which only what a CPU needs
   is kept in the cache (430 MB).

One binary serves CPU and CUDA: it links libtorch_cpu alone, and loads libtorch_cuda at run time
where that stands beside it. Only the standard library and pip are needed.
"""

import contextlib
import fcntl
import glob
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

VERSION = "2.11.0"

# Wheels and their SHA-256. The two CUDA libraries are what libtorch_cpu of that wheel links; they
# are small, and idle without a GPU.
WHEELS = {
    f"torch=={VERSION}": "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
    "nvidia-cuda-runtime==13.0.96": "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    "nvidia-cuda-cupti==13.0.85": "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
}
LIBRARIES = ["libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"]


def stop(message):
    sys.exit(f"libtorch: {message}")


def version_of(folder):
    """The version of the libtorch in a folder, None if there is none."""
    with contextlib.suppress(OSError), open(os.path.join(folder, "build-version")) as file:
        return file.read().strip()
    return None


def given():
    """The folder that LIBTORCH names."""
    folder = os.environ.get("LIBTORCH")
    if not folder:
        return None
    version = version_of(folder)
    if version is None:
        stop(f"LIBTORCH={folder} holds no libtorch (it has no file `build-version`); "
             "name the folder that has lib/ and include/, or unset LIBTORCH to have it fetched")
    if version.split("+")[0] != VERSION:
        stop(f"LIBTORCH={folder} is version {version}, but {VERSION} is needed; "
             "unset LIBTORCH to have that fetched")
    return folder


def cache():
    base = os.environ.get("RANGEFINDER_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rangefinder")
    try:
        os.makedirs(base, exist_ok=True)
    except OSError as error:
        stop(f"the cache folder {base} cannot be made ({error.strerror}); set RANGEFINDER_CACHE to one that can")
    return base


@contextlib.contextmanager
def being_made(folder):
    """A temporary folder that takes the name `folder` once it is complete; one maker at a time."""
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if version_of(folder):  # Somebody else was faster.
            yield None
            return
        with tempfile.TemporaryDirectory(dir=os.path.dirname(folder), prefix="libtorch-") as work:
            made = os.path.join(work, "libtorch")
            os.makedirs(os.path.join(made, "lib"))
            yield made
            with open(os.path.join(made, "lib", "libtorch.so"), "w") as file:
                file.write("INPUT(libtorch_cpu.so)\n")  # A linker script: nothing else is linked.
            with open(os.path.join(made, "build-version"), "w") as file:
                file.write(VERSION + "\n")
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(made, folder)


def installed():
    """Links to the libraries of an installed PyTorch of the right version."""
    try:
        distribution = importlib.metadata.distribution("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    if distribution.version.split("+")[0] != VERSION:
        return None
    torch = str(distribution.locate_file("torch"))
    packages = os.path.dirname(torch)
    sources = {}
    for name in LIBRARIES:
        found = glob.glob(os.path.join(torch, "lib", name)) or glob.glob(
            os.path.join(packages, "nvidia", "**", "lib", name), recursive=True)
        if found:
            sources[name] = found[0]
    if not {"libtorch_cpu.so", "libc10.so"} <= sources.keys() or not os.path.isdir(os.path.join(torch, "include")):
        return None
    tag = "".join(c if c.isalnum() else "-" for c in torch).strip("-")
    folder = os.path.join(cache(), f"libtorch-{VERSION}-{tag}")
    if version_of(folder) and all(os.path.exists(os.path.join(folder, "lib", name)) for name in sources):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    with being_made(folder) as made:
        if made:
            os.symlink(os.path.join(torch, "include"), os.path.join(made, "include"))
            for name, source in sources.items():
                os.symlink(source, os.path.join(made, "lib", name))
    return folder


def fetched():
    """The cached libtorch, fetched if need be."""
    folder = os.path.join(cache(), f"libtorch-{VERSION}-cpu")
    if version_of(folder):
        return folder
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        stop(f"no libtorch is known for {platform.system()} {platform.machine()}; install PyTorch {VERSION} "
             "(it is then used), or set LIBTORCH to a folder with libtorch of that version")
    with being_made(folder) as made:
        if made:
            download(made)
    return folder


def download(made):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(made)) as wheels:
        requirements = os.path.join(wheels, "requirements.txt")
        with open(requirements, "w") as file:
            file.writelines(f"{name} --hash=sha256:{digest}\n" for name, digest in WHEELS.items())
        print(f"libtorch: fetching PyTorch {VERSION} (530 MB, once) for {os.path.dirname(os.path.dirname(made))}",
              file=sys.stderr)
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
                   "--no-cache-dir", "--only-binary=:all:", "--python-version=3.12",
                   "--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_25_x86_64",
                   "--platform=manylinux_2_17_x86_64", "--platform=manylinux2014_x86_64",
                   "--require-hashes", "-r", requirements, "-d", wheels]
        if subprocess.run(command, stdout=sys.stderr).returncode:
            stop("the download failed (see above; pip is needed: python3 -m pip --version). Run the command "
                 f"again, or install PyTorch {VERSION}, or set LIBTORCH to a folder with libtorch {VERSION}")
        for wheel in glob.glob(os.path.join(wheels, "*.whl")):
            unpack(wheel, made)
    missing = [name for name in LIBRARIES if not os.path.exists(os.path.join(made, "lib", name))]
    if missing:
        stop(f"the wheels do not hold {', '.join(missing)}: please report this")


def unpack(wheel, made):
    """Takes the libraries, the headers and the licences out of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or ".." in name.split("/"):
                continue
            if os.path.basename(name) in LIBRARIES:
                target = os.path.join("lib", os.path.basename(name))
            elif name.startswith("torch/include/"):
                target = name.removeprefix("torch/")
            elif ".dist-info/" in name and "license" in name.lower() or name.endswith("/NOTICE"):
                target = os.path.join("licenses", os.path.basename(wheel).split("-")[0], os.path.basename(name))
            else:
                continue
            path = os.path.join(made, target)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(info) as source, open(path, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if target.startswith("lib/"):
                os.chmod(path, 0o755)


if __name__ == "__main__":
    print(given() or installed() or fetched())
