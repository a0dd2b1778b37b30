"""How scripts/gpu-check judges curves, without a GPU."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import unittest

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpu-check")


def load():
    loader = importlib.machinery.SourceFileLoader("gpu_check", PATH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_check", loader))
    writes = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.check = load()

    def test_curves_are_compared_up_to_the_minimum_alone(self):
        falling = [3.0 - 0.1 * step for step in range(20)]
        cpu, gpu = falling + [50.0, 90.0], falling + [70.0, 10.0]
        self.assertEqual(self.check.furthest(cpu, gpu), 0.0)
        gpu[7] *= 1.01
        self.assertAlmostEqual(self.check.furthest(cpu, gpu), 1 - 1 / 1.01)

    def test_a_curve_that_is_no_number_is_apart(self):
        self.assertFalse(self.check.furthest([1.0, 0.5], [1.0, float("nan")]) <= self.check.APART)

    def test_a_step_is_what_more_steps_take_longer(self):
        self.assertAlmostEqual(self.check.steady(lambda steps: 1.5 + 0.002 * steps, 200, 2200), 2.0)

    def test_a_machine_without_a_gpu_is_told_so(self):
        nobody = os.path.join(os.path.dirname(PATH), "no-such-python")
        done = subprocess.run([sys.executable, PATH, "--python", nobody], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^gpu-check: ")
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
