"""The units of deploy/systemd, by systemd's own checks. Skipped where systemd-analyze is missing."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNITS = os.path.join(ROOT, "deploy", "systemd")
ANALYZE = shutil.which("systemd-analyze")
# Exposure as `systemd-analyze security` counts it, in tenths: 0 best, 100 worst. A worker needs
# devices and memory that it writes and then executes.
MOST_EXPOSED = {"rangefinder-coordinator.service": 20, "rangefinder-worker@0.service": 30}


def analyze(*arguments):
    return subprocess.run(
        [ANALYZE, *arguments], capture_output=True, text=True, env={**os.environ, "SYSTEMD_PAGER": "cat"}
    )


@unittest.skipUnless(ANALYZE, "systemd-analyze is not installed: the units of deploy/systemd are not checked")
class Units(unittest.TestCase):
    def setUp(self):
        # The programs need not be installed to be named.
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        program = shutil.which("true")
        for name in os.listdir(UNITS):
            if name.endswith(".service"):
                with open(os.path.join(UNITS, name)) as file:
                    text = re.sub(r"/usr/local/bin/\w+", program, file.read())
                with open(os.path.join(self.folder, name), "w") as file:
                    file.write(text)
        shutil.copytree(
            os.path.join(UNITS, "rangefinder-coordinator.service.d"),
            os.path.join(self.folder, "rangefinder-coordinator.service.d"),
        )
        os.symlink("rangefinder-worker@.service", os.path.join(self.folder, "rangefinder-worker@0.service"))

    def test_systemd_understands_every_line(self):
        for unit in MOST_EXPOSED:
            done = analyze("verify", "--man=no", "--recursive-errors=no", os.path.join(self.folder, unit))
            ours = [line for line in done.stderr.splitlines() if "rangefinder" in line]
            self.assertEqual((done.returncode, ours), (0, []), done.stderr)

    def test_the_units_are_confined(self):
        for unit, most in MOST_EXPOSED.items():
            done = analyze(
                "security", "--offline=true", "--no-pager", f"--threshold={most}", os.path.join(self.folder, unit)
            )
            if "--offline" in done.stderr or "unrecognized" in done.stderr:
                self.skipTest("this systemd-analyze cannot judge units that are not loaded")
            self.assertEqual(done.returncode, 0, done.stdout[-600:] + done.stderr)


if __name__ == "__main__":
    unittest.main()
