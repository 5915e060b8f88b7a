"""Ready-made series metadata: DICOM JSON of every instance without bulk data (PS3.18 10.4.1.1.2, Annex F).

Packed instances have theirs in the pack, compressed as one gzip member; what still lies in landing records is read
from its head. Bulk data is named by an address that begins with `BULK_BASE`, which a face may replace by its own.
"""

from __future__ import annotations

import gzip
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from radrelay.archive.instances import InstanceRef, PackPlace
from radrelay.archive.layout import TableOfContents
from radrelay.archive.reader import InstanceReader
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.storage.packs import PackRef, PackStore

BULK_BASE = "/dicom-web"
CACHE_BYTES = 48 << 20

_encode = msgspec.json.Encoder().encode
_OPEN = gzip.compress(b"[", 1, mtime=0)
_COMMA = gzip.compress(b",", 1, mtime=0)
_CLOSE = gzip.compress(b"]", 1, mtime=0)


def instance_json(ref: InstanceRef, head: bytes) -> bytes:
    """Return the DICOM JSON object of one instance; one with its UIDs alone if the header cannot be read."""
    base = f"{BULK_BASE}/studies/{ref.study_uid}/series/{ref.series_uid}/instances/{ref.sop_uid}/bulkdata/"
    try:
        found = parse(head, ref.transfer_syntax_uid).to_json(lambda path: base + path)
    except Malformed:
        found = {}
    found.setdefault("00080016", {"vr": "UI", "Value": [ref.sop_class_uid]})
    found.setdefault("00080018", {"vr": "UI", "Value": [ref.sop_uid]})
    found["00083002"] = {"vr": "UI", "Value": [ref.transfer_syntax_uid]}  # available transfer syntax
    return _encode(dict(sorted(found.items())))


class MetadataReader:
    """Gives the metadata of many instances at once. Thread-safe; keeps a few packs' metadata unpacked."""

    def __init__(self, reader: InstanceReader, packs: PackStore) -> None:
        self._reader = reader
        self._packs = packs
        self._plain: OrderedDict[PackRef, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def array(self, refs: Sequence[InstanceRef]) -> bytes:
        """Return a JSON array with an object for each of `refs`, in their order."""
        return b"[" + b",".join(self._runs(refs)) + b"]"

    def gzipped_array(self, refs: Sequence[InstanceRef]) -> bytes | None:
        """Return the same compressed, without unpacking anything; none unless `refs` are whole packs in order."""
        members: list[bytes] = []
        for place, run in _by_pack(refs):
            if place is None:
                return None
            table = self._reader.table(place)
            if not _whole(table, run):
                return None
            members += [_COMMA] * bool(members)
            members.append(self._packs.read(place, table.metadata_start, table.metadata_length))
        return b"".join([_OPEN, *members, _CLOSE]) if members else None

    def one(self, ref: InstanceRef) -> bytes:
        """Return the JSON object of one instance."""
        return next(iter(self._runs([ref])))

    def _runs(self, refs: Sequence[InstanceRef]) -> Iterator[bytes]:
        for place, run in _by_pack(refs):
            if place is None:
                yield from (instance_json(ref, self._reader.head(ref)) for ref in run)
                continue
            table, plain = self._reader.table(place), self._unpacked(place)
            if _whole(table, run):
                yield plain
            else:
                yield from (_piece(table, plain, ref) for ref in run)

    def _unpacked(self, place: PackRef) -> bytes:
        with self._lock:
            found = self._plain.get(place)
            if found is not None:
                self._plain.move_to_end(place)
                return found
        table = self._reader.table(place)
        plain = zlib.decompress(
            self._packs.read(place, table.metadata_start, table.metadata_length), 31, table.metadata_plain or 1
        )
        with self._lock:
            self._plain[place] = plain
            while sum(map(len, self._plain.values())) > CACHE_BYTES and len(self._plain) > 1:
                self._plain.popitem(last=False)
        return plain


def _by_pack(refs: Sequence[InstanceRef]) -> Iterator[tuple[PackRef | None, list[InstanceRef]]]:
    for place, run in groupby(refs, key=lambda r: r.place.ref if isinstance(r.place, PackPlace) else None):
        yield place, list(run)


def _whole(table: TableOfContents, run: Sequence[InstanceRef]) -> bool:
    return len(table.entries) == len(run) and all(
        entry.instance_id == ref.id.bytes for entry, ref in zip(table.entries, run, strict=True)
    )


def _piece(table: TableOfContents, plain: bytes, ref: InstanceRef) -> bytes:
    place = ref.place
    entry = table.entries[place.entry if isinstance(place, PackPlace) else 0]
    return plain[entry.metadata_start : entry.metadata_start + entry.metadata_length]
