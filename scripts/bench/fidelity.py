#!/usr/bin/env python3
"""How far a sweep that is split into segments lies from the unsplit one, by real training.

Networks `mlp`, `cnn` (digits) and a small `gpt`, each with SGD with momentum and with AdamW, with 100
and 300 steps and several seeds, in 2, 4 and 8 segments. The error of the suggestion is
|log10(split / unsplit)| in decades, of those sweeps whose unsplit verdict is usable; that of the raw
curve is the rms difference of log losses up to the unsplit minimum. The same is measured between two
data orders of the unsplit sweep (replicas: the same initial weights, other batches). Speed-up is
planned steps over those of the longest task, work is the steps of all tasks over planned steps.

One worker runs all segments in turn: plan and losses do not depend on the number of workers. Fails
where the median error at the default overlap exceeds the median between two data orders. Results are
kept line by line, so that a run that was broken off goes on where it was; another build starts anew.

usage: nice python3 scripts/bench/fidelity.py        (after `make build`; `make bench-fidelity` does both)
"""

import math
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from common import RESULTS, Kept, arguments, build, guarded, number, peer_python, say, several, sweep, table, tokens

SEGMENTS = (2, 4, 8)
STEPS = (100, 300)
ORDERS = 3
MODELS = {
    "mlp": ["--model", "mlp"],
    "cnn": ["--model", "cnn", "--hidden-sizes", "16,32"],
    "gpt": ["--model", "gpt", "--layers", "2", "--heads", "2", "--width", "32", "--vocabulary", "256",
            "--batch-size", "8"],
}
# Eight decades each, in which every one of these networks has its plateau, its fall and its edge.
OPTIMIZERS = {
    "sgd": ["--optimizer", "sgd", "--momentum", "0.9", "--min-lr", "1e-7", "--max-lr", "10"],
    "adamw": ["--optimizer", "adamw", "--min-lr", "1e-8", "--max-lr", "1"],
}
# Measured before with another program on 26 configurations x 6 seeds: error mean and median, bias,
# speed-up, work, share of verdicts kept; None: between two data orders of the unsplit sweep.
BEFORE = {
    2: (.077, .070, .04, 1.8, 1.12, .993),
    4: (.113, .081, .07, 2.8, 1.42, .986),
    8: (.135, .081, .09, 4.0, 2.03, .979),
    None: (.131, .081, None, None, None, None),
}


def curve_error(one, other, end):
    """Rms difference of log losses over the steps before `end` that both have and that have a logarithm."""
    pairs = [(number(a), number(b)) for a, b in zip(one[:end], other[:end])]
    squares = [math.log(a / b) ** 2 for a, b in pairs if 0 < a < math.inf and 0 < b < math.inf]
    return math.sqrt(statistics.fmean(squares)) if squares else None


def distance(one, other):
    """Decades from one suggestion to another, None where one of the curves gives none."""
    return math.log10(other["lr"] / one["lr"]) if one and other else None


def compared(flags, overlap):
    """Everything that is measured of one configuration."""
    whole = sweep([*flags, "--split", "none"])
    losses = whole["curve"]["loss"]
    smoothed = [number(value) for value in whole["curve"]["smoothed"] if value is not None]
    end = smoothed.index(min(smoothed)) + 1 if smoothed else len(losses)
    result = {"usable": whole["verdict"]["usable"], "orders": [], "split": {}}

    replicas = sweep([*flags, "--split", "replicas", "--replicas", str(ORDERS)])["replicas"]
    shared = min(len(losses), len(replicas[0]["curve"]["loss"]))
    if losses[:shared] != replicas[0]["curve"]["loss"][:shared]:
        raise RuntimeError(f"replica 0 is not the unsplit sweep: {' '.join(flags)}")
    for a in range(ORDERS):
        for b in range(a):
            result["orders"].append({
                "decades": distance(replicas[a]["rule_value"], replicas[b]["rule_value"]),
                "curve": curve_error(replicas[a]["curve"]["loss"], replicas[b]["curve"]["loss"], end)})

    for segments in SEGMENTS:
        split = sweep([*flags, "--split", "segments", "--segments", str(segments), "--overlap", overlap])
        lengths = [task["end"] - task["warm_up_start"] for task in split["plan"]["tasks"]]
        result["split"][str(segments)] = {
            "decades": distance(whole["rule_value"], split["rule_value"]),
            "curve": curve_error(losses, split["curve"]["loss"], end),
            "speed_up": whole["steps"] / max(lengths),
            "work": sum(lengths) / whole["steps"], "usable": split["verdict"]["usable"]}
    return result


def two(values, digits=3):
    return f"{statistics.fmean(values):.{digits}f} / {statistics.median(values):.{digits}f}" if values else "-"


