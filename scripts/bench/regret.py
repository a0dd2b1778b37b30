#!/usr/bin/env python3
"""What following each finder costs: trains at its suggestion, and at every learning rate of a grid.

Eight small tasks, three seeds each. A finder's suggestion comes from a sweep of 100 steps, which is every
tool's default, and from one of 300, over the same range of learning rates for all: our methods are read
off one sweep, each profile runs one of its own, with that tool's schedule, smoothing, stop and rule.
Judge is a plain PyTorch loop of 300 steps at that constant learning rate from the same initial weights;
its final loss is the mean of the last 20 steps. Regret is the final loss minus that of the grid's best
learning rate (three a decade, the best mean over the seeds), as a share of what that one lowers the loss
by; a run that diverged or learned nothing has lost 100 %. Where a finder gives no number (ours: where the
verdict is not usable), nothing is trained and it is counted as that; the row `verdict ignored` shows what
our rule would have cost, `where refused` what it would have cost on those sweeps alone. The last row is what asking nobody costs: PyTorch's default of 1e-3.

Results are kept line by line, so that a run that was broken off goes on where it was.

usage: nice python3 scripts/bench/regret.py [--picture FILE.svg]        (after `make build`)
"""

import hashlib
import json
import os
import statistics
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import regret_plot
from common import HERE, RESULTS, Kept, Problem, arguments, build, guarded, peer_python, say, several, sweep, table

# Steps of the sweeps, of a training, and learning rates of the grid a decade.
SWEEPS, TRAINING, DENSITY = (100, 300), 300, 3
METHODS = ["auto", "drop50", "drop80", "drop95", "steepest", "gmean", "minimum", "valley", "slide"]
PROFILES = ["lightning", "lightning-0.7.6", "fastai", "torch-lr-finder", "ignite"]
# fastai has four rules for one sweep; the first is its default.
FASTAI = ["fastai/valley", "fastai/minimum", "fastai/slide", "fastai/steepest"]
IGNORED, REFUSED, DEFAULT = "auto, verdict ignored", "auto, where refused", "PyTorch's 1e-3"
FINDERS = [*METHODS, IGNORED, REFUSED, "lightning", "lightning-0.7.6", *FASTAI, "torch-lr-finder", "ignite", DEFAULT]


class Trainers:
    """A training process a thread, since PyTorch takes seconds to start."""

    def __init__(self, python, folder):
        self.command = [python, os.path.join(HERE, "regret_tasks.py"), "train", folder, str(TRAINING)]
        self.mine, self.all = threading.local(), []

    def train(self, **wanted):
        if not hasattr(self.mine, "process"):
            self.mine.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.all.append(self.mine.process)
        process = self.mine.process
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise Problem(f"training {wanted} ended without an answer: see its words above")
        return json.loads(answer)

    def close(self):
        for process in self.all:
            process.stdin.close()
            process.wait()


def suggestions(flags, steps):
    """What each finder says: a learning rate, or None."""
    base = [*flags, "--split", "none", "--num-training", str(steps)]
    ours = sweep(base)
    values = {row["method"]: row["value"] for row in ours["methods"]}
    values["auto"] = ours["suggestion"]
    usable = ours["verdict"]["usable"]
    said = {name: values[name]["lr"] if usable and values[name] else None for name in METHODS}
    for profile in PROFILES:
        theirs = sweep([*base, "--profile", profile])
        values = {row["method"]: row["value"] for row in theirs["methods"]}
        values[FASTAI[0] if profile == "fastai" else profile] = theirs["suggestion"]
        for name in FASTAI if profile == "fastai" else [profile]:
            said[name] = values[name]["lr"] if values[name] else None
    rule = ours["rule_value"]["lr"] if ours["rule_value"] else None
    return {**said, IGNORED: rule, REFUSED: None if usable else rule, DEFAULT: 1e-3}


def grid(flags):
    """Learning rates to try, the highest first: five decades below the end of the range."""
    high = float(flags[flags.index("--max-lr") + 1])
    return [high * 10 ** (-at / DENSITY) for at in range(5 * DENSITY + 1)]


def lost(last, best, first):
    """Share of the achievable drop that is lost, at most all of it."""
    if last is None:
        return 1.0
    return min((last - best) / (first - best), 1.0)


def regrets(task, seeds, said, trained):
    """Of one task: the best learning rate of the grid, and each finder's share lost and suggestions."""
    def final(seed, lr):
        return trained[task["name"], seed, lr]["last"]

    means = {lr: statistics.fmean(final(seed, lr) for seed in seeds) for lr in grid(task["flags"])
             if all(final(seed, lr) is not None for seed in seeds)}
    best = min(means, key=means.get)
    result = {"best": best, "best_loss": means[best], "finders": {}}
    for finder in FINDERS:
        given = [(seed, said[seed][finder]) for seed in seeds if said[seed][finder]]
        shares = [lost(final(seed, lr), final(seed, best), trained[task["name"], seed, best]["first"])
                  for seed, lr in given]
        result["finders"][finder] = {"lr": [lr for _, lr in given], "none": len(seeds) - len(given),
                                     "share": statistics.fmean(shares) if shares else None}
    return result


