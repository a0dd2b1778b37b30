"""Makes digits.npz from the copy of the data set in scikit-learn's wheel.

    pip download --no-deps scikit-learn
    python make_digits.py scikit_learn-*.whl

Needs numpy. The content does not depend on the version of scikit-learn.
"""

import gzip
import io
import sys
import zipfile
from pathlib import Path

import numpy

MEMBER = "sklearn/datasets/data/digits.csv.gz"


def array_bytes(array):
    buffer = io.BytesIO()
    numpy.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def main(wheel):
    with zipfile.ZipFile(wheel) as archive:
        rows = numpy.loadtxt(io.BytesIO(gzip.decompress(archive.read(MEMBER))), delimiter=",")
    assert rows.shape == (1797, 65)
    grey, labels = rows[:, :64], rows[:, 64]
    assert grey.min() == 0 and grey.max() == 16 and set(labels) == set(range(10))
    arrays = {
        "inputs": grey.astype(numpy.uint8).reshape(1797, 1, 8, 8),
        "targets": labels.astype(numpy.uint8),
    }
    # As numpy.savez_compressed, at the highest level and with the same date in every run.
    path = Path(__file__).with_name("digits.npz")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, array_bytes(array))


if __name__ == "__main__":
    main(sys.argv[1])
