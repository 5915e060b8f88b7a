"""Time of the walk before the acknowledgement and of the header parser, against pydicom, on one CT header.

`python benchmarks/walk.py` prints medians over interleaved rounds; run it on an otherwise idle machine.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from radrelay.dicom import phantoms
from radrelay.dicom.header import parse
from radrelay.dicom.index import index_attributes
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.syntaxes import EXPLICIT_LE, IMPLICIT_LE
from radrelay.dicom.walk import survey

ROUNDS = 15


def main() -> None:
    """Print one table."""
    file = next(iter(phantoms.study("ct-head", slices=1)))
    original = dcmread(io.BytesIO(file))
    for count in range(40):  # what a device's own private block adds
        original.add_new(
            0x00190010 if not count else 0x00191000 + count, "LO", "PHANTOM 1.0" if not count else f"value {count}"
        )
    print(f"{'':44}{'explicit µs':>14}{'implicit µs':>14}")
    columns = [timed(cases(encoded(original, uid), uid)) for uid in (EXPLICIT_LE, IMPLICIT_LE)]
    for name, explicit_us in columns[0].items():
        print(f"{name:44}{explicit_us:14.1f}{columns[1][name]:14.1f}")
    print(f"{len(original)} elements, medians of {ROUNDS} interleaved rounds")


def encoded(dataset: object, uid: str) -> bytes:
    """Return the data set in Explicit or Implicit VR Little Endian."""
    target = DicomBytesIO()
    target.is_little_endian = True
    target.is_implicit_VR = uid == IMPLICIT_LE
    write_dataset(target, dataset)  # type: ignore[arg-type]
    return target.getvalue()


def cases(data: bytes, uid: str) -> dict[str, Callable[[], object]]:
    """Return what is compared, by name."""
    buffer = bytearray(data)
    found = survey(buffer, len(buffer), uid)
    head = bytes(buffer[: found.head_length])
    file = file_meta(found.sop_class_uid, found.sop_uid, uid) + data
    return {
        "survey": lambda: survey(buffer, len(buffer), uid),
        "parse": lambda: parse(head, uid),
        "parse + index attributes": lambda: index_attributes(parse(head, uid), uid),
        "parse + DICOM JSON": lambda: parse(head, uid).to_json(str),
        "pydicom dcmread(stop_before_pixels)": lambda: dcmread(io.BytesIO(file), stop_before_pixels=True),
        "pydicom dcmread + DICOM JSON": lambda: dcmread(io.BytesIO(file), stop_before_pixels=True).to_json_dict(),
    }


def timed(functions: dict[str, Callable[[], object]], number: int = 100) -> dict[str, float]:
    """Return microseconds a call: medians over rounds in which all take turns."""
    rounds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            start = time.perf_counter()
            for _ in range(number):
                function()
            rounds[name].append((time.perf_counter() - start) / number * 1e6)
    return {name: statistics.median(values) for name, values in rounds.items()}


if __name__ == "__main__":
    main()
