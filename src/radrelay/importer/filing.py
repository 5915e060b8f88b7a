"""What was decided is filed: each object under the local patient, those that are here already left out.

In: a raw parcel, and a person's decision. Out: landed objects, and for each what became of it, by which it can be taken
back and is known again. An object is read once; of what stands before its pixel data alone more is held than a piece.
The same bytes come out however often it is begun anew, so that nothing comes twice.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from radrelay.dicom.encapsulate import ENCAPSULATED_PDF, PDF_HEAD, NotADocument, StudyContext
from radrelay.dicom.errors import Malformed, NotWritable
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.errors import Invalid, TooLarge
from radrelay.importer.arrived import Person
from radrelay.importer.duplicates import DIFFERS, Decision, PatientKey, decide
from radrelay.importer.findings import NOT_READABLE, NOT_WRITABLE
from radrelay.importer.gathering import MOST_WHOLE, Readable
from radrelay.importer.import_errors import FileChanged
from radrelay.importer.models import ImportObject
from radrelay.importer.papers import document_around, kind_of, paper_files
from radrelay.importer.raw_parcel import PIECE, StoredFile
from radrelay.importer.reconciling import Wanted, front_length, reconcile
from radrelay.importer.surroundings import Known
from radrelay.importer.written_down import arrived_of
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import ArchiveRefused
from radrelay.intake.file_kinds import PREFIX_BYTES
from radrelay.intake.landing import Landing
from radrelay.intake.object_writer import FileFacts, Fragment, Landed, ObjectWriter

WINDOWS = (256 << 10, 4 << 20, 64 << 20, MOST_WHOLE)
TO_QUARANTINE = frozenset({"other-pixels", "other-encoding", "other-content", DIFFERS})
"""Why an object lands beside the one of its UID that is here, or has just landed: the archive keeps it aside, for a
person to release."""
NO_IMAGE, UNUSABLE = "no-image", "unusable"
"""Why a paper stays with the parcel: no image of its study says whose it is; nothing can be made of it."""
LARGEST_PAPER, LARGEST_PICTURE = 512 << 20, 64 << 20
"""A picture is held whole, and once more unpacked; a document passes piece by piece."""
READY_BYTES = 32 << 20
"""So much of what was tried before filing is kept until then; the rest is written twice."""
Made = tuple[bytes, str]
"""What of an object is reconciled, and its transfer syntax."""


def decided(rows: Sequence[ImportObject], known: Known, patient: PatientKey) -> dict[str, Decision]:
    """Return what is done with each object of somebody who is `patient` here, by its file in the parcel."""
    found = decide((arrived_of(row) for row in rows), known.objects, known.patients, patient)
    return {one.arrived.file: one for one in found}


@dataclass(frozen=True, slots=True)
class Under:
    """Under whom something is filed: the reconciliation, who gave it, and when it was begun."""

    wanted: Wanted
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PaperOutcome:
    """What became of a paper: why it was not filed, or the SHA-256 of what it became, by UID; "" of what was here."""

    why: str = ""
    written: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Filer:
    """Files the objects of one person; for one thread. `outcomes` are the columns of each object's row, by its id."""

    landing: Landing
    origin: Origin
    under: Under
    is_here: Callable[[str], bool]  # whether a paper of this UID came by another way
    outcomes: dict[Any, dict[str, Any]] = field(default_factory=dict)
    landed: dict[str, str] = field(default_factory=dict)  # SHA-256 by SOP Instance UID
    records: dict[uuid.UUID, str] = field(default_factory=dict)  # SOP Instance UID by landing record
    beside: dict[uuid.UUID, tuple[str, str]] = field(default_factory=dict)  # UID and SHA-256 of what is set aside
    contexts: dict[str, StudyContext] = field(default_factory=dict)  # by study
    _ready: dict[str, Made] = field(default_factory=dict)  # by file: written anew already
    _ready_bytes: int = 0
    _writer: ObjectWriter | None = None

    def flaw_of(self, row: ImportObject, stored: StoredFile) -> str:
        """Return why an object cannot be filed under the patient, nothing where it can; nothing lands.

        Raises `FileChanged` where the file begins as another one by now; it is read to its end when it is filed.
        """
        try:
            with stored.open() as opened:
                made = self._reconciled(row, front_of(opened, stored.size))
        except NotWritable:
            return _flaw(row, stored, NOT_WRITABLE)
        except (Malformed, ArchiveRefused):
            return _flaw(row, stored, NOT_READABLE)
        if self._ready_bytes + len(made[0]) <= READY_BYTES:
            self._ready[row.file_name] = made
            self._ready_bytes += len(made[0])
        return ""

    def file(self, row: ImportObject, stored: StoredFile) -> None:
        """File an object; raises `FileChanged` where the file is another one by now."""
        try:
            with stored.open() as opened:
                landed = self._write(row, opened, stored.size)
        except NotWritable:
            self.outcomes[row.id] = {"action": "quarantine", "why": _flaw(row, stored, NOT_WRITABLE)}
            return
        except (Malformed, ArchiveRefused):
            self.outcomes[row.id] = {"action": "quarantine", "why": _flaw(row, stored, NOT_READABLE)}
            return
        if row.action == "quarantine":
            self.beside[landed.location.record_id] = row.sop_uid, landed.sha256.hex()
            return
        self._note_landed(row.sop_uid, landed)
        self.outcomes[row.id] = {"written": landed.sha256.hex()}

    def look_at(self, row: ImportObject, stored: StoredFile) -> None:
        """Learn from an object that is here already what papers of its study are to say; raises `FileChanged`."""
        try:
            with stored.open() as opened:
                front = front_of(opened, stored.size)
                after, ts = self._reconciled(row, front)
                passing = Passing.of(front)
                while piece := opened.read(PIECE):
                    passing.update(piece)
                passing.require(row)
        except (NotWritable, Malformed, ArchiveRefused):
            return
        self._learn(parse(after, ts))

    def paper(self, name: str, stored: StoredFile, study_uid: str, digest: str = "") -> PaperOutcome:
        """File a document or picture that came beside a study; what is here, or came twice, is not filed again.

        `digest` is of the one that was checked; raises `FileChanged` where the file is another one by now.
        """
        context = self.contexts.get(study_uid)
        if context is None:
            return PaperOutcome(NO_IMAGE)
        if stored.size > LARGEST_PAPER:
            return PaperOutcome(UNUSABLE)
        try:
            with stored.open() as opened:
                kind = kind_of(name, opened.read(PREFIX_BYTES))
            if kind == "document":
                return PaperOutcome("", self._document(name, stored, context, digest))
            if stored.size > LARGEST_PICTURE:
                return PaperOutcome(UNUSABLE)
            with stored.open() as opened:
                whole = opened.read()
            _require_checked(name, digest, hashlib.sha256(whole).hexdigest())
            made = paper_files(name, whole, context)
        except (NotADocument, TooLarge, Invalid, Malformed, ArchiveRefused):
            return PaperOutcome(UNUSABLE)
        written = {}
        for content in made:
            head = parse_preamble(content[: WINDOWS[0]])
            pieces = [memoryview(content)[head.dataset_offset :]]
            named = head.sop_class_uid, head.sop_uid, head.transfer_syntax_uid
            written[head.sop_uid] = self._land_paper(name, named, pieces)
        return PaperOutcome("", written)

    def _document(self, name: str, stored: StoredFile, context: StudyContext, checked: str) -> dict[str, str]:
        """File a PDF piece by piece, which is read twice: what it is told by stands before it."""
        digest = hashlib.sha256()
        with stored.open() as opened:
            head = opened.read(PDF_HEAD)
            digest.update(head)
            while piece := opened.read(PIECE):
                digest.update(piece)
        _require_checked(name, checked, digest.hexdigest())
        around = document_around(name, head, stored.size, digest.hexdigest(), context)
        named = ENCAPSULATED_PDF, around.sop_uid, EXPLICIT_LE
        pieces = chain([around.before], stored.open_pieces(), [around.after])
        return {around.sop_uid: self._land_paper(name, named, pieces)}

    def _land_paper(self, name: str, named: tuple[str, str, str], pieces: Iterable[Fragment]) -> str:
        """Land what a paper became (`named`: class, UID, transfer syntax); returns its SHA-256, "" if it is here."""
        sop_class, sop_uid, ts = named
        if sop_uid in self.landed or self.is_here(sop_uid):
            return ""
        writer = self._begin(sop_class, sop_uid, ts)
        for piece in pieces:
            writer.write(piece)
            writer.raise_failure()
        landed = writer.finish(FileFacts(name), wait=False)
        self._note_landed(sop_uid, landed)
        return landed.sha256.hex()

    def _reconciled(self, row: ImportObject, front: Front) -> Made:
        """Return an object's front under the patient, and its transfer syntax; raises `FileChanged`."""
        header = parse(front.before, front.ts)
        is_it = (header.text(0x00080018)[:64], header.text(0x0020000D)[:64]) == (row.sop_uid, row.study_uid)
        if not is_it or Person.of(header) != arrived_of(row).person:
            raise FileChanged(file=row.file_name)
        made = reconcile(front.before, front.ts, self.under.wanted, self.under.source, self.under.at)
        return made or (front.before, front.ts)

    def _write(self, row: ImportObject, opened: Readable, size: int) -> Landed:
        """Write an object anew and land it."""
        front = front_of(opened, size)
        ready = self._ready.pop(row.file_name) if row.file_name in self._ready else None
        after, ts = ready or self._reconciled(row, front)
        header = parse(after, ts)
        sop_class, sop_uid = header.text(0x00080016), header.text(0x00080018)
        writer = self._begin(sop_class, sop_uid, ts)
        writer.write(after)
        writer.write(front.read_ahead)
        passing = Passing.of(front)
        while piece := opened.read(PIECE):
            passing.update(piece)
            writer.write(piece)
            writer.raise_failure()
        passing.require(row)
        landed = writer.finish(wait=False)
        self._learn(header)
        return landed

    def _learn(self, header: Header) -> None:
        self.contexts.setdefault(header.text(0x0020000D), StudyContext.from_header(header))

    def _note_landed(self, sop_uid: str, landed: Landed) -> None:
        self.landed[sop_uid] = landed.sha256.hex()
        self.records[landed.location.record_id] = sop_uid

    def _begin(self, sop_class: str, sop_uid: str, ts: str) -> ObjectWriter:
        if self._writer is None:
            self._writer = ObjectWriter(self.landing, self.origin)
        self._writer.begin(sop_class, sop_uid, ts)
        return self._writer

    def close(self) -> None:
        """Forget what was begun and not finished."""
        if self._writer is not None:
            self._writer.abort()


