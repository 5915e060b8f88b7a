"""How far a code stream of Radrelay's own must have come for each of its resolutions to be complete.

In: HTJ2K as `htj2k.encode_frame` writes it: resolution by resolution (RPCL), a tile-part for each, their lengths in TLM
marker segments (ISO/IEC 15444-1 A.7.1). Out: positions from the stream's first byte.
"""

from __future__ import annotations

from itertools import accumulate

SOC, TLM, SOT = 0xFF4F, 0xFF55, 0xFF90


def resolution_ends(stream: bytes) -> tuple[int, ...]:
    """Return where each resolution ends, the coarsest first; nothing where the stream does not tell."""
    if int.from_bytes(stream[:2], "big") != SOC:
        return ()
    lengths: list[int] = []
    at = 2
    while at + 4 <= len(stream):
        marker = int.from_bytes(stream[at : at + 2], "big")
        if marker == SOT:
            return tuple(accumulate(lengths, initial=at))[1:]
        size = int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == TLM:
            lengths += _tile_parts(stream[at + 4 : at + 2 + size])
        if size < 2:
            return ()
        at += 2 + size
    return ()


def _tile_parts(segment: bytes) -> list[int]:
    """Return the tile-parts' lengths in a TLM segment, given from its Ztlm on."""
    if len(segment) < 2:
        return []
    form = segment[1]
    tile_bytes, length_bytes = form >> 4 & 3, 4 if form & 0x40 else 2
    step = tile_bytes + length_bytes
    return [
        int.from_bytes(segment[at + tile_bytes : at + step], "big") for at in range(2, len(segment) - step + 1, step)
    ]
