"""A Rangefinder worker around your own PyTorch model, data and optimizer.

    coordinator --workers 2 --worker-command "python worker.py module:setup"

README.md says what `setup()` returns, docs/workers.md what a worker must do. This is a worker's side of the protocol;
loop.py trains.
"""
import math, os, queue, random, signal, sys, threading, time
from pathlib import Path

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # The processes of a DataLoader do not speak it.
import grpc
import torch
from loop import Loop, pb, services, sorted_out

HOPELESS = {grpc.StatusCode[name] for name in (
    "UNAUTHENTICATED", "PERMISSION_DENIED", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "UNIMPLEMENTED",
    "ALREADY_EXISTS")}
# Whether a coordinator on this machine has started it, and standard input ends with that.
WATCHED = os.environ.get("RANGEFINDER_WATCH_STDIN") == "1"
CHANNEL = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0),
           ("grpc.max_receive_message_length", -1), ("grpc.keepalive_time_ms", 10_000)]


def end(code, message=""):
    """At once: a trainer that hangs would hold up any other way."""
    if message:
        print(f"worker: {message}", file=sys.stderr, flush=True)
    os._exit(code)


class Lease:
    """What is done and what is not acknowledged under a lease: losses from step `acked` on, then the outcome."""
    def __init__(self, first):
        self.acked, self.kept, self.progress, self.outcome = first, [], 0, None
        self.go_back()

    def go_back(self):
        self.sent, self.outcome_sent, self.resend_at = 0, False, math.inf


