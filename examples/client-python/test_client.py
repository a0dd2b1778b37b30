"""The whole life of sweeps, from Python, on a real service with mock workers. COORDINATOR and MOCK_WORKER name the
programs; without them nothing is run."""
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import generate

generate.generate()
import client  # noqa: E402  It needs what was just generated.
import grpc  # noqa: E402
from client import v1  # noqa: E402

HERE = Path(__file__).resolve().parent
DEADLINE = 90  # Seconds.
SPEC = {"model": "mlp", "data": "digits", "optimizer": "adam"}


def eventually(condition):
    deadline = time.monotonic() + DEADLINE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.01)
    return found


def clean(**variables):
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("RANGEFINDER_")}
    return {**inherited, **variables}


@unittest.skipUnless(os.environ.get("COORDINATOR") and os.environ.get("MOCK_WORKER"),
                     "COORDINATOR and MOCK_WORKER are not set")
class ClientTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name, role in (("ann", "client"), ("ben", "client"), ("rack", "worker")):
            subprocess.run([os.environ["COORDINATOR"], "token", "create", "--data-dir", self.folder / "data", "--role",
                            role, "--name", name, "--out", self.folder / name], check=True, capture_output=True,
                           env=clean())
        self.address = "127.0.0.1:0"
        self.start()
        self.ann = client.Service(self.address, self.folder / "ann")
        self.addCleanup(self.ann.channel.close)

    def start(self):
        log = self.folder / "log"
        log.touch()
        before = len(log.read_text())
        with open(log, "a") as file:
            self.service = subprocess.Popen(
                [os.environ["COORDINATOR"], "serve", "--data-dir", self.folder / "data", "--listen", self.address,
                 "--heartbeat-seconds", "1", "--lease-seconds", "4"], stderr=file, env=clean())
        self.addCleanup(self.end, self.service, signal.SIGKILL)

        def listening():
            self.assertIsNone(self.service.poll(), log.read_text())
            _, found, rest = log.read_text()[before:].partition("listening on ")
            return found and "\n" in rest and rest.split("\n")[0]
        self.address = eventually(listening)

    @staticmethod
    def end(process, how):
        if process.poll() is None:
            process.send_signal(how)
        process.wait(DEADLINE)

    def worker(self, name, script="{}"):
        worker = subprocess.Popen([os.environ["MOCK_WORKER"]], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env=clean(RANGEFINDER_COORDINATOR=f"http://{self.address}",
                                            RANGEFINDER_TOKEN_FILE=str(self.folder / "rack"),
                                            RANGEFINDER_WORKER_ID=name, RANGEFINDER_MOCK=script,
                                            RANGEFINDER_CACHE_DIR=str(self.folder / "cache")))
        self.addCleanup(self.end, worker, signal.SIGKILL)

    def refused(self, code, call, *arguments, **more):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, **more)
        self.assertEqual(caught.exception.code(), code)
        return caught.exception

    def test_the_whole_life_of_a_sweep(self):
        sweep = self.ann.create(SPEC, request_id="r1", name="first")
        self.assertEqual(sweep.state, v1.SWEEP_STATE_WAITING)
        self.assertEqual(sweep.waiting_for, "no worker is connected")
        self.assertEqual(sweep.spec.batch_size, 64)
        self.assertEqual(self.ann.create(SPEC, request_id="r1").id, sweep.id)
        self.assertNotEqual(self.ann.create(SPEC, request_id="r2", name="second").id, sweep.id)
        self.assertEqual([one.name for one in self.ann.list(page_size=1)], ["second", "first"])
        self.assertEqual([one.name for one in self.ann.list(name_prefix="f")], ["first"])

        self.worker("w1")
        events = list(self.ann.watch(sweep.id))
        self.assertEqual([event.number for event in events], list(range(1, len(events) + 1)))
        self.assertEqual([events[0].type, events[-1].type], ["created", "ended"])
        self.assertEqual([event.number for event in self.ann.watch(sweep.id, len(events) - 1)],
                         [len(events) - 1, len(events)])
        self.assertEqual(list(self.ann.watch(sweep.id, len(events) + 1)), [])

        done = self.ann.get(sweep.id)
        self.assertEqual(done.state, v1.SWEEP_STATE_COMPLETED)
        self.assertTrue(done.verdict.usable)
        self.assertEqual(self.ann.document(sweep.id)["suggestion"]["lr"], done.suggestion.lr)
        self.assertEqual(self.ann.suggest(sweep.id).suggestion, done.suggestion)
        other = self.ann.suggest(sweep.id, method="minimum", skip_end=1)
        self.assertEqual(other.suggestion.method, "minimum")
        self.assertNotEqual(other.suggestion.lr, done.suggestion.lr)

        self.assertEqual(self.ann.cancel(sweep.id), done, "it has ended, and stays as it is")
        self.ann.delete(sweep.id)
        gone = self.refused(grpc.StatusCode.NOT_FOUND, self.ann.delete, sweep.id)
        self.assertEqual(client.reason(gone), "UNKNOWN_SWEEP")

    def test_a_running_sweep_is_cancelled(self):
        self.worker("w1", '{"faults": [{"step": 20, "what": "hang"}]}')
        sweep = self.ann.create(SPEC)
        for event in self.ann.watch(sweep.id):
            if event.type == "observed":
                break
        active = self.refused(grpc.StatusCode.FAILED_PRECONDITION, self.ann.delete, sweep.id)
        self.assertEqual(client.reason(active), "NOT_ENDED")
        for _ in range(2):
            self.assertEqual(self.ann.cancel(sweep.id).state, v1.SWEEP_STATE_CANCELLED)
        self.assertEqual(list(self.ann.watch(sweep.id))[-1].type, "ended")

    def test_a_watch_goes_on_over_restarts_of_the_service(self):
        self.worker("w1", '{"step_ms": 3}')
        sweep = self.ann.create({**SPEC, "num_training": 2000, "early_stop_threshold": "Infinity"})
        seen, enough, over = [], threading.Event(), threading.Event()

        def watch():
            for event in self.ann.watch(sweep.id):
                seen.append(event)
                if len(seen) == 15:
                    enough.set()
                    over.wait(DEADLINE)
        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        self.assertTrue(enough.wait(DEADLINE))
        self.end(self.service, signal.SIGKILL)
        over.set()
        self.start()
        watching.join(DEADLINE)
        self.assertEqual([event.number for event in seen], list(range(1, len(seen) + 1)))
        self.assertEqual(seen[-1].type, "ended")
        self.assertEqual(list(self.ann.watch(sweep.id)), seen)

    def test_refusals_say_what_is_wrong_with_each_field(self):
        wrong = {**SPEC, "batch_size": 0, "method": "best", "data": "../secret.npz"}
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.ann.create, wrong, priority=1000)
        found = {field: (code, description) for field, code, description in client.mistakes(error)}
        self.assertEqual(sorted(found), ["priority", "spec.batch_size", "spec.data", "spec.method"])
        for code, description in found.values():
            self.assertRegex(code, r"^RF\d+$")
            self.assertIn("\n", description)
        self.assertEqual(client.reason(error), "FIELDS")

    def test_what_is_another_s_does_not_exist(self):
        sweep = self.ann.create(SPEC)
        ben = client.Service(self.address, self.folder / "ben")
        self.addCleanup(ben.channel.close)
        self.refused(grpc.StatusCode.NOT_FOUND, ben.get, sweep.id)
        self.assertEqual(list(ben.list()), [])
        rack = client.Service(self.address, self.folder / "rack")
        self.addCleanup(rack.channel.close)
        self.refused(grpc.StatusCode.PERMISSION_DENIED, rack.create, SPEC)
        (self.folder / "ben").write_text("rf_client_nobody_nothing\n")
        self.refused(grpc.StatusCode.UNAUTHENTICATED, ben.get, sweep.id)

    def test_the_program_prints_the_learning_rate_alone(self):
        self.worker("w1")

        def run(*arguments):
            variables = clean(RANGEFINDER_SERVER=self.address, RANGEFINDER_TOKEN_FILE=str(self.folder / "ann"))
            return subprocess.run([sys.executable, HERE / "client.py", *arguments], env=variables,
                                  capture_output=True, text=True, timeout=DEADLINE)
        done = run("num_training=120")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(1e-8 < float(done.stdout) < 1, done.stdout)
        self.assertIn("ended", done.stderr)
        self.assertEqual([sweep.spec.num_training for sweep in map(self.ann.get, self.ids())], [120])
        wrong = run("num_training=1")
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn("spec.num_training: ", wrong.stderr)
        none = run("max_lr=1e-6")
        self.assertEqual((none.returncode, none.stdout), (1, ""))
        self.assertIn("no usable learning rate: ", none.stderr)

    def ids(self):
        return [sweep.id for sweep in self.ann.list()]


if __name__ == "__main__":
    unittest.main()
