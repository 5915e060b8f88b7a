"""Masks unpacked from their runs, the plain way, to compare with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def numbers(data: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            found.append(value)
            value = shift = 0
    assert shift == 0
    return found


def unpacked_bits(data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
    lengths = numbers(data)
    return np.repeat(np.arange(len(lengths)) % 2, lengths).astype(np.uint8).reshape(shape)


def unpacked_values(data: bytes, shape: tuple[int, int]) -> NDArray[np.int64]:
    pairs = np.array(numbers(data)).reshape(-1, 2)
    return np.repeat(pairs[:, 0], pairs[:, 1]).reshape(shape)


def parts(body: bytes) -> dict[int, bytes]:
    """Return the runs of each frame of an answer."""
    count = int.from_bytes(body[:4], "little")
    table = np.frombuffer(body[4 : 4 + 8 * count], "<u4").reshape(-1, 2)
    found, at = {}, 4 + 8 * count
    for number, length in table.tolist():
        found[number] = body[at : at + length]
        at += length
    assert at == len(body)
    return found
