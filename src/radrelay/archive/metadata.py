"""Ready-made series metadata: DICOM JSON of every instance without bulk data (PS3.18 10.4.1.1.2, Annex F).

Packed instances have theirs in the pack, compressed as one gzip member; what still lies in landing records is made
from its header, once; what is corrected and not written anew yet, from its header as it will be. Bulk data is named by
an address that begins with `BULK_BASE`, which a face replaces by its own.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from radrelay.archive.corrected import NotYetCorrected
from radrelay.archive.instances import InstanceRef, PackPlace
from radrelay.archive.layout import TableOfContents
from radrelay.archive.reader import InstanceReader, entry_of
from radrelay.archive.recent import Recent
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.errors import NotFound
from radrelay.storage.packs import PackRef, PackStore

BULK_BASE = "/dicom-web"
CACHE_BYTES = 48 << 20
MADE_BYTES = 16 << 20
TRAILING_PADDING = "FFFCFFFC"  # fills a file up behind the pixel data and says nothing

_encode = msgspec.json.Encoder().encode


def instance_json(ref: InstanceRef, data_set: bytes) -> bytes:
    """Return the DICOM JSON object of one instance; one with its UIDs alone if the header cannot be read."""
    try:
        return header_json(ref, parse(data_set, ref.transfer_syntax_uid))
    except Malformed:
        return header_json(ref, None)


def header_json(ref: InstanceRef, header: Header | None) -> bytes:
    """Return the DICOM JSON object of one instance from its header, if there is one."""
    base = f"{BULK_BASE}/studies/{ref.study_uid}/series/{ref.series_uid}/instances/{ref.sop_uid}/bulkdata/"
    found = header.to_json(lambda path: base + path) if header is not None else {}
    found.pop(TRAILING_PADDING, None)
    found.setdefault("00080016", {"vr": "UI", "Value": [ref.sop_class_uid]})
    found.setdefault("00080018", {"vr": "UI", "Value": [ref.sop_uid]})
    found["00083002"] = {"vr": "UI", "Value": [ref.transfer_syntax_uid]}  # available transfer syntax
    return _encode(dict(sorted(found.items())))


class MetadataReader:
    """Gives the metadata of many instances at once. Thread-safe; keeps what was given last, within limits."""

    def __init__(self, reader: InstanceReader, packs: PackStore) -> None:
        self._reader = reader
        self._packs = packs
        self._plain: Recent[PackRef, bytes] = Recent(CACHE_BYTES, len)
        self._made: Recent[uuid.UUID, bytes] = Recent(MADE_BYTES, len)

    def array(self, refs: Sequence[InstanceRef]) -> bytes:
        """Return a JSON array with an object for each of `refs`, in their order."""
        return b"[" + b",".join(self._runs(refs)) + b"]"

    def pieces(self, refs: Sequence[InstanceRef]) -> Iterator[bytes]:
        """Yield the same array in pieces, a pack or an instance at a time: a study's may be large."""
        before = b"["
        for run in self._runs(refs):
            yield before + run
            before = b","
        yield b"]" if before == b"," else b"[]"

    def one(self, ref: InstanceRef) -> bytes:
        """Return the JSON object of one instance."""
        return next(iter(self._runs([ref])))

    def _runs(self, refs: Sequence[InstanceRef]) -> Iterator[bytes]:
        for place, run in _by_pack(refs):
            if place is None:
                yield from map(self._landed, run)
                continue
            try:
                table, plain = self._reader.table(place), self._unpacked(place)
            except NotFound:  # rewritten just now: wherever they lie
                yield from map(self._landed, run)
                continue
            if _whole(table, run):
                yield plain
            else:
                yield from (_piece(table, plain, ref) for ref in run)

    def _landed(self, ref: InstanceRef) -> bytes:
        made = self._made.get(ref.id) if not ref.lacks else None
        if made is None:
            try:
                made = header_json(ref, self._reader.header(ref))
            except (Malformed, NotYetCorrected):
                made = header_json(ref, None)
            if not ref.lacks:
                self._made.put(ref.id, made)
        return made

    def _unpacked(self, place: PackRef) -> bytes:
        plain = self._plain.get(place)
        if plain is None:
            table = self._reader.table(place)
            squeezed = self._packs.read(place, table.metadata_start, table.metadata_length)
            plain = zlib.decompress(squeezed, 31, table.metadata_plain or 1)
            self._plain.put(place, plain)
        return plain


def _by_pack(refs: Sequence[InstanceRef]) -> Iterator[tuple[PackRef | None, list[InstanceRef]]]:
    for place, run in groupby(
        refs, key=lambda r: r.place.ref if isinstance(r.place, PackPlace) and not r.lacks else None
    ):
        yield place, list(run)


def _whole(table: TableOfContents, run: Sequence[InstanceRef]) -> bool:
    return len(table.entries) == len(run) and all(
        entry.instance_id == ref.id.bytes for entry, ref in zip(table.entries, run, strict=True)
    )


def _piece(table: TableOfContents, plain: bytes, ref: InstanceRef) -> bytes:
    entry = entry_of(table, ref)
    return plain[entry.metadata_start : entry.metadata_start + entry.metadata_length]