def percent(value):
    # Adding 0 makes -0.0 one that has no sign.
    return "-" if value is None else f"{round(100 * value, 1) + 0:.1f} %"


def report(results, steps, seeds):
    print(f"\nafter a sweep of {steps} steps: share of the achievable drop that is lost in {TRAINING} steps of "
          f"training; {len(results)} tasks, means over {seeds} seeds\n")
    rows = []
    for finder in FINDERS:
        of = {name: result["finders"][finder] for name, result in results.items()}
        shares = {name: row["share"] for name, row in of.items() if row["share"] is not None}
        worst, none = max(shares, key=shares.get, default=None), sum(row["none"] for row in of.values())
        rows.append([finder, percent(statistics.median(shares.values()) if shares else None),
                     percent(statistics.fmean(shares.values()) if shares else None),
                     f"{percent(shares[worst])} ({worst})" if worst else "-", f"{none} of {seeds * len(results)}"])
    table(["finder", "median", "mean", "worst", "no number"], rows)
    print("\nby task: the grid's best learning rate, its final loss, and the share that a finder loses (the median of "
          "its suggestions)\n")
    shown = ["auto", REFUSED, "lightning", "lightning-0.7.6", FASTAI[0], "torch-lr-finder", "ignite", DEFAULT]
    rows = []
    for name, result in results.items():
        cells = []
        for finder in shown:
            row = result["finders"][finder]
            none = "-" if finder == REFUSED else "no number"
            cells.append(f"{percent(row['share'])} ({statistics.median(row['lr']):.1e})" if row["lr"] else none)
        rows.append([name, f"{result['best']:.1e}", f"{result['best_loss']:.3g}", *cells])
    table(["task", "best lr", "loss", *shown], rows)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=several, default=3, help="seeds of each task (default 3)")
    parser.add_argument("--jobs", type=several, default=os.cpu_count(), help="runs at a time (default: the cores)")
    parser.add_argument("--picture", metavar="FILE.svg", help="draw a picture there too")
    parser.add_argument("--results", default=os.path.join(RESULTS, "regret.jsonl"),
                        help="file of the results so far (default target/bench/regret.jsonl)")
    given = parser.parse_args()
    with open(os.path.join(HERE, "regret_tasks.py"), "rb") as file:
        tasks_text = hashlib.sha256(file.read()).hexdigest()[:16]
    # Trainings do not depend on our programs: they outlast a build.
    swept, judged = Kept(given.results, build() + tasks_text), Kept(given.results, tasks_text)
    python, seeds = peer_python(), range(given.seeds)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        done = subprocess.run([python, os.path.join(HERE, "regret_tasks.py"), "export", folder, str(given.seeds)],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise Problem("the tasks were not exported: see PyTorch's words above")
        tasks = [{"name": name, "flags": flags} for name, flags in json.loads(done.stdout).items()]
        runs = [(task, seed, steps) for task in tasks for seed in seeds for steps in SWEEPS]

        def ask(run):
            task, seed, steps = run
            model = os.path.join(folder, f"{task['name']}-{seed}.pt")
            flags = ["--model", model, "--seed", str(seed), *task["flags"]]
            return swept.get(f"{task['name']} {seed} {steps}", lambda: suggestions(flags, steps))

        said = {(steps, task["name"], seed): row for (task, seed, steps), row in zip(runs, pool.map(ask, runs))}
        say(f"{len(said)} x {len(PROFILES) + 1} sweeps done")
        wanted = sorted({(task["name"], seed, lr) for task, seed, steps in runs
                         for lr in [*grid(task["flags"]), *filter(None, said[steps, task["name"], seed].values())]})
        trainers = Trainers(python, folder)

        def judge(run):
            task, seed, lr = run
            return judged.get(f"{task} {seed} {lr!r}", lambda: trainers.train(task=task, seed=seed, lr=lr))

        trained = {}
        for run, answer in zip(wanted, pool.map(judge, wanted)):
            trained[run] = answer
            if len(trained) % 50 == 0:
                say(f"{len(trained)} of {len(wanted)} trainings")
        trainers.close()
    panels = {}
    for steps in SWEEPS:
        results = {}
        for task in tasks:
            of = {seed: said[steps, task["name"], seed] for seed in seeds}
            results[task["name"]] = regrets(task, seeds, of, trained)
        report(results, steps, given.seeds)
        panels[f"sweep of {steps} steps"] = {
            finder: {name: result["finders"][finder] for name, result in results.items()}
            for finder in FINDERS if finder not in (IGNORED, REFUSED)}
    if given.picture:
        with open(given.picture, "w") as file:
            file.write(regret_plot.draw(panels, METHODS, given.seeds))
        say(f"drawn to {given.picture}")
    return 0


if __name__ == "__main__":
    guarded(main)
