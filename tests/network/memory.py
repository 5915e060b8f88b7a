"""An archive in memory that fulfils all ports of the listener, and pydicom's data sets as bytes."""

from __future__ import annotations

import fnmatch
import io
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from radrelay.errors import Forbidden, Invalid, RadrelayError
from radrelay.network.ports import (
    CALLING_AE_UNKNOWN,
    STORED,
    Element,
    Node,
    Peer,
    Query,
    Reference,
    Rejection,
    StoreOutcome,
)

PATIENT_ID, PATIENT_NAME, STUDY_UID, SERIES_UID, SOP_UID = 0x00100020, 0x00100010, 0x0020000D, 0x0020000E, 0x00080018
UNIQUE = {"PATIENT": PATIENT_ID, "STUDY": STUDY_UID, "SERIES": SERIES_UID, "IMAGE": SOP_UID}


def encoded(dataset: Dataset, transfer_syntax: str) -> bytes:
    """Return a data set's bytes without file meta information."""
    syntax = UID(transfer_syntax)
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    write_dataset(out, dataset)
    return out.getvalue()


def decoded(data: bytes, transfer_syntax: str) -> Dataset:
    syntax = UID(transfer_syntax)
    return read_dataset(io.BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)


@dataclass
class Stored:
    sop_class_uid: str
    sop_uid: str
    transfer_syntax: str
    data: bytes

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        if self.transfer_syntax in accepted:
            return self.transfer_syntax, self.pieces(self.data)
        native = [uid for uid in accepted if uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")]
        if not native or not UID(self.transfer_syntax).is_little_endian or UID(self.transfer_syntax).is_compressed:
            raise Invalid("cannot be transcoded")
        return native[0], self.pieces(encoded(decoded(self.data, self.transfer_syntax), native[0]))

    @staticmethod
    def pieces(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), 50_000):
            yield data[start : start + 50_000]


@dataclass
class MemoryArchive:
    objects: dict[str, Stored] = field(default_factory=dict)
    rows: list[dict[int, tuple[str, str]]] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    refused_callers: set[str] = field(default_factory=set)
    queries: list[Query] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    aborted: int = 0
    fail_with: Exception | None = None
    outcome: StoreOutcome = STORED
    closed_iterators: int = 0
    hold: threading.Event | None = None
    promised: dict[UUID, str] = field(default_factory=dict)
    unreported_keys: list[UUID] = field(default_factory=list)
    refuse_commitment: Exception | None = None
    commit_after_s: float = 0.0
    shut: Exception | None = None

    def admit(self, peer: Peer) -> Rejection | None:
        self.peers.append(peer)
        return CALLING_AE_UNKNOWN if peer.calling_ae in self.refused_callers else None

    def open_writer(self, peer: Peer) -> MemoryWriter:
        return MemoryWriter(self)

    def find(self, peer: Peer, query: Query) -> Iterator[Sequence[Element]]:
        self.queries.append(query)
        if peer.calling_ae == "STRANGER":
            raise Forbidden
        try:
            for row in self.rows:
                if all(self._matches(row, key.tag, key.text) for key in query.keys):
                    yield [(tag, vr, text) for tag, (vr, text) in row.items()]
        finally:
            self.closed_iterators += 1

    @staticmethod
    def _matches(row: dict[int, tuple[str, str]], tag: int, text: str) -> bool:
        return not text or any(fnmatch.fnmatch(row.get(tag, ("", ""))[1], value) for value in text.split("\\"))

    def retrieve(self, peer: Peer, query: Query, destination: str = "") -> Sequence[Stored]:
        self.queries.append(query)
        wanted = query.values(UNIQUE[query.level])
        found = []
        for stored in self.objects.values():
            header = decoded(stored.data, stored.transfer_syntax)
            if str(header[UNIQUE[query.level]].value) in wanted:
                found.append(stored)
        return found

    def require_retrieval(self, peer: Peer) -> None:
        if self.shut is not None:
            raise self.shut

    def move_destination(self, peer: Peer, ae_title: str) -> Node | None:
        return self.nodes.get(ae_title)

    def committed(self, peer: Peer, references: Sequence[Reference]) -> Collection[str]:
        time.sleep(self.commit_after_s)
        return [one.sop_uid for one in references if one.sop_uid in self.objects]

    def remember(self, peer: Peer, transaction_uid: str, references: Sequence[Reference]) -> UUID:
        if self.refuse_commitment:
            raise self.refuse_commitment
        key = uuid4()
        self.promised[key] = transaction_uid
        return key

    def reported(self, key: UUID) -> None:
        del self.promised[key]

    def unreported(self, key: UUID) -> None:
        self.unreported_keys.append(key)


class MemoryWriter:
    def __init__(self, archive: MemoryArchive) -> None:
        self._archive = archive
        self._ids = ("", "", "")
        self._data = bytearray()

    def begin(self, sop_class_uid: str, sop_uid: str, transfer_syntax: str) -> None:
        self._ids = (sop_class_uid, sop_uid, transfer_syntax)
        self._data = bytearray()

    def write(self, fragment: memoryview) -> None:
        if self._archive.fail_with:
            raise self._archive.fail_with
        if self._archive.hold:
            self._archive.hold.wait(10)
        self._data += fragment

    def finish(self) -> StoreOutcome:
        if self._archive.outcome.status == 0:
            self._archive.objects[self._ids[1]] = Stored(*self._ids, bytes(self._data))
        return self._archive.outcome

    def abort(self) -> None:
        self._archive.aborted += 1


def load(archive: MemoryArchive, path: str) -> Stored:
    """Put a Part-10 file into the archive."""
    dataset = dcmread(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    with open(path, "rb") as file:
        raw = file.read()
    start = 132 + 12 + int(dataset.file_meta.FileMetaInformationGroupLength)
    stored = Stored(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), syntax, raw[start:])
    archive.objects[stored.sop_uid] = stored
    return stored


__all__ = ["MemoryArchive", "MemoryWriter", "RadrelayError", "Stored", "decoded", "encoded", "load"]
