"""Studies as a medium whose length is known before it is sent: IHE PDI with the metadata of IHE XDM, in a ZIP.

Nothing is compressed, so the same objects are the same bytes each time, and a transfer that broke off goes on where it
was (RFC 9110 14): of what stands before only checksums are wanted, which are kept for a while. In: objects, in order.
Out: a size, a strong tag of all content, any part of the bytes. The headers alone are read before the first byte is
sent; memory stays at a few objects. Reports that objects encapsulate (PDF) stand beside the metadata as files, for
those who read no DICOM.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from radrelay.archive.export import index_page, parsed, part10, readme
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.archive.recent import Recent
from radrelay.archive.xdm_metadata import Document, Person, metadata
from radrelay.archive.zip_stream import END_BYTES, LISTED_BYTES, LOCAL_BYTES, ZipStream, ahead
from radrelay.dicom.encapsulate import ENCAPSULATED_PDF, document_in
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import file_meta
from radrelay.errors import Conflict

DOCUMENT_TITLE = 0x00420010
LARGEST_REPORT = 128 << 20
READ_WHOLE = 16 << 20  # larger files are read twice: for their checksum, and for their content
BESIDE = 4
"""DICOMDIR, METADATA.XML, README.TXT and INDEX.HTM."""
SUBSET = "IHE_XDM/SUBSET01"
CHECKSUMS_KEPT_BYTES = 8 << 20
_checksums: Recent[tuple[str, str], int] = Recent(CHECKSUMS_KEPT_BYTES, lambda crc: 200)


class MediumChanged(Conflict):
    """What was being handed out has changed meanwhile; ask for it anew."""

    code = "medium-changed"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a medium."""

    name: str
    size: int
    content: Callable[[], Iterable[bytes]]


class Medium:
    """Files, the moment that they are dated with, and a tag that changes with any of their bytes."""

    def __init__(self, parts: Sequence[Part], made_at: datetime, tag: str) -> None:
        self.parts, self.made_at, self.tag = tuple(parts), made_at, tag
        self.size = sum(map(_length, self.parts)) + sum(map(_listed, self.parts)) + END_BYTES

    def stream(self, executor: Executor, start: int = 0, end: int | None = None) -> Iterator[bytes | memoryview]:
        """Yield the bytes from `start` on up to `end`; raises `MediumChanged` and what reading raises."""
        at, last = 0, self.size if end is None else end
        for piece in self._pieces(executor, start):
            length = piece if isinstance(piece, int) else len(piece)
            if not isinstance(piece, int) and at + length > start:
                yield memoryview(piece)[max(0, start - at) : last - at]
            at += length
            if at >= last:
                return

    def _pieces(self, executor: Executor, start: int) -> Iterator[bytes | int]:
        """Yield pieces; of files that end before `start` only how long they are."""
        archive = ZipStream(self.made_at, deflate=False)
        before = list(self._before(start))
        passed = [archive.add_stored(part.name, part.size, 0)[0] for part in before]
        yield sum(map(_length, before))
        for part, (crc, whole) in ahead(executor, self.parts[len(before) :], self._read):
            yield archive.add_stored(part.name, part.size, crc)[1]
            yield from (whole,) if whole is not None else _exactly(part)
        for member, (_, crc) in zip(passed, ahead(executor, before, self._checksum), strict=True):
            member.crc = crc
        yield archive.finish()

    def _before(self, start: int) -> Iterator[Part]:
        at = 0
        for part in self.parts:
            at += _length(part)
            if at > start:
                return
            yield part

    def _read(self, part: Part) -> tuple[int, bytes | None]:
        """Return a file's checksum, and its content unless it is large."""
        if part.size > READ_WHOLE:
            return self._checksum(part), None
        whole = b"".join(_exactly(part))
        crc = zlib.crc32(whole)
        _checksums.put((self.tag, part.name), crc)
        return crc, whole

    def _checksum(self, part: Part) -> int:
        found = _checksums.get((self.tag, part.name))
        if found is None:
            found = 0
            for piece in _exactly(part):
                found = zlib.crc32(piece, found)
            _checksums.put((self.tag, part.name), found)
        return found


def _length(part: Part) -> int:
    return LOCAL_BYTES + len(part.name.encode()) + part.size


def _listed(part: Part) -> int:
    return LISTED_BYTES + len(part.name.encode())


