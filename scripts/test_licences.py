"""Tests of scripts/licences.py."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import licences  # noqa: E402


def crate(folder, **files):
    for name, text in files.items():
        path = os.path.join(folder, name.replace("__", os.sep).replace("_", "-"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    return folder


class Texts(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = work.name

    def test_all_texts_of_a_crate_and_of_what_it_bundles_are_taken(self):
        folder = crate(self.work, LICENSE_MIT="mit", UNLICENSE="un", bundled__COPYING="c", LICENSES__one="one",
                       src__lib="code", tests__LICENSE="of a test", README="read")
        self.assertEqual(sorted(licences.texts_in(folder)), ["c", "mit", "one", "un"])

    def test_a_crate_without_a_text_stops_it_by_name(self):
        folder = crate(self.work, README="read")
        with self.assertRaises(SystemExit) as stopped:
            licences.texts_of("bare", folder, {"bare": folder})
        self.assertIn("bare", str(stopped.exception))
        self.assertIn("ELSEWHERE", str(stopped.exception))

    def test_a_text_elsewhere_is_found(self):
        bare = crate(os.path.join(self.work, "a"), README="read")
        other = crate(os.path.join(self.work, "b"), LICENSE="text")
        self.assertEqual(licences.texts_of("tonic-prost", bare, {"tonic-prost": bare, "tonic": other}), ["text"])
        with self.assertRaises(SystemExit):
            licences.texts_of("tonic-prost", bare, {"tonic-prost": bare})

    def test_a_text_stands_once_with_all_that_have_it(self):
        texts = licences.together([("a", ["one  text", "two"]), ("b", ["one\ntext"])])
        self.assertEqual(texts, [("one  text", ["a", "b"]), ("two", ["a"])])


class Document(unittest.TestCase):
    def test_what_is_linked_or_embedded_is_there_and_what_only_builds_or_tests_is_not(self):
        text = licences.document()
        names = {line.split()[0] for line in text.splitlines() if ": " in line and line[:1].islower()}
        for name in ("tokio", "tch", "clap", "tonic-prost", "zstd-sys"):
            self.assertIn(name, names)
        for name in ("insta", "proptest", "syn", "protox", "cc", "serde_derive"):
            self.assertNotIn(name, names)
        self.assertIn("Bitstream", text)
        self.assertIn("Creative Commons Attribution", text)


if __name__ == "__main__":
    unittest.main()
