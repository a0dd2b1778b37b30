#!/usr/bin/env python3
"""What leases, reports and acknowledgements cost, and what a second worker brings. Needs a quiet machine.

overhead: the embedded default with 10,000 steps and one thread: a sweep of one worker, from the grant of
its task to its last acknowledged loss, against the same trainer run bare over the same learning rates:
`worker/benches/bare.rs`, which loads the model, starts a task and steps, without a coordinator. Both must
see the same losses, to the bit. Fails where the median over interleaved pairs is 2 % or more.

scaling: `cnn`, 8 replicas, one thread a worker: the steps a second of two workers over those of one, from
the first grant to the last loss. Fails where the median ratio is under 1.8. Needs 2 idle cores.

segments: how much of the speed-up that the plan predicts a sweep of 300 steps in segments reaches, from the
first grant to the last loss: in 2 segments by real training (`cnn`, one thread a worker), in 4 and 8 by
mock workers whose steps take 20 ms of waiting, so that 2 cores are enough for 8 of them. Fails where the
median is under 90 %. Needs 2 idle cores.

usage: python3 scripts/bench/orchestration.py overhead|scaling|segments [--pairs N]
(`make bench-orchestration` builds what they need and runs all three)
"""

import glob
import json
import os
import statistics
import subprocess
import tempfile

from common import PROGRAMS, Problem, arguments, guarded, number, program, say, several, spread, sweep, table

STEPS, OVERHEAD, SCALING, REACHED = 10_000, 0.02, 1.8, 0.9
CNN = ["--model", "cnn", "--optimizer", "sgd", "--momentum", "0.9", "--num-training", "300"]
# Up to a learning rate at which nothing diverges: every step is run.
WHOLE_RANGE = ["--max-lr", "1e-3", "--early-stop-threshold", "none"]


def attempts(result):
    return [attempt for replica in result["replicas"] for task in replica["tasks"] for attempt in task["attempts"]]


def training_seconds(result):
    """From the first grant of a task to the end of the last."""
    of = attempts(result)
    return (max(one["ended_ms"] for one in of) - min(one["started_ms"] for one in of)) / 1000


def bare_program():
    """The newest build of the bench target."""
    found = [path for path in glob.glob(os.path.join(PROGRAMS, "deps", "bare-*")) if not path.endswith(".d")]
    if not found:
        raise Problem("there is no bare trainer: run `make bench-orchestration`, which builds it")
    return max(found, key=os.path.getmtime)


def bare(program, rates, folder):
    """Seconds of the bare trainer, and its losses."""
    path = os.path.join(folder, "rates.txt")
    with open(path, "w") as file:
        file.writelines(f"{rate!r}\n" for rate in rates)
    done = subprocess.run([program, path], capture_output=True, text=True)
    if done.returncode:
        raise Problem(f"{program} failed with {done.returncode}:\n{done.stderr}")
    answer = json.loads(done.stdout)
    return answer["seconds"], answer["losses"]


def overhead(pairs):
    program, ratios, flags = bare_program(), [], ["--split", "none", "--num-training", str(STEPS), *WHOLE_RANGE]
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for at in range(pairs + 1):
            result = sweep(flags)
            alone, losses = bare(program, result["learning_rates"], folder)
            if losses != [number(loss) for loss in result["curve"]["loss"]]:
                raise Problem("the bare trainer saw other losses than the sweep: it does not train the same")
            if at:
                ours.append(training_seconds(result))
                theirs.append(alone)
                ratios.append(ours[-1] / theirs[-1] - 1)
                say(f"pair {at} of {pairs}: {100 * ratios[-1]:+.2f} %")
    print(f"embedded default, {STEPS} steps, one thread, {pairs} interleaved pairs: median (min-max)")
    print(f"  sweep, s      {spread(ours, 3)}\n  bare, s       {spread(theirs, 3)}")
    print(f"  overhead, %   {spread([100 * ratio for ratio in ratios], 2)}")
    median = statistics.median(ratios)
    return [] if median < OVERHEAD else [f"orchestration costs {100 * median:.2f} %, not under {100 * OVERHEAD:g} %"]


def scaling(pairs):
    flags = [*CNN, "--split", "replicas", "--replicas", "8", *WHOLE_RANGE]
    seconds = {1: [], 2: []}
    for at in range(pairs + 1):
        for workers, of in seconds.items():
            result = sweep(flags, workers=workers)
            if at:
                of.append(training_seconds(result))
        if at:
            say(f"pair {at} of {pairs}: {seconds[1][-1] / seconds[2][-1]:.2f}")
    ratios = [one / two for one, two in zip(seconds[1], seconds[2])]
    print(f"cnn, 8 replicas of 300 steps, one thread a worker, {pairs} interleaved pairs: median (min-max)")
    print(f"  1 worker, s   {spread(seconds[1], 2)}\n  2 workers, s  {spread(seconds[2], 2)}")
    print(f"  ratio         {spread(ratios, 2)}")
    median = statistics.median(ratios)
    return [] if median >= SCALING else [f"two workers are {median:.2f} times as fast as one, not {SCALING}"]


def segments(pairs):
    mock = ["--worker-command", program("mock-worker"), "--custom-config", '{"step_ms": 20}',
            "--min-lr", "1e-7", "--max-lr", "10", "--num-training", "300", "--early-stop-threshold", "none"]
    rows, missed = [], []
    for count, what, flags in [(2, "cnn", [*CNN, *WHOLE_RANGE]), (4, "mock, 20 ms a step", mock),
                               (8, "mock, 20 ms a step", mock)]:
        whole, split, reached = [], [], []
        for at in range(pairs + 1):
            one = sweep([*flags, "--split", "none"])
            several_of_it = sweep([*flags, "--split", "segments", "--segments", str(count)], workers=count)
            plan = several_of_it["plan"]
            if len(plan["tasks"]) != count:
                raise Problem(f"the plan has {len(plan['tasks'])} segments, not {count}")
            if at:
                whole.append(training_seconds(one))
                split.append(training_seconds(several_of_it))
                reached.append(whole[-1] / split[-1] / plan["speed_up"])
                say(f"{count} segments, pair {at} of {pairs}: {100 * reached[-1]:.1f} %")
        rows.append([count, what, spread(whole, 2), spread(split, 2), f"{plan['speed_up']:.2f}",
                     spread([a / b for a, b in zip(whole, split)], 2), spread([100 * part for part in reached], 1)])
        if statistics.median(reached) < REACHED:
            missed.append(f"{count} segments reach {100 * statistics.median(reached):.1f} % of the speed-up that the "
                          f"plan predicts, not {100 * REACHED:g} %")
    print(f"300 steps, {pairs} interleaved pairs: median (min-max)")
    table(["segments", "worker", "unsplit, s", "split, s", "predicted", "measured", "reached, %"], rows)
    return missed


def main():
    parser = arguments(__doc__)
    parser.add_argument("what", choices=["overhead", "scaling", "segments"])
    parser.add_argument("--pairs", type=several, default=7, help="interleaved pairs, after one that does not count")
    given = parser.parse_args()
    missed = {"overhead": overhead, "scaling": scaling, "segments": segments}[given.what](given.pairs)
    if missed:
        say("missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    guarded(main)
