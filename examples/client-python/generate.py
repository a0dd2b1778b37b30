"""Makes the Python modules of the API from proto/ in this repository, in the folder `build` beside this file.

usage: python3 generate.py
"""
import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
BUILD = HERE / "build"
FILES = [f"rangefinder/v1/{name}.proto" for name in ("sweep", "sweep_service", "artifact_service")]


def generate(build=BUILD):
    build.mkdir(parents=True, exist_ok=True)
    known = Path(grpc_tools.__file__).parent / "_proto"  # google/protobuf
    failed = protoc.main(["protoc", f"-I{PROTO}", f"-I{known}", f"--python_out={build}", f"--pyi_out={build}",
                          f"--grpc_python_out={build}", *FILES])
    if failed:
        sys.exit("generate: the definitions cannot be compiled (see above)")


if __name__ == "__main__":
    generate()
