"""The value of one attribute as bulk data (PS3.18 10.4.1.1.5): `TAG`, or `TAG/item/TAG` within sequences.

Pixel data is given frame by frame in its codec's media type where the client takes that, else decoded as one value;
other values are given as they stand, numbers in little endian order.
"""

from __future__ import annotations

import re

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.dicom.header import Header, parse
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.walk import inflate
from radrelay.errors import NotFound, TooLarge
from radrelay.web.dicomweb.negotiation import OCTETS

TAG = re.compile(r"[0-9A-Fa-f]{8}")
PIXEL_TAGS = ("7FE00008", "7FE00009", "7FE00010")
DOCUMENT, MEDIA_TYPE = 0x00420011, 0x00420012
DOCUMENTS = frozenset({"application/pdf", "text/xml", "model/stl", "model/obj", "model/mtl"})
LARGEST = 512 << 20


class BulkDataNotFound(NotFound):
    """The instance has no such bulk data."""

    code = "bulk-data-not-found"


def is_pixel_data(path: str) -> bool:
    """Say whether a path names the pixel data of the instance itself."""
    return path.upper() in PIXEL_TAGS


def bulk_value(reader: InstanceReader, ref: InstanceRef, path: str) -> tuple[bytes, str]:
    """Return the bytes of the value that `path` names, and their media type; not for pixel data.

    Raises `BulkDataNotFound`, or `TooLarge` for a value that would have to be found in too large an object.
    """
    *steps, last = path.split("/")
    if len(steps) % 2 or not all(map(TAG.fullmatch, (*steps[::2], last))):
        raise BulkDataNotFound
    found = _inner(reader.header(ref), steps)
    if found is None or int(last, 16) not in found:
        found = _inner(_whole(reader, ref), steps)  # behind the pixel data, or beyond a long header's limit
    if found is None or int(last, 16) not in found:
        raise BulkDataNotFound
    tag = int(last, 16)
    media = found.text(MEDIA_TYPE).strip().lower() if tag == DOCUMENT else ""
    return found.raw(tag), media if media in DOCUMENTS else OCTETS


def _inner(header: Header, steps: list[str]) -> Header | None:
    for tag_text, index_text in zip(steps[::2], steps[1::2], strict=True):
        items = header.items(int(tag_text, 16))
        if not (index_text.isascii() and index_text.isdigit()) or int(index_text) >= len(items):
            return None
        header = items[int(index_text)]
    return header


def _whole(reader: InstanceReader, ref: InstanceRef) -> Header:
    if ref.size > LARGEST:
        raise TooLarge("this object is too large for its bulk data to be given apart; retrieve the instance")
    data = reader.data_set(ref)
    plain = inflate(data, LARGEST) if syntax_of(ref.transfer_syntax_uid).deflated else data
    return parse(plain, ref.transfer_syntax_uid if plain is data else "1.2.840.10008.1.2.1")
