"""A header as text for people, one element a line."""

from __future__ import annotations

from collections.abc import Iterator

from radrelay.dicom.dictionary import keyword_of
from radrelay.dicom.header import Header

LINE_LIMIT = 256
_BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", ""})


def header_lines(header: Header, indent: str = "") -> Iterator[str]:
    """Yield a header's elements as text: tag, VR, keyword, value; items of sequences are indented."""
    for tag in header:
        vr = header.vr(tag)
        line = f"{indent}({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr} {keyword_of(tag)}"
        if vr == "SQ":
            yield line
            for item in header.items(tag):
                yield f"{indent}  item"
                yield from header_lines(item, indent + "    ")
            continue
        yield f"{line}: {_value_text(header, tag)}"


def _value_text(header: Header, tag: int) -> str:
    if header.vr(tag) in _BULK_VRS:
        place = header.place(tag)
        return f"{place[2] if place else 0} bytes"
    text = "\\".join(header.texts(tag))
    return text if len(text) <= LINE_LIMIT else f"{text[:LINE_LIMIT]}… ({len(text)} characters)"
