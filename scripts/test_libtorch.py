"""Tests of scripts/libtorch.py: nothing is fetched."""

import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtorch.py")


def run(**environment):
    # -I -S: an installed PyTorch of the machine must not decide the outcome.
    return subprocess.run([sys.executable, "-I", "-S", SCRIPT], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment})


def make(folder, version):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "build-version"), "w") as file:
        file.write(version)


class Libtorch(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def test_given_folder_of_the_right_version_is_used(self):
        make(self.folder, "2.11.0+cu130\n")
        self.assertEqual(run(LIBTORCH=self.folder).stdout.strip(), self.folder)

    def test_given_folder_of_another_version_is_refused_with_both_versions(self):
        make(self.folder, "2.4.1")
        done = run(LIBTORCH=self.folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("2.4.1", done.stderr)
        self.assertIn("2.11.0", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_given_folder_without_libtorch_is_refused(self):
        done = run(LIBTORCH=self.folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("build-version", done.stderr)

    def test_cached_libtorch_is_used_without_a_download(self):
        cached = os.path.join(self.folder, "libtorch-2.11.0-cpu")
        make(cached, "2.11.0")
        self.assertEqual(run(RANGEFINDER_CACHE=self.folder).stdout.strip(), cached)

    def test_cache_that_cannot_be_made_is_a_clear_error(self):
        blocked = os.path.join(self.folder, "file")
        make(self.folder, "")
        with open(blocked, "w"):
            pass
        done = run(RANGEFINDER_CACHE=os.path.join(blocked, "cache"))
        self.assertIn("RANGEFINDER_CACHE", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
