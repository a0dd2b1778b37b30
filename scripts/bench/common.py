"""What the benchmarks share: the programs under test, a sweep, the virtual environment, results that survive a break.

Only the standard library: the scripts run in any Python 3.9 or later, PyTorch in an environment of its own.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(ROOT, "target", "release")
DIGITS = os.path.join(ROOT, "worker", "data", "assets", "digits.npz")
RESULTS = os.path.join(ROOT, "target", "bench")

# Exit code of a curve without a usable learning rate.
UNUSABLE = 3
# The environment of the peers; another list completes an older environment.
PEERS = ["torch==2.11.0", "torch-lr-finder==0.2.2", "lightning==2.6.6", "fastai==2.8.12", "numpy"]


class Problem(Exception):
    """Something that the person who started the benchmark can mend: shown as one line."""


def say(text):
    """Progress: standard output is for results."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def arguments(document):
    """A parser whose help is the script's own documentation."""
    return argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)


def several(text):
    """A count of runs: 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def guarded(main):
    """Runs a script: what can be mended ends it with one line, and so do missed promises."""
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)


def program(name):
    """The path of a built program."""
    path = os.path.join(PROGRAMS, name)
    if not os.path.exists(path):
        raise Problem(f"there is no {os.path.relpath(path, ROOT)}: run `make build` first")
    return path


def build():
    """Names the programs under test by their content, so that no result of another build is taken for theirs."""
    digest = hashlib.sha256()
    for name in ("coordinator", "worker"):
        with open(program(name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def command(flags, folder, threads=1, workers=1):
    """The command of one sweep on the CPU."""
    return [program("coordinator"), "--workers", str(workers), "--threads-per-worker", str(threads),
            "--device", "cpu", "--quiet", "--out", folder, *flags]


def sweep(flags, folder=None, **more):
    """Runs a sweep and returns its sweep.json; a curve without a usable learning rate is a result too."""
    with tempfile.TemporaryDirectory() as made:
        folder = folder or made
        given = command(flags, folder, **more)
        done = subprocess.run(given, capture_output=True, text=True)
        if done.returncode not in (0, UNUSABLE):
            raise Problem(f"{' '.join(given)} failed with {done.returncode}:\n{done.stderr}")
        with open(os.path.join(folder, "sweep.json")) as file:
            return json.load(file)


def number(value):
    """A number of sweep.json: those that are not finite are strings there."""
    return float(value)


def timed(given, fine=(0,)):
    """Runs a command: (its standard output, wall seconds, peak memory in bytes of its largest process)."""
    # A child of its own: the maximum over children is then that of this command alone.
    probe = ("import json,resource,subprocess,sys,time; t=time.perf_counter(); "
             "d=subprocess.run(sys.argv[1:],capture_output=True,text=True); s=time.perf_counter()-t; "
             "print(json.dumps([d.returncode,d.stdout,d.stderr,s,"
             "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss*1024]))")
    done = subprocess.run([sys.executable, "-c", probe, *given], capture_output=True, text=True, check=True)
    code, out, err, seconds, memory = json.loads(done.stdout)
    if code not in fine:
        raise Problem(f"{' '.join(given)} failed with {code}:\n{err}")
    return out, seconds, memory


def peer_python():
    """The interpreter of the peers' virtual environment, made or completed on first use."""
    cache = os.environ.get("RANGEFINDER_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rangefinder")
    folder = os.path.join(cache, "bench-venv")
    python, ready = os.path.join(folder, "bin", "python"), os.path.join(folder, "ready")
    installed = None
    if os.path.exists(ready):
        with open(ready) as file:
            installed = file.read()
    if installed != "\n".join(PEERS):
        say(f"installing {' '.join(PEERS)} in {folder} (several GB, once)")
        # An environment that a break left half made is made anew; an older one is completed.
        venv.create(folder, with_pip=True, clear=installed is None)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS],
                              stdout=sys.stderr)
        if done.returncode:
            raise Problem(f"the peers were not installed in {folder}: see pip's words above")
        with open(ready, "w") as file:
            file.write("\n".join(PEERS))
    return python


def tokens(python, folder):
    """Writes the tokens for `gpt`, always the same."""
    path = os.path.join(folder, "tokens.npz")
    timed([python, os.path.join(HERE, "pytorch_loop.py"), "tokens", path])
    return path


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(head, rows):
    """Prints rows as a table of Markdown, which reads well in a terminal too."""
    widths = [max(len(str(row[at])) for row in [head, *rows]) for at in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")


class Kept:
    """Results by key, kept line by line in a file, so that a broken run goes on where it was."""

    def __init__(self, path, of):
        """`of` says what the results belong to: lines of something else are passed over."""
        self.path, self.of, self.known = path, of, {}
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        if os.path.exists(path):
            with open(path) as file:
                for line in file:
                    try:
                        row = json.loads(line)
                    except ValueError:
                        continue  # The line at which a run was broken off.
                    if row.get("of") == of:
                        self.known[row["key"]] = row["value"]

    def get(self, key, make):
        """The result of a key, made now where it is not known."""
        if key not in self.known:
            value = make()
            with open(self.path, "a") as file:
                file.write(json.dumps({"of": self.of, "key": key, "value": value}) + "\n")
            self.known[key] = value
        return self.known[key]