def _exactly(part: Part) -> Iterator[bytes]:
    """Yield a file's content; raises `MediumChanged` if it has another length by now."""
    left = part.size
    for piece in part.content():
        left -= len(piece)
        if left < 0:
            raise MediumChanged
        yield piece
    if left:
        raise MediumChanged


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of an object before it is sent; `mark` changes with its content."""

    header: Header | None
    size: int
    mark: bytes


def medium_of(reader: InstanceReader, refs: Iterable[InstanceRef], executor: Executor, made_at: datetime) -> Medium:
    """Return the medium of some objects, dated `made_at`; objects that are deleted meanwhile are left out."""
    making = _Making(reader, made_at)
    for ref, seen in ahead(executor, refs, making.look):
        if seen is not None:
            making.add(ref, seen)
    return making.medium()


class _Making:
    """A medium being made."""

    def __init__(self, reader: InstanceReader, made_at: datetime) -> None:
        self._reader, self._made_at = reader, made_at
        self._files, self._parts = FileSet(), dict[str, Part]()
        self._reports: list[Part] = []
        self._documents: list[Document] = []
        self._people: dict[Person, None] = {}
        self._digest = hashlib.sha256(made_at.isoformat().encode())
        self._unread = 0

    def look(self, ref: InstanceRef) -> _Seen | None:
        """Read an object's head; none if it is deleted."""
        try:
            head, (size, _), mark = self._reader.head(ref), self._reader.measured(ref), self._reader.mark(ref)
        except InstanceGone:
            return None
        return _Seen(parsed(head, ref), size, mark)

    def add(self, ref: InstanceRef, seen: _Seen) -> None:
        """Give an object its place."""
        if seen.header is None:
            self._unread += 1
            path, person = f"DICOM/UNREAD/U{self._unread:07d}", None
        else:
            uids = {"sop_class_uid": ref.sop_class_uid, "sop_uid": ref.sop_uid}
            path = "/".join(self._files.add(seen.header, ref.transfer_syntax_uid, **uids))
            person = _person(seen.header)
            self._people[person] = None
        if path in self._parts:
            return
        meta = file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid)
        self._parts[path] = Part(path, len(meta) + seen.size, partial(part10, self._reader, ref))
        self._digest.update(seen.mark)
        if is_report(ref):
            self._add_report(ref, person)

    def _add_report(self, ref: InstanceRef, person: Person | None) -> None:
        header = parse(self._reader.data_set(ref), ref.transfer_syntax_uid)
        content, pdf = partial(_report, self._reader, ref), document_in(header)
        name = f"REPORT{len(self._reports) + 1:02d}.PDF"
        self._reports.append(Part(f"{SUBSET}/{name}", len(pdf), content))
        title = header.text(DOCUMENT_TITLE) or "Report"
        self._documents.append(self._document(name, "application/pdf", title, pdf, ref.sop_uid, person))

    def _document(
        self, path: str, media_type: str, title: str, content: bytes, sop_uid: str, person: Person | None
    ) -> Document:
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()  # which the metadata are made of (ITI TF-3)
        return Document(path, media_type, title, len(content), sha1, sop_uid, person)

    def medium(self) -> Medium:
        """Return it, with what tells of its content."""
        count, only = len(self._parts), next(iter(self._people)) if len(self._people) == 1 else None
        directory = self._files.dicomdir()
        listed = self._document("../../DICOMDIR", "application/dicom", "DICOMDIR", directory, "", only)
        beside = {
            "DICOMDIR": directory,
            f"{SUBSET}/METADATA.XML": metadata([*self._documents, listed], self._made_at, self._digest.hexdigest()),
            "README.TXT": readme(count, self._made_at),
            "INDEX.HTM": index_page(count, (), self._made_at, [one.name for one in self._reports]),
        }
        made = [_made(name, content) for name, content in beside.items()]
        for content in beside.values():
            self._digest.update(content)
        return Medium([*self._parts.values(), *self._reports, *made], self._made_at, self._digest.hexdigest())


def is_report(ref: InstanceRef) -> bool:
    """Say whether an object's document stands on a medium as a file, too."""
    return ref.sop_class_uid == ENCAPSULATED_PDF and ref.size <= LARGEST_REPORT


def _made(name: str, content: bytes) -> Part:
    return Part(name, len(content), lambda: (content,))


def _report(reader: InstanceReader, ref: InstanceRef) -> tuple[bytes]:
    """Return the document that an object encapsulates."""
    return (document_in(parse(reader.data_set(ref), ref.transfer_syntax_uid)),)


def _person(header: Header) -> Person:
    return Person(
        header.person_name(0x00100010), header.text(0x00100020), header.text(0x00100021), header.date(0x00100030),
        header.text(0x00100040),
    )  # fmt: skip
