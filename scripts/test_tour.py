"""The tour of the README, run as it stands there: the service, two workers, a sweep.

Needs the programs that `cargo test` builds; skipped, visibly, where they are not there. The tour's port
is exchanged for a free one, and its home for an empty folder.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TITLE = "## A service, in two terminals"
PORT = "4750"
DEADLINE_S = 120


def built(*names):
    """The first of these programs that has been built, newest profile first."""
    for name in names:
        for profile in ("debug", "release"):
            path = os.path.join(ROOT, "target", profile, name)
            if os.access(path, os.X_OK):
                return path
    return None


def terminals():
    """The tour's blocks of commands: the service, the workers, the client."""
    with open(os.path.join(ROOT, "README.md")) as file:
        _, _, after = file.read().partition(TITLE + "\n")
    section = after.split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


COORDINATOR = built("coordinator")
WORKER = built("worker", "mock-worker")


@unittest.skipUnless(COORDINATOR and WORKER, "coordinator and worker are not built: the tour is not run")
class Tour(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name
        programs = os.path.join(self.home, "programs")
        os.mkdir(programs)
        os.symlink(COORDINATOR, os.path.join(programs, "coordinator"))
        os.symlink(WORKER, os.path.join(programs, "worker"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RANGEFINDER_", "OTEL_"))}
        self.env = {**kept, "HOME": self.home, "PATH": f"{programs}:{os.environ['PATH']}"}
        self.port = free_port()

    def terminal(self, commands, name):
        """A shell with the commands of a block, its output in a file of that name."""
        text = commands.replace(PORT, self.port)
        if name == "service":
            # The one place where the port is not written.
            text = text.replace("coordinator serve", f"coordinator serve --listen 127.0.0.1:{self.port}")
        log = open(os.path.join(self.home, name), "w+")
        self.addCleanup(log.close)
        shell = subprocess.Popen(
            ["sh", "-euc", text + "\nwait"],
            cwd=self.home,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if name == "client" else log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.end, shell)
        return shell

    def end(self, shell):
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()

    def said(self, name):
        with open(os.path.join(self.home, name)) as file:
            return file.read()

    def wait_for(self, name, text, shell):
        limit = time.monotonic() + DEADLINE_S
        while text not in self.said(name):
            self.assertIsNone(shell.poll(), self.said(name))
            self.assertLess(time.monotonic(), limit, self.said(name))
            time.sleep(0.05)

    def test_each_command_does_what_the_readme_says(self):
        blocks = terminals()
        self.assertEqual(len(blocks), 3, "the tour has a block for each terminal")
        service = self.terminal(blocks[0], "service")
        self.wait_for("service", "listening on", service)
        workers = self.terminal(blocks[1], "workers")
        # `workers` of the tour shows who has joined: that is waited for, as a person would.
        probe = blocks[2].split("coordinator workers")[0].replace(PORT, self.port)
        limit = time.monotonic() + DEADLINE_S
        while True:
            shown = subprocess.run(
                ["sh", "-euc", probe + "coordinator workers --json"], env=self.env, capture_output=True, text=True
            )
            if shown.stdout.count('"state":"idle"') == 2:
                break
            self.assertLess(time.monotonic(), limit, shown.stdout + shown.stderr + self.said("workers"))
            self.assertIsNone(workers.poll(), self.said("workers"))
        client = self.terminal(blocks[2], "client")
        stdout, _ = client.communicate(timeout=DEADLINE_S)
        # 3: a curve without a usable learning rate, as the mock's may be.
        self.assertEqual(client.returncode, 0, stdout + self.said("client") + self.said("service"))
        self.assertRegex(stdout, r"(?m)^\d\.\d+(e-\d+)?$")
        self.assertRegex(stdout, "(?m)^.*completed.*$")


if __name__ == "__main__":
    unittest.main()