@dataclass(frozen=True, slots=True)
class Front:
    """What of an object is reconciled, and what was read beyond it."""

    before: bytes
    read_ahead: bytes
    ts: str


@dataclass(frozen=True, slots=True)
class Passing:
    """Tells of what passes by whether it is the very object that was checked: a path may mean another file by now."""

    _digest: hashlib._Hash

    @classmethod
    def of(cls, front: Front) -> Passing:
        """Begin with what was read first."""
        digest = hashlib.sha256(front.before)
        digest.update(front.read_ahead)
        return cls(digest)

    def update(self, piece: bytes) -> None:
        """Take what comes next."""
        self._digest.update(piece)

    def require(self, row: ImportObject) -> None:
        """Raise `FileChanged` where all that has passed is not what was checked."""
        _require_checked(row.file_name, row.digest, self._digest.hexdigest())


def _flaw(row: ImportObject, stored: StoredFile, why: str) -> str:
    """Return why an object cannot be filed; raises `FileChanged` where that is not the object that was checked."""
    try:
        with stored.open() as opened:
            data = opened.read(WINDOWS[0])
            passing = Passing(hashlib.sha256(data[parse_preamble(data).dataset_offset :]))
            while piece := opened.read(PIECE):
                passing.update(piece)
    except Malformed as error:  # it was an object
        raise FileChanged(file=row.file_name) from error
    except ArchiveRefused:  # nobody can tell any more
        return why
    passing.require(row)
    return why


def _require_checked(name: str, checked: str, digest: str) -> None:
    if checked and checked != digest:
        raise FileChanged(file=name)


def front_of(opened: Readable, size: int) -> Front:
    """Return so much of an object as its reconciliation needs; raises `Malformed` where that is too much."""
    data = opened.read(WINDOWS[0])
    head = parse_preamble(data)
    total, ts = size - head.dataset_offset, head.transfer_syntax_uid
    data = data[head.dataset_offset :]
    for window in WINDOWS:
        if len(data) < total and len(data) < window:
            data += opened.read(window - len(data))
        whole = len(data) >= total
        end = front_length(_header(data, ts, whole=whole))
        if end is not None:
            return Front(data[:end], data[end:], ts)
        if whole:
            return Front(data, b"", ts)
    raise Malformed("The object's header is larger than what is written anew.")


def _header(data: bytes, ts: str, *, whole: bool) -> Header:
    return parse(data, ts, truncated_ok=not whole)


def sources_text(host: str, people: Collection[Person]) -> str:
    """Return who gave the objects: the portal's host, and the issuers of the IDs that they bore."""
    issuers = sorted({one.issuer for one in people if one.issuer})
    return ", ".join([one for one in (host, *issuers) if one])[:64] or "media"
