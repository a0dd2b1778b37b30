"""Whole sweeps on worker.py. COORDINATOR names the coordinator's program; without it none is run."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import conformance
from torch.utils.data import DataLoader

HERE = Path(__file__).resolve().parent
MARK = "RANGEFINDER_TEST_MARK"  # In the environment of all that a test starts.
DEADLINE = 120  # Seconds.


def with_processes(forward):
    """What is trained, read by processes of its DataLoader."""
    parts = conformance.ordinary()
    return {**parts, "data": DataLoader(parts["data"], 32, num_workers=1),
            "forward": lambda model, batch: forward() or parts["loss"](model(batch[0]), batch[1])}


def killed_once(flag):
    """The process that first comes to its 30th step while there is the file `flag` is killed."""
    steps = iter(range(1_000_000))

    def forward():
        if next(steps) >= 30 and os.path.exists(flag):
            os.unlink(flag)
            os.kill(os.getpid(), signal.SIGKILL)
    return with_processes(forward)


def hangs(flag):
    """Its sixth step makes the file `flag` and never returns."""
    steps = iter(range(1_000_000))

    def forward():
        if next(steps) >= 5:
            Path(flag).touch()
            threading.Event().wait()
    return with_processes(forward)


def mistaken():
    raise ValueError("there is no column 'label'")


def command(entry, out, *arguments):
    words = f"'{sys.executable}' '{HERE / 'worker.py'}' {entry}"
    return [os.environ["COORDINATOR"], "--workers", "2", "--worker-command", words, "--device", "cpu", "--quiet",
            "--out", out, *arguments]


def marked(mark):
    """The processes with a mark that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:  # Gone, or another user's.
            pass
    return found


def eventually(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@unittest.skipUnless(os.environ.get("COORDINATOR"), "COORDINATOR is not set")
class SweepTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def sweep(self, entry, *arguments):
        out = tempfile.mkdtemp(dir=self.folder)
        done = subprocess.run(command(entry, out, *arguments), capture_output=True, text=True, timeout=2 * DEADLINE)
        path = Path(out, "sweep.json")
        return done, json.loads(path.read_text()) if path.exists() else None, Path(out)

    def test_a_sweep_in_segments_gives_a_learning_rate(self):
        done, sweep, _ = self.sweep("digits:setup", "--segments", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(1e-4 < float(done.stdout) < 1, done.stdout)
        self.assertEqual(len(sweep["replicas"][0]["tasks"]), 2)
        self.assertEqual(sweep["described"]["beta"], 0.9)
        self.assertEqual(sweep["effective_batch_size"], 64)

    def test_entry_and_configuration_may_come_from_flags(self):
        done, sweep, _ = self.sweep("", "--split", "replicas", "--entry", "digits:setup", "--custom-config",
                                    '{"width": 4}')
        self.assertIn(done.returncode, (0, 3), done.stderr)
        self.assertEqual(len(sweep["replicas"]), 2)
        self.assertEqual(sweep["described"]["parameters"][0]["shape"], [4, 1, 3, 3])

    def test_a_worker_killed_in_mid_sweep_changes_no_bit_of_the_curve(self):
        flag = self.folder / "flag"
        arguments = ("test_sweeps:killed_once", "--segments", "2", "--num-training", "80", "--custom-config",
                     json.dumps({"flag": str(flag)}))
        undisturbed, _, first = self.sweep(*arguments)
        flag.touch()
        disturbed, sweep, second = self.sweep(*arguments)
        self.assertFalse(flag.exists(), "nothing was killed")
        attempts = [len(task["attempts"]) for task in sweep["replicas"][0]["tasks"]]
        self.assertEqual(sorted(attempts), [1, 2])
        self.assertEqual((first / "curve.csv").read_bytes(), (second / "curve.csv").read_bytes())
        self.assertEqual((undisturbed.returncode, undisturbed.stdout), (disturbed.returncode, disturbed.stdout))

    def test_ctrl_c_leaves_no_process_behind_though_a_step_hangs(self):
        flag, mark = self.folder / "flag", f"{os.getpid()}-ctrl-c"
        arguments = ("--split", "none", "--custom-config", json.dumps({"flag": str(flag)}))
        coordinator = subprocess.Popen(command("test_sweeps:hangs", str(self.folder / "out"), *arguments),
                                       env={**os.environ, MARK: mark}, stdout=subprocess.PIPE)
        try:
            self.assertTrue(eventually(flag.exists), "no step was run")
            self.assertGreaterEqual(len(marked(mark)), 4, "coordinator, two workers, a process of the DataLoader")
            coordinator.send_signal(signal.SIGINT)
            self.assertEqual(coordinator.wait(DEADLINE), 130)
            self.assertTrue(eventually(lambda: not marked(mark)), "processes are left")
        finally:
            coordinator.kill()
            coordinator.communicate()

    def test_an_exception_in_setup_is_told_with_its_place_and_costs_no_step(self):
        done, sweep, _ = self.sweep("test_sweeps:mistaken")
        self.assertEqual((done.returncode, sweep), (2, None))
        place = f"{__file__}:{mistaken.__code__.co_firstlineno + 1}".removeprefix(os.getcwd() + os.sep)
        self.assertIn(f"ValueError: there is no column 'label' ({place})", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)

    def test_running_out_of_memory_ends_the_sweep_with_the_batch_size_and_what_to_do(self):
        done, sweep, _ = self.sweep("conformance:out_of_memory")
        self.assertNotIn(done.returncode, (0, 3))
        self.assertIsNone(sweep)
        self.assertIn("out of memory with batch_size 32", done.stderr)
        self.assertIn("use a smaller batch_size", done.stderr)

    def test_iterable_data_refuses_segments_and_gets_replicas(self):
        done, sweep, _ = self.sweep("conformance:stream", "--split", "segments")
        self.assertEqual((done.returncode, sweep), (2, None))
        self.assertIn("cannot seek its data", done.stderr)
        done, sweep, _ = self.sweep("conformance:stream", "--num-training", "50")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        tasks = [(task["start"], task["end"]) for replica in sweep["replicas"] for task in replica["tasks"]]
        self.assertEqual(tasks, [(0, 50), (0, 50)])


if __name__ == "__main__":
    unittest.main()
