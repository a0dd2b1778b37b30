#!/usr/bin/env python3
"""Turns a text into tokens, one a byte, in the file that `coordinator --data tokens.bin` reads: unsigned
numbers of 16 bits, little-endian, one after the other.

usage: tokens.py TEXT TOKENS.bin
"""

import array
import sys
from pathlib import Path

if len(sys.argv) != 3:
    sys.exit(__doc__)
source, target = map(Path, sys.argv[1:])
tokens = array.array("H", list(source.read_bytes()))
if sys.byteorder == "big":
    tokens.byteswap()
target.write_bytes(tokens.tobytes())
print(f"{target}: {len(tokens):,} tokens, {len(set(tokens))} different ones, the largest {max(tokens)}")
