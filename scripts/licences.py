#!/usr/bin/env python3
"""Writes the licences of what is linked into the two programs, or embedded in them.

    licences.py FILE

What is linked is asked of cargo: the normal dependencies of both programs for this machine, without
procedural macros, which only run when they are built. The texts are those that the crates bring. A
crate without one stops it, unless it is told here where its text stands.
"""

import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = ["rangefinder-coordinator", "rangefinder-worker"]
TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-._].*)?", re.IGNORECASE)

# Crates that bring no text: which crate of the same repository does, or the file with the text of
# their licence where that holds no name of an author.
ELSEWHERE = {
    "tonic-prost": "tonic",
    "torch-sys": "tch",
    "opentelemetry": os.path.join(ROOT, "LICENSE-APACHE"),
    "opentelemetry-otlp": os.path.join(ROOT, "LICENSE-APACHE"),
    "opentelemetry-proto": os.path.join(ROOT, "LICENSE-APACHE"),
    "opentelemetry_sdk": os.path.join(ROOT, "LICENSE-APACHE"),
    "safetensors": os.path.join(ROOT, "LICENSE-APACHE"),
}

# What is embedded beside crates: title, in which program, file with its licence.
EMBEDDED = [
    ("DejaVu Sans, in the pictures of coordinator", "coordinator/report/fonts/LICENSE"),
    ("Handwritten digits, the embedded data of worker", "worker/data/assets/README.md"),
]

HEADER = """\
Rangefinder itself is under MIT or Apache-2.0, at your choice (LICENSE-MIT, LICENSE-APACHE).
This file has the licences of what is linked into its programs `coordinator` and `worker`, or
embedded in them. The Rust standard library, which is linked too, is under MIT or Apache-2.0; its
notices, and the licences of the libraries that stand beside the programs, are in licenses/.
"""


def stop(message):
    sys.exit(f"licences: {message}")


def cargo(*arguments):
    command = [os.environ.get("CARGO", "cargo"), *arguments, "--locked"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        stop(f"{' '.join(command)} failed: {ran.stderr.strip()}")
    return ran.stdout


def linked():
    """Name and version of each crate of others that is linked, sorted."""
    chosen = [word for program in PROGRAMS for word in ("-p", program)]
    tree = cargo("tree", *chosen, "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
    crates = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    return sorted((name, version.removeprefix("v")) for name, version in crates
                  if not name.startswith("rangefinder-"))


def packages():
    """What cargo knows of each crate: by name and version."""
    version = subprocess.run([os.environ.get("RUSTC", "rustc"), "-vV"], capture_output=True, text=True, check=True)
    host = re.search("^host: (.*)$", version.stdout, re.MULTILINE).group(1)
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", host))
    return {(package["name"], package["version"]): package for package in metadata["packages"]}


def texts_in(folder):
    """Texts of licences in the folder of a crate, also of what it bundles."""
    texts = []
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - {"tests", "benches", "examples"})
        within = os.path.relpath(inner, folder).lower().split(os.sep)
        for name in sorted(names):
            is_text = TEXT.fullmatch(name) or {"license", "licenses", "licences"} & set(within)
            if is_text and not name.endswith((".rs", ".py", ".html")):
                texts.append(read(os.path.join(inner, name)))
    return [text for text in texts if text.strip()]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def texts_of(name, folder, folders):
    """Texts of a crate's licences: its own, or those that ELSEWHERE names."""
    own = texts_in(folder)
    if own:
        return own
    other = ELSEWHERE.get(name)
    if other is None:
        stop(f"the crate {name} brings no text of its licence; name one in ELSEWHERE of scripts/licences.py")
    found = [read(other)] if os.path.isabs(other) else texts_in(folders.get(other, os.devnull))
    return found or stop(f"ELSEWHERE names {other} for {name}, which brings no text either")


def together(crates):
    """Each text once, with the crates that have it: [(text, [crate])]."""
    by_words = {}
    for crate, texts in crates:
        for text in texts:
            _, holders = by_words.setdefault(" ".join(text.split()), (text.strip("\n"), []))
            if crate not in holders:
                holders.append(crate)
    return list(by_words.values())


def document():
    known = packages()
    crates = linked()
    folders = [os.path.dirname(known[crate]["manifest_path"]) for crate in crates]
    by_name = {name: folder for (name, _), folder in zip(crates, folders)}
    texts = [(name, texts_of(name, folder, by_name)) for (name, _), folder in zip(crates, folders)]
    lines = [HEADER, "Crates", "======", ""]
    for crate in crates:
        licence = known[crate]["license"] or stop(f"the crate {crate[0]} names no licence")
        lines.append(f"{' '.join(crate)}: {licence}")
    for title, path in EMBEDDED:
        lines += ["", "", title, "=" * len(title), "", read(os.path.join(ROOT, path)).rstrip()]
    title = "Texts of the crates"
    lines += ["", "", title, "=" * len(title)]
    for text, holders in together(texts):
        lines += ["", f"--- {', '.join(holders)} ---", "", text.rstrip()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        text = document()
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")