class Session:
    def __init__(self, entry, env=os.environ):
        self.entry, self.env, self.device = entry, env, env.get("RANGEFINDER_DEVICE", "auto")
        if self.device == "auto":
            self.device = "cuda:0" if torch.cuda.is_available() else "cpu"
        self.changed, self.jobs, self.leases, self.ended = threading.Condition(), queue.Queue(), {}, set()
        self.busy, self.loop, self.over = None, None, False
        self.heard, self.leave_at, self.stuck_at = time.monotonic(), math.inf, math.inf
        self.pace, self.life = 1.0, 0.0  # Seconds between heartbeats, and for which a lease lives; from Welcome.
        self.credential = env.get("RANGEFINDER_TOKEN") or Path(env["RANGEFINDER_TOKEN_FILE"]).read_text().strip()
        self.address, self.incarnation = env["RANGEFINDER_COORDINATOR"], random.SystemRandom().getrandbits(64)

    def train(self):
        """The trainer's thread: one job at a time."""
        while True:
            token, kind, order = self.jobs.get()
            with self.changed:
                lease, self.busy = self.leases.get(token), token
            try:
                outcome = self.work(lease, kind, order) if lease and not lease.outcome else None
            except (Exception, SystemExit) as error:
                failure = sorted_out(error, getattr(self.loop, "batch_size", order.trainer.batch_size), loading=False)
                outcome = ("failed", failure.proto)
            with self.changed:
                self.busy, self.stuck_at = None, math.inf
                if lease and not lease.outcome:
                    lease.outcome = outcome
                self.changed.notify_all()

    def work(self, lease, kind, order):
        if self.loop is None or self.loop.spec != order.trainer:
            self.loop = None
            self.loop = Loop(order.trainer, self.entry)
        if kind != "assign":
            return ("described", self.loop.describe()) if kind == "describe" else (
                "probed", self.loop.probe(order.steps, self.device))
        self.loop.start(order.replica, order.warm_up_start, order.end, self.device)
        for step, lr in enumerate(order.learning_rates, order.warm_up_start):
            if lease.outcome or self.leases.get(order.lease_token) is not lease:
                return None  # Stopped: nobody waits for the end.
            loss, samples = self.loop.loss(step)
            if loss is None:
                return "finished", pb.Finished(reason=pb.FINISH_REASON_DATA_EXHAUSTED, end=step)
            value = loss.item()
            if math.isfinite(value):
                self.loop.update(loss, lr)
            with self.changed:
                lease.kept.append(pb.Observation(step=step, learning_rate=lr, loss=value, samples=samples))
                lease.progress += 1
            if not math.isfinite(value):
                return "finished", pb.Finished(reason=pb.FINISH_REASON_NON_FINITE, end=step + 1)
        return "finished", pb.Finished(reason=pb.FINISH_REASON_COMPLETED, end=order.end)

    def held(self):
        return [pb.HeldLease(lease_token=token, progress=lease.progress, done=lease.outcome is not None)
                for token, lease in self.leases.items() if not lease.outcome or lease.outcome[0] != "hand_back"]

    def outgoing(self, hello):
        """All that is sent on one connection, drawn by gRPC's own thread."""
        mine = self.connection
        self.beat_at = time.monotonic()
        yield pb.ConnectRequest(hello=hello)
        while mine is self.connection and not self.over:
            with self.changed:
                message = self.next_message(time.monotonic())
                if message is None:
                    self.changed.wait(0.02)
            if message is not None:
                yield pb.ConnectRequest(**{message[0]: message[1]})
        if self.over:  # The coordinator may take a moment to read the last words.
            threading.Timer(0.5, self.call.cancel).start()

    def next_message(self, now):
        silence = max(3 * self.pace, self.life / 2) if self.welcomed else 10
        if now > max(self.heard, self.dialled) + silence:
            self.call.cancel()
        self.check_time(now)
        if not self.welcomed or self.over:
            return None
        if now >= self.beat_at:
            self.beat_at = now + self.pace * random.uniform(0.8, 1)
            return "heartbeat", pb.Heartbeat(leases=self.held(), leaving=self.leave_at < math.inf)
        for token, lease in self.leases.items():
            if now >= lease.resend_at:
                lease.go_back()
            if batch := lease.kept[lease.sent:lease.sent + 1000]:
                lease.sent, lease.resend_at = lease.sent + len(batch), min(lease.resend_at, now + 2 * self.pace)
                return "observations", pb.Observations(lease_token=token, observations=batch)
            if lease.outcome and not lease.outcome_sent:
                lease.outcome_sent, lease.resend_at = True, min(lease.resend_at, now + 2 * self.pace)
                kind, message = lease.outcome
                message.lease_token = token
                if kind == "hand_back":  # Not acknowledged.
                    del self.leases[token]
                return kind, message

    def check_time(self, now):
        if now > self.stuck_at:
            end(1, "a step that was to stop did not come back for 30 s: start the process again")
        if now > self.leave_at:
            self.hand_back(list(self.leases.values()), "the worker had to leave before the task was done")
        self.over = self.over or self.leave_at < math.inf and (not self.leases or now > self.leave_at + 2)

    def hand_back(self, leases, reason):
        for lease in leases:
            if not lease.outcome:
                lease.kept, lease.outcome = [], ("hand_back", pb.HandBack(reason=reason))
                lease.go_back()

    def leave(self, *_):
        """Finish the task at hand in time, hand back the rest; a signal or Drain."""
        with self.changed:
            self.leave_at = min(self.leave_at, time.monotonic() + float(self.env.get("RANGEFINDER_DRAIN_SECONDS", 60)))
            self.beat_at = 0  # The coordinator hears of it at once.
            self.hand_back([one for token, one in self.leases.items() if token != self.busy], "the worker is leaving")

    def forget(self, token):
        self.leases.pop(token, None)
        self.ended.add(token)
        if token == self.busy:
            self.stuck_at = min(self.stuck_at, time.monotonic() + 30)

    def on(self, response):
        kind = response.WhichOneof("message")
        message = getattr(response, kind or "welcome")
        with self.changed:
            self.heard = time.monotonic()
            if kind == "welcome" and not self.welcomed:
                self.pace, self.life = max(0.01, message.heartbeat_interval_ms / 1e3), message.lease_ms / 1e3
                self.welcomed, self.ended = True, set()
                for lease in self.leases.values():
                    lease.go_back()
            elif not self.welcomed or kind is None:
                return
            elif kind in ("describe", "probe", "assign"):
                token = message.lease_token
                if token not in self.leases and token not in self.ended:
                    self.leases[token] = Lease(message.warm_up_start if kind == "assign" else 0)
                    if self.leave_at < math.inf:
                        self.hand_back([self.leases[token]], "the worker is leaving")
                    self.jobs.put((token, kind, message))
            elif kind == "ack" and message.lease_token in self.leases:
                lease = self.leases[message.lease_token]
                accepted = min(max(0, message.next_step - lease.acked), len(lease.kept))
                if accepted:
                    del lease.kept[:accepted]
                    lease.acked, lease.sent = lease.acked + accepted, max(0, lease.sent - accepted)
                    in_flight = lease.sent or lease.outcome_sent
                    lease.resend_at = self.heard + 2 * self.pace if in_flight else math.inf
                if message.finished:
                    self.forget(message.lease_token)
            elif kind == "stop":
                self.forget(message.lease_token)
            elif kind == "desired":
                for token in set(self.leases) - set(message.lease_tokens):
                    self.forget(token)
            elif kind == "drain":
                self.leave()
            self.changed.notify_all()

    def channel(self):
        """A connection; certificates are read anew for each."""
        scheme, _, address = self.address.rpartition("://")
        if scheme != "https":
            return grpc.insecure_channel(address, CHANNEL)
        files = [self.env.get(f"RANGEFINDER_{name}_FILE") for name in ("CA", "KEY", "CERT")]
        certificates = [open(file, "rb").read() if file else None for file in files]
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(*certificates), CHANNEL)

    def run(self):
        """Connects, again and again, until told to leave. Returns the exit code and the last words."""
        threading.Thread(target=self.train, daemon=True).start()
        address, pause, cause = self.address, 0.05, "the stream was closed"
        while True:
            with self.changed:
                self.connection, self.welcomed, self.dialled = object(), False, time.monotonic()
                hello = pb.Hello(
                    worker_id=self.env.get("RANGEFINDER_WORKER_ID") or f"{os.uname().nodename}-{os.getpid()}",
                    incarnation=self.incarnation, protocol_version=1, device=self.device, leases=self.held(),
                    leaving=self.leave_at < math.inf,
                    versions={"torch": torch.__version__, "python": sys.version.split()[0]})
            with self.channel() as channel:
                self.call = services.WorkerServiceStub(channel).Connect(
                    self.outgoing(hello), metadata=[("authorization", f"Bearer {self.credential}")])
                try:
                    for response in self.call:
                        self.on(response)
                        pause = 0.05 if self.welcomed else pause
                except grpc.RpcError as error:
                    cause = f"{error.code().name}: {error.details()}"
                    if error.code() in HOPELESS or "REPLACED" in str(error.trailing_metadata()):
                        return 1, f"the coordinator at {address} refused this worker: {cause}"
            with self.changed:
                now, self.connection = time.monotonic(), None
                self.check_time(now)
                silence = now - self.heard
                if self.over or now > self.leave_at:
                    return 0, ""
                patience = self.env.get("RANGEFINDER_RECONNECT_SECONDS", "60" if WATCHED else "forever")
                patience = math.inf if patience == "forever" else float(patience)
                if silence > max(patience, self.life if self.leases else 0):
                    return 1, f"no coordinator answered at {address} for {silence:.0f} s: {cause}"
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, 2)


def main():
    try:
        session = Session(sys.argv[1] if len(sys.argv) > 1 else "")
    except (KeyError, OSError) as error:
        end(2, f"the environment does not say how to join ({error}): see docs/workers.md")
    signal.signal(signal.SIGTERM, session.leave)
    signal.signal(signal.SIGINT, session.leave)
    if WATCHED:  # Not by sys.stdin: a DataLoader's processes need its lock.
        threading.Thread(target=lambda: (open(0, "rb", 0).readall(), end(0)), daemon=True).start()
    end(*session.run())


if __name__ == "__main__":
    main()
