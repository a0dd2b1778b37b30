#!/usr/bin/env python3
"""Compares range tests with other learning-rate finders and with plain PyTorch training loops, side by side.

With torch-lr-finder, Lightning and fastai, each with the same network, data, batch size, optimizer, steps
and threads, for the embedded default (`mlp`) and a small batch-norm `cnn`: (a) the whole command, from
start to suggestion; (b) the range test alone; (c) peak memory of the largest process. Then the range test
alone with PyTorch's own loop and its fused optimizer, for `mlp`, `cnn` and `gpt`: ours includes loading
the model and reporting every loss, PyTorch's is the bare loop. All take turns, one thread each, and
ratios are taken round by round. Fails where a figure that the README promises is missed: of the embedded
default the whole command 10 times as fast as the fastest peer and under 250 MB, of both networks the
range test alone no slower than the fastest, and of all three no slower than PyTorch's own loop.

usage: python3 scripts/bench [--pairs N]        (after `make build`; `make bench` does both)
"""

import json
import os
import statistics
import tempfile

from common import (DIGITS, HERE, PEERS, UNUSABLE, arguments, command, guarded, peer_python, say, several, spread,
                    table, timed, tokens)

# Each peer and its script.
SCRIPTS = {"torch-lr-finder": "torch_lr_finder_peer.py", "lightning": "lightning_peer.py", "fastai": "fastai_peer.py"}
OURS = "rangefinder"
# Our flags for the networks of pytorch_loop.py, where their sizes stand too, and steps of its range tests.
FLAGS = {
    "mlp": ["--model", "mlp"],
    "cnn": ["--model", "cnn", "--optimizer", "sgd", "--momentum", "0.9"],
    "gpt": ["--model", "gpt", "--layers", "2", "--heads", "4", "--width", "64", "--vocabulary", "256",
            "--batch-size", "8"],
}
STEPS = {"mlp": 1000, "cnn": 300, "gpt": 300}
MEASURES = (("whole", "whole command, s", 1, 3), ("alone", "range test alone, s", 1, 3),
            ("memory", "peak memory, MB", 1e-6, 0))
# What is promised: the whole command and the range test alone against the fastest peer, bytes of memory.
WHOLE, ALONE, MEMORY, LOOP = 10, 1, 250e6, 1


def ours(folder, flags):
    out, whole, memory = timed(command([*flags, "--split", "none"], folder), fine=(0, UNUSABLE))
    with open(os.path.join(folder, "sweep.json")) as file:
        attempt = json.load(file)["replicas"][0]["tasks"][0]["attempts"][0]
    alone = (attempt["ended_ms"] - attempt["started_ms"]) / 1000
    return {"whole": whole, "alone": alone, "memory": memory, "suggestion": float(out or "nan")}


def theirs(python, script, model):
    out, whole, memory = timed([python, os.path.join(HERE, script), model, DIGITS])
    answer = json.loads(out)
    suggestion = answer["suggestion"]
    return {"whole": whole, "alone": answer["alone_seconds"], "memory": memory,
            "suggestion": float("nan") if suggestion is None else suggestion}


def peers(python, model, pairs, folder):
    """Rounds in which everyone has a turn, after one that does not count."""
    rounds = []
    for number in range(pairs + 1):
        row = {OURS: ours(os.path.join(folder, model), FLAGS[model])}
        row.update((name, theirs(python, script, model)) for name, script in SCRIPTS.items())
        if number:
            rounds.append(row)
        say(f"{model}, round {number} of {pairs}" if number else f"{model}, warmed up")
    return rounds


def loops(python, pairs, folder):
    """Seconds of our range test alone and of PyTorch's own loop, for each network."""
    data = tokens(python, folder)
    rows = {}
    for model, steps in STEPS.items():
        # Up to a learning rate at which nothing diverges: every step is run.
        flags = [*FLAGS[model], "--num-training", str(steps), "--max-lr", "1e-3", "--early-stop-threshold", "none",
                 *(["--data", data] if model == "gpt" else [])]
        rows[model] = []
        for number in range(pairs + 1):
            our = ours(os.path.join(folder, model), flags)["alone"]
            out, _, _ = timed([python, os.path.join(HERE, "pytorch_loop.py"), model,
                               data if model == "gpt" else DIGITS, str(steps)])
            if number:
                rows[model].append((our, json.loads(out)["alone_seconds"]))
        say(f"{model}, {pairs} pairs with PyTorch's own loop")
    return rows


def report_peers(model, rounds):
    """Prints one network's table; the promises that are missed."""
    print(f"\n{model}, 100 steps, one thread, {len(rounds)} interleaved rounds: median (min-max)\n")
    rows = []
    for key, label, scale, digits in MEASURES:
        rows.append([label, *(spread([row[who][key] * scale for row in rounds], digits) for who in rounds[0])])
        ratios = {who: [row[who][key] / row[OURS][key] for row in rounds] for who in SCRIPTS}
        rows.append(["  ratio", "", *(spread(of, 1) for of in ratios.values())])
    rows.append(["suggestion", *(f"{rounds[0][who]['suggestion']:.3g}" for who in rounds[0])])
    versions = [next(name for name in PEERS if name.startswith(who)).replace("==", " ") for who in SCRIPTS]
    table(["", OURS, *versions], rows)

    def fastest(key):
        return min(statistics.median(row[who][key] / row[OURS][key] for row in rounds) for who in SCRIPTS)

    memory = statistics.median(row[OURS]["memory"] for row in rounds)
    return [text for ok, text in (
        (model != "mlp" or fastest("whole") >= WHOLE,
         f"{model}: the whole command is {fastest('whole'):.1f} times as fast as the fastest peer, not {WHOLE}"),
        (fastest("alone") >= ALONE,
         f"{model}: the range test alone is {fastest('alone'):.2f} times as fast as the fastest peer's, not {ALONE}"),
        (model != "mlp" or memory < MEMORY,
         f"{model}: {memory * 1e-6:.0f} MB of memory, not under {MEMORY * 1e-6:.0f}"),
    ) if not ok]


def report_loops(rows):
    """Prints the comparison with PyTorch's own loop; the promises that are missed."""
    print("\nrange test alone against PyTorch's own loop with its fused optimizer, one thread, ms a step\n")
    printed, missed = [], []
    for model, pairs in rows.items():
        scale, ratios = 1000 / STEPS[model], [their / our for our, their in pairs]
        printed.append([model, spread([our * scale for our, _ in pairs], 3),
                        spread([their * scale for _, their in pairs], 3), spread(ratios, 2)])
        if statistics.median(ratios) < LOOP:
            missed.append(f"{model}: {statistics.median(ratios):.2f} times as fast as PyTorch's own loop, not {LOOP}")
    table(["", OURS, "PyTorch", "ratio"], printed)
    return missed


def main():
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=several, default=7, help="interleaved rounds, after one that does not count")
    pairs = parser.parse_args().pairs
    python, missed = peer_python(), []
    with tempfile.TemporaryDirectory() as folder:
        for model in ("mlp", "cnn"):
            missed += report_peers(model, peers(python, model, pairs, folder))
        missed += report_loops(loops(python, pairs, folder))
    if missed:
        say("missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    guarded(main)
