"""The value of one attribute as bulk data (PS3.18 10.4.1.1.5): `TAG`, or `TAG/item/TAG` within sequences."""

from __future__ import annotations

import re

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.dicom.header import Header, parse
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.transcode import inflate
from radrelay.errors import NotFound
from radrelay.web.dicomweb.negotiation import OCTETS

TAG = re.compile(r"[0-9A-Fa-f]{8}")
MEDIA_BY_TAG = {0x00420011: "application/pdf"}  # an encapsulated document; its own MIME type is looked up first


class BulkDataNotFound(NotFound):
    """The instance has no such bulk data."""

    code = "bulk-data-not-found"


def bulk_value(reader: InstanceReader, ref: InstanceRef, path: str) -> tuple[bytes, str]:
    """Return the bytes of the value that `path` names, and their media type."""
    syntax = syntax_of(ref.transfer_syntax_uid)
    data = reader.data_set(ref)
    header = parse(inflate(data) if syntax.deflated else data, ref.transfer_syntax_uid)
    *steps, last = path.split("/")
    found: Header = header
    for tag_text, index_text in zip(steps[::2], steps[1::2], strict=False):
        items = found.items(_tag(tag_text))
        if not index_text.isdigit() or int(index_text) >= len(items):
            raise BulkDataNotFound
        found = items[int(index_text)]
    tag = _tag(last)
    if len(steps) % 2 or tag not in found:
        raise BulkDataNotFound
    media = found.text(0x00420012) if tag == 0x00420011 else ""
    return found.raw(tag), media or MEDIA_BY_TAG.get(tag, OCTETS)


def _tag(text: str) -> int:
    if not TAG.fullmatch(text):
        raise BulkDataNotFound
    return int(text, 16)
