"""A C-FIND client that costs little itself (PS3.4 C.4.1), on the sender's connection."""

from __future__ import annotations

import struct
import time

from benchmarks.sender import Connection

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
RETURNED = (
    0x00080020, 0x00080030, 0x00080050, 0x00080061, 0x00081030, 0x00100010, 0x00100020, 0x00100030, 0x0020000D,
    0x00201208,
)  # fmt: skip


class Finder:
    """One association that asks for studies."""

    def __init__(self, host: str, port: int, called_ae: str) -> None:
        self._connection = Connection(host, port, called_ae, [(STUDY_ROOT_FIND, IMPLICIT_LITTLE)])
        self._number = 0

    def timed(self, keys: dict[int, str]) -> tuple[float, int]:
        """Return seconds and matches of one question; raises `RuntimeError` on a failure status."""
        self._number += 1
        identifier = _identifier({0x00080052: "STUDY", **dict.fromkeys(RETURNED, ""), **keys})
        began = time.perf_counter()
        self._connection.ask(STUDY_ROOT_FIND, IMPLICIT_LITTLE, self._number, identifier)
        matches = 0
        while True:
            status, _ = self._connection.response()
            if status not in (0xFF00, 0xFF01):
                break
            matches += 1
        if status:
            raise RuntimeError(f"C-FIND ended with status {status:04X}")
        return time.perf_counter() - began, matches

    def release(self) -> None:
        self._connection.release()


def _identifier(keys: dict[int, str]) -> bytes:
    found = b""
    for tag, text in sorted(keys.items()):
        value = text.encode("ascii")
        value += (b"\0" if tag == 0x0020000D else b" ") * (len(value) & 1)
        found += struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
    return found
