#!/usr/bin/env python3
"""Compares range tests with torch-lr-finder and with plain PyTorch training loops, side by side in one run.

The embedded default with torch-lr-finder: (a) the whole command, from start to suggestion; (b) the
range test alone; (c) peak memory of the largest process. Then the range test alone with PyTorch's
own loop and its fused optimizer, for `mlp`, `cnn` and `gpt`: ours includes loading the model and
reporting every loss, PyTorch's is the bare loop. All take turns, one thread each, and ratios are
taken pair by pair. Fails where a figure that the README promises is missed.

usage: python3 scripts/bench [--pairs N]        (after `make build`; `make bench` does both)
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEER = ["torch==2.11.0", "torch-lr-finder==0.2.2", "numpy"]
DIGITS = os.path.join(ROOT, "worker", "data", "assets", "digits.npz")

# Steps of each network's range test, and our flags for it; its sizes stand in pytorch_loop.py too.
LOOPS = {
    "mlp": (1000, ["--model", "mlp"]),
    "cnn": (300, ["--model", "cnn", "--optimizer", "sgd", "--momentum", "0.9"]),
    "gpt": (100, ["--model", "gpt", "--layers", "2", "--heads", "4", "--width", "64", "--vocabulary", "256",
                  "--batch-size", "8"]),
}
# Exit code of a curve without a usable learning rate.
UNUSABLE = 3
# What the range test alone must be at least, as a multiple of PyTorch's own loop's speed.
PROMISED = {"mlp": 1.0, "cnn": 1.0, "gpt": 1.0}


def peer_python():
    """The interpreter of a virtual environment with the peer, made on first use."""
    cache = os.environ.get("RANGEFINDER_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rangefinder")
    folder = os.path.join(cache, "bench-venv")
    python = os.path.join(folder, "bin", "python")
    ready = os.path.join(folder, "ready")
    if not os.path.exists(ready):
        print(f"bench: installing {' '.join(PEER)} in {folder} (several GB, once)", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEER],
                       check=True, stdout=sys.stderr)
        with open(ready, "w"):
            pass
    return python


def timed(command, fine=(0,)):
    """Runs a command: (its standard output, wall seconds, peak memory in bytes of its largest process)."""
    # A child of its own: the maximum over children is then that of this command alone.
    probe = ("import json,resource,subprocess,sys,time; t=time.perf_counter(); "
             "d=subprocess.run(sys.argv[1:],capture_output=True,text=True); s=time.perf_counter()-t; "
             "print(json.dumps([d.returncode,d.stdout,d.stderr,s,"
             "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss*1024]))")
    done = subprocess.run([sys.executable, "-c", probe, *command], capture_output=True, text=True, check=True)
    code, out, err, seconds, memory = json.loads(done.stdout)
    if code not in fine:
        sys.exit(f"bench: {' '.join(command)} failed with {code}:\n{err}")
    return out, seconds, memory


def ours(folder, flags=()):
    out, whole, memory = timed([
        os.path.join(ROOT, "target", "release", "coordinator"), "--workers", "1", "--threads-per-worker", "1",
        "--device", "cpu", "--split", "none", "--quiet", "--out", folder, *flags], fine=(0, UNUSABLE))
    with open(os.path.join(folder, "sweep.json")) as file:
        attempt = json.load(file)["replicas"][0]["tasks"][0]["attempts"][0]
    alone = (attempt["ended_ms"] - attempt["started_ms"]) / 1000
    return {"whole": whole, "alone": alone, "memory": memory, "suggestion": float(out or "nan")}


def theirs(python):
    out, whole, memory = timed([python, os.path.join(HERE, "torch_lr_finder_peer.py"), DIGITS, "1"])
    answer = json.loads(out)
    return {"whole": whole, "alone": answer["alone_seconds"], "memory": memory, "suggestion": answer["suggestion"]}


def loops(python, pairs, folder):
    """Seconds of both range tests alone, for each network."""
    tokens = os.path.join(folder, "tokens.npz")
    peer = [python, os.path.join(HERE, "pytorch_loop.py")]
    timed([*peer, "tokens", tokens])
    rows = {}
    for model, (steps, flags) in LOOPS.items():
        data = tokens if model == "gpt" else DIGITS
        # Up to a learning rate at which nothing diverges: every step is run.
        flags = [*flags, "--num-training", str(steps), "--max-lr", "1e-3", "--early-stop-threshold", "none"]
        if model == "gpt":
            flags += ["--data", tokens]
        rows[model] = []
        for number in range(pairs + 1):
            our = ours(os.path.join(folder, model), flags)["alone"]
            out, _, _ = timed([*peer, model, data, str(steps)])
            if number:
                rows[model].append((our, json.loads(out)["alone_seconds"]))
        print(f"bench: {model}, {pairs} pairs", file=sys.stderr)
    return rows


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="interleaved pairs, after one that does not count")
    pairs = parser.parse_args().pairs
    python = peer_python()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(pairs + 1):
            row = (ours(folder), theirs(python))
            if number:
                rows.append(row)
            print(f"bench: pair {number} of {pairs}" if number else "bench: warmed up", file=sys.stderr)

        alone = loops(python, pairs, folder)

    ratios = {key: [their[key] / our[key] for our, their in rows] for key in ("whole", "alone", "memory")}
    print(f"embedded default, 100 steps, one thread, {pairs} interleaved pairs: median (min-max)\n")
    print(f"{'':24}{'rangefinder':>24}{'torch-lr-finder':>24}{'ratio':>24}")
    for key, label, scale, digits in (("whole", "whole command, s", 1, 3), ("alone", "range test alone, s", 1, 3),
                                      ("memory", "peak memory, MB", 1e-6, 0)):
        print(f"{label:24}{spread([o[key] * scale for o, _ in rows], digits):>24}"
              f"{spread([t[key] * scale for _, t in rows], digits):>24}{spread(ratios[key], 1):>24}")
    print(f"{'suggestion':24}{rows[0][0]['suggestion']:>24.3g}{rows[0][1]['suggestion']:>24.3g}")

    print(f"\nrange test alone against PyTorch's own loop with its fused optimizer, one thread, {pairs} pairs\n")
    print(f"{'ms a step':24}{'rangefinder':>24}{'PyTorch':>24}{'ratio':>24}")
    faster = {}
    for model, pair in alone.items():
        scale = 1000 / LOOPS[model][0]
        ratio = [their / our for our, their in pair]
        faster[model] = statistics.median(ratio)
        print(f"{model:24}{spread([our * scale for our, _ in pair], 3):>24}"
              f"{spread([their * scale for _, their in pair], 3):>24}{spread(ratio, 2):>24}")

    missed = [text for ok, text in (
        (statistics.median(ratios["whole"]) >= 10, "the whole command is not 10 times as fast"),
        (statistics.median(ratios["alone"]) >= 1, "the range test alone is slower"),
        *((faster[model] >= least, f"{model} is {faster[model]:.2f} times as fast as PyTorch's own loop, not {least}")
          for model, least in PROMISED.items()),
    ) if not ok]
    if missed:
        sys.exit("bench: " + "; ".join(missed))


if __name__ == "__main__":
    main()
