#!/usr/bin/env python3
"""How far the interval and the verdict can be trusted, by real training.

interval: networks, optimizers and steps of fidelity.py. The interval of one unsplit sweep (bootstrap), and
that of four replicas (Student's t), against the median suggestion of sweeps with other data orders that the
interval knows nothing of: the share that lies inside, at 90 % nominal, and the median width in decades.

verdict: sweeps over learning rates so low that no weight moves, where every learning rate would be made up:
the share that is called usable. And the share of the ordinary sweeps above that is called unusable.

Results are kept line by line, so that a run that was broken off goes on where it was; another build starts anew.

usage: nice python3 scripts/bench/trust.py        (after `make build`; `make bench-trust` does both)
"""

import math
import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor

from common import RESULTS, Kept, arguments, build, guarded, peer_python, say, several, sweep, table, tokens
from fidelity import MODELS, OPTIMIZERS, STEPS

# Data orders in all; the first belong to the intervals, the others are what is to be covered.
ORDERS, REPLICAS = 12, 4
# float32 weights do not move.
FROZEN = ["--min-lr", "1e-18", "--max-lr", "1e-12"]


def interval(answer):
    """Ends of an interval, or None where there is no suggestion."""
    return [answer["interval"]["low"], answer["interval"]["high"]] if answer and answer["interval"] else None


def covered(flags):
    """Intervals of one sweep and of four replicas, and the median suggestion of the other data orders."""
    every = sweep([*flags, "--split", "replicas", "--replicas", str(ORDERS)])["replicas"]
    others = [replica["rule_value"]["lr"] for replica in every[REPLICAS:] if replica["rule_value"]]
    one = sweep([*flags, "--split", "none"])
    four = sweep([*flags, "--split", "replicas", "--replicas", str(REPLICAS)])
    return {"usable": one["verdict"]["usable"], "one": interval(one["suggestion"]),
            "four": interval(four["suggestion"]), "others": statistics.median(others) if others else None}


def frozen(flags):
    return sweep([*flags, "--split", "none", *FROZEN])["verdict"]["usable"]


def coverage(label, runs, which):
    """A row: of how many intervals how many hold the other orders' median, and their width."""
    of = [(run[which], run["others"]) for run in runs if run[which] and run["others"]]
    inside = [low <= others <= high for (low, high), others in of]
    widths = [math.log10(high / low) for (low, high), _ in of]
    return [label, len(of), f"{statistics.fmean(inside):.1%}", f"{statistics.median(widths):.2f}"]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=several, default=5, help="seeds of each configuration (default 5)")
    parser.add_argument("--frozen", type=several, default=20, help="sweeps of each with frozen weights (default 20)")
    parser.add_argument("--jobs", type=several, default=os.cpu_count(), help="sweeps at a time (default: the cores)")
    parser.add_argument("--results", default=os.path.join(RESULTS, "trust.jsonl"),
                        help="file of the results so far (default target/bench/trust.jsonl)")
    given = parser.parse_args()
    kept = Kept(given.results, build())
    keys = [(what, model, optimizer, steps, seed) for what, seeds in (("learning", given.seeds), ("frozen", given.frozen))
            for seed in range(seeds) for steps in STEPS for model in MODELS for optimizer in OPTIMIZERS]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        data = tokens(peer_python(), folder)

        def one(key):
            what, model, optimizer, steps, seed = key
            flags = [*MODELS[model], *OPTIMIZERS[optimizer], "--num-training", str(steps), "--seed", str(seed)]
            flags += ["--data", data] if model == "gpt" else []
            return kept.get(" ".join(map(str, key)), lambda: (covered if what == "learning" else frozen)(flags))

        results = {}
        for key, result in zip(keys, pool.map(one, keys)):
            results[key] = result
            if len(results) % 20 == 0:
                say(f"{len(results)} of {len(keys)}")
    learning = {key: run for key, run in results.items() if key[0] == "learning"}
    table(["interval, 90 % nominal", "intervals", "hold the others' median", "width, decades"], [
        coverage("one sweep, bootstrap", learning.values(), "one"),
        *(coverage(f"  {steps} steps", [run for key, run in learning.items() if key[3] == steps], "one")
          for steps in STEPS),
        coverage(f"{REPLICAS} replicas, Student's t", learning.values(), "four")])
    made_up = [usable for key, usable in results.items() if key[0] == "frozen"]
    refused = [not run["usable"] for run in learning.values()]
    print(f"\nfrozen weights: {sum(made_up)} of {len(made_up)} sweeps called usable\n"
          f"ordinary sweeps: {sum(refused)} of {len(refused)} called unusable")
    return 0


if __name__ == "__main__":
    guarded(main)
