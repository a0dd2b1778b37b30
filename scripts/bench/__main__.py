#!/usr/bin/env python3
"""Compares the embedded default with torch-lr-finder, side by side in one run.

(a) the whole command, from start to suggestion; (b) the range test alone; (c) peak memory of the
largest process. The two take turns, one thread each, and ratios are taken pair by pair. Fails
where a figure that the README promises is missed.

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


def timed(command):
    """Runs a command: (its standard output, wall seconds, peak memory in bytes of its largest process)."""
    # A child of its own: the maximum over children is then that of this command alone.
    probe = ("import json,resource,subprocess,sys,time; t=time.perf_counter(); "
             "d=subprocess.run(sys.argv[1:],capture_output=True,text=True); s=time.perf_counter()-t; "
             "print(json.dumps([d.returncode,d.stdout,d.stderr,s,"
             "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss*1024]))")
    done = subprocess.run([sys.executable, "-c", probe, *command], capture_output=True, text=True, check=True)
    code, out, err, seconds, memory = json.loads(done.stdout)
    if code:
        sys.exit(f"bench: {' '.join(command)} failed with {code}:\n{err}")
    return out, seconds, memory


def ours(folder):
    out, whole, memory = timed([
        os.path.join(ROOT, "target", "release", "coordinator"), "--workers", "1", "--threads-per-worker", "1",
        "--split", "none", "--quiet", "--out", folder])
    with open(os.path.join(folder, "sweep.json")) as file:
        attempt = json.load(file)["replicas"][0]["tasks"][0]["attempts"][0]
    alone = (attempt["ended_ms"] - attempt["started_ms"]) / 1000
    return {"whole": whole, "alone": alone, "memory": memory, "suggestion": float(out)}


def theirs(python):
    digits = os.path.join(ROOT, "worker", "data", "assets", "digits.npz")
    out, whole, memory = timed([python, os.path.join(HERE, "torch_lr_finder_peer.py"), digits, "1"])
    answer = json.loads(out)
    return {"whole": whole, "alone": answer["alone_seconds"], "memory": memory, "suggestion": answer["suggestion"]}


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

    ratios = {key: [their[key] / our[key] for our, their in rows] for key in ("whole", "alone", "memory")}
    print(f"embedded default, 100 steps, one thread, {pairs} interleaved pairs: median (min-max)\n")
    print(f"{'':24}{'rangefinder':>24}{'torch-lr-finder':>24}{'ratio':>24}")
    for key, label, scale, digits in (("whole", "whole command, s", 1, 3), ("alone", "range test alone, s", 1, 3),
                                      ("memory", "peak memory, MB", 1e-6, 0)):
        print(f"{label:24}{spread([o[key] * scale for o, _ in rows], digits):>24}"
              f"{spread([t[key] * scale for _, t in rows], digits):>24}{spread(ratios[key], 1):>24}")
    print(f"{'suggestion':24}{rows[0][0]['suggestion']:>24.3g}{rows[0][1]['suggestion']:>24.3g}")

    missed = [text for ok, text in (
        (statistics.median(ratios["whole"]) >= 10, "the whole command is not 10 times as fast"),
        (statistics.median(ratios["alone"]) >= 1, "the range test alone is slower"),
    ) if not ok]
    if missed:
        sys.exit("bench: " + "; ".join(missed))


if __name__ == "__main__":
    main()
