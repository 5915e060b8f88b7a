"""Tables of presentation states: modality, VOI, presentation tables, palettes (PS3.3 C.11.1, C.11.2, C.11.4, C.7.9).

In: items of a state's header. Out: tables as they stand, palettes as red, green and blue of 256 levels. What is broken
is noted and left out. All tables together are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from radrelay.dicom.drawings.drawn import Draft, DrawingTooLarge, Table
from radrelay.dicom.header import Header
from radrelay.dicom.lookup import lookup_table, palette
from radrelay.dicom.pixels import BrokenPixels

LEVELS = 256
TABLE_BYTES = 16 << 20
_DESCRIPTOR = 0x00283002


def tables(items: Iterable[Header], draft: Draft, *, signed: bool = False) -> Iterator[Table]:
    """Yield the tables that can be read; `signed`: the first input may be negative though its VR says it is not."""
    for item in items:
        described = item.integers(_DESCRIPTOR)
        try:
            read = lookup_table(item, signed=signed or any(value < 0 for value in described[1:2]))
        except BrokenPixels:
            draft.notes.add("table-unreadable")
            continue
        entries = read.entries.astype("<u2").tobytes()
        draft.table_bytes += len(entries)
        if draft.table_bytes > TABLE_BYTES:
            raise DrawingTooLarge(f"The presentation state has more than {TABLE_BYTES >> 20} MiB of tables.")
        yield Table(read.first, read.bits, entries)


def palette_of(header: Header, draft: Draft) -> bytes:
    """Return a state's palette as red, green and blue of 256 levels, spread evenly over its entries; none if broken."""
    try:
        read = palette(header, signed=False)
    except BrokenPixels:
        draft.notes.add("colours-not-applied")
        return b""
    places = np.rint(np.linspace(0, len(read.entries) - 1, LEVELS)).astype(np.int64)
    return read.rgb8(places + read.first).tobytes()