def split_row(label, runs, segments, before=None):
    """One row of the table, of all runs whose unsplit verdict is usable."""
    parts = [run["split"][str(segments)] for run in runs if run["usable"]]
    signed = [part["decades"] for part in parts if part["decades"] is not None]
    kept = statistics.fmean(run["split"][str(segments)]["usable"] == run["usable"] for run in runs)
    mean, median, bias, speed_up, work, verdicts = before or [None] * 6
    shown = [f"{mean:.3f} / {median:.3f}", f"{bias:+.2f}", f"{speed_up:.1f}", f"{work:.2f}",
             f"{verdicts:.1%}"] if before else [""] * 5
    return [label, two([abs(value) for value in signed]), shown[0],
            f"{statistics.fmean([part['curve'] for part in parts]):.3f}",
            f"{statistics.fmean(signed):+.3f}", shown[1],
            f"{statistics.fmean([part['speed_up'] for part in parts]):.2f}", shown[2],
            f"{statistics.fmean([part['work'] for part in parts]):.2f}", shown[3], f"{kept:.1%}", shown[4]]


def order_row(label, runs, before=None):
    pairs = [pair for run in runs if run["usable"] for pair in run["orders"] if pair["decades"] is not None]
    return [label, two([abs(pair["decades"]) for pair in pairs]),
            f"{before[0]:.3f} / {before[1]:.3f}" if before else "",
            f"{statistics.fmean([pair['curve'] for pair in pairs]):.3f}", *[""] * 8]


def report(runs, overlap):
    """Prints the tables; the promises that are missed."""
    usable = [run for run in runs.values() if run["usable"]]
    print(f"{len(runs)} unsplit sweeps, {len(usable)} of them usable; overlap {overlap}; errors in decades\n")
    head = ["segments", "error, mean / median", "before", "raw curve", "bias", "before", "speed-up", "before", "work",
            "before", "verdict kept", "before"]
    default = overlap == "default"
    rows = [split_row(str(count), runs.values(), count, BEFORE[count] if default else None) for count in SEGMENTS]
    table(head, [*rows, order_row("data orders", runs.values(), BEFORE[None])])
    print("\nby network and optimizer:\n")
    rows = []
    for model in MODELS:
        for optimizer in OPTIMIZERS:
            of = [run for key, run in runs.items() if key[:2] == (model, optimizer)]
            if any(run["usable"] for run in of):
                rows += [[f"{model}, {optimizer}", *split_row(str(count), of, count)] for count in SEGMENTS]
                rows.append([f"{model}, {optimizer}", *order_row("data orders", of)])
    keep = [0, 1, 2, 4, 5, 7, 9, 11]
    table([["network", *head][at] for at in keep], [[row[at] for at in keep] for row in rows])

    noise = statistics.median(abs(pair["decades"]) for run in usable for pair in run["orders"]
                              if pair["decades"] is not None)
    missed = []
    for count in SEGMENTS:
        error = statistics.median(abs(run["split"][str(count)]["decades"]) for run in usable
                                  if run["split"][str(count)]["decades"] is not None)
        # Both are often the same step of the grid: equal but for rounding.
        if error > noise + 1e-9:
            missed.append(f"{count} segments move the suggestion by {error:.3f} decades, "
                          f"another data order by {noise:.3f}")
    return missed


def main():
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=several, default=5, help="seeds of each configuration (default 5)")
    parser.add_argument("--overlap", default="default",
                        help="overlap of the segments: fast, default, faithful, or decades (default `default`)")
    parser.add_argument("--jobs", type=several, default=os.cpu_count(), help="sweeps at a time (default: the cores)")
    parser.add_argument("--results", default=os.path.join(RESULTS, "fidelity.jsonl"),
                        help="file of the results so far (default target/bench/fidelity.jsonl)")
    given = parser.parse_args()
    kept = Kept(given.results, f"{build()} overlap {given.overlap}")
    keys = [(model, optimizer, steps, seed) for seed in range(given.seeds) for steps in STEPS for model in MODELS
            for optimizer in OPTIMIZERS]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        data = tokens(peer_python(), folder)

        def one(key):
            model, optimizer, steps, seed = key
            flags = [*MODELS[model], *OPTIMIZERS[optimizer], "--num-training", str(steps), "--seed", str(seed)]
            name = " ".join(flags)
            if model == "gpt":
                flags += ["--data", data]
            return kept.get(name, lambda: compared(flags, given.overlap))

        runs = {}
        for key, run in zip(keys, pool.map(one, keys)):
            runs[key] = run
            say(f"{len(runs)} of {len(keys)}: {' '.join(map(str, key))}")
    missed = report(runs, given.overlap)
    if missed and given.overlap == "default":
        say("missed: " + "; ".join(missed))
        return 1
    return 0


if __name__ == "__main__":
    guarded(main)
