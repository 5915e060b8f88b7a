"""Stored studies as de-identified copies: what leaves the house, or stays under an alias alone.

In: objects of a study and a project. Out: `Copy` after `Copy`, a few in memory at a time, and at the end a report that
says of each attribute what became of it, and of each object that could not be made safe why it was kept back. What
turns results back is in the vault before the first byte of an object is handed on.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.clock import Clock
from radrelay.dicom.deidentify import (
    Alias,
    Deidentified,
    Project,
    Reason,
    Refused,
    StudyReport,
    deidentify,
    subject_of,
)
from radrelay.dicom.elements import Buffer, DataElements
from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import inflate, transcode
from radrelay.errors import RadrelayError
from radrelay.pseudonyms import held
from radrelay.pseudonyms.projects import engine_project
from radrelay.pseudonyms.reports import Purpose, begin_handout, end_handout
from radrelay.pseudonyms.sealing import VaultSeal
from radrelay.pseudonyms.vault import OF_PATIENT, OF_STUDY, StoredVault
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

LARGEST = 512 << 20
TOGETHER = 16  # objects between two writings of the vault
TOGETHER_BYTES = 32 << 20
STUDY, COLUMNS, ROWS = 0x0020000D, 0x00280011, 0x00280010


@dataclass(frozen=True, slots=True)
class Copy:
    """An object de-identified, of a stored one; `pieces` is its data set."""

    instance_id: uuid.UUID
    sop_class_uid: str
    sop_uid: str
    transfer_syntax_uid: str
    pieces: tuple[Buffer, ...]

    @property
    def data_set(self) -> bytes:
        """Return the data set in one piece."""
        return b"".join(self.pieces)

    @property
    def file(self) -> bytes:
        """Return a DICOM file with preamble and file meta information."""
        meta = file_meta(self.sop_class_uid, self.sop_uid, self.transfer_syntax_uid)
        return b"".join((meta, *self.pieces))


@dataclass(frozen=True, slots=True)
class Handout:
    """A study on its way out by a project; made by `CopySource.begin`."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    study_id: uuid.UUID
    project_id: uuid.UUID
    project: Project = field(repr=False)


class CopySource(Protocol):
    """Gives stored objects as de-identified copies: to exports, deliveries and rules."""

    def begin(
        self, organisation_id: uuid.UUID, project_id: uuid.UUID, study_id: uuid.UUID, purpose: Purpose, by: str
    ) -> Handout:
        """Note that a study is handed out; raises `ProjectUnknown`, `ProjectDisabled`."""
        ...

    def copies(self, handout: Handout, refs: Sequence[InstanceRef]) -> Iterator[Copy]:
        """Yield the objects that can be made safe; what is kept back, and the report, are noted."""
        ...


class Deidentifier:
    """Makes copies of what is stored; thread-safe."""

    def __init__(self, database: Database, clock: Clock, reader: InstanceReader, seal: VaultSeal) -> None:
        self._database = database
        self._clock = clock
        self._reader = reader
        self._seal = seal

    def begin(
        self, organisation_id: uuid.UUID, project_id: uuid.UUID, study_id: uuid.UUID, purpose: Purpose, by: str
    ) -> Handout:
        """Note that a study is handed out; raises `ProjectUnknown`, `ProjectDisabled`."""
        with self._database.write() as session:
            project = engine_project(session, self._seal, organisation_id, project_id)
            row_id = begin_handout(session, organisation_id, project_id, study_id, purpose, by, self._clock.now())
        return Handout(row_id, organisation_id, study_id, project_id, project)

    def copies(self, handout: Handout, refs: Sequence[InstanceRef]) -> Iterator[Copy]:
        """Yield the objects that can be made safe; what is kept back, and the report, are noted."""
        vault = StoredVault(self._database, self._clock, self._seal, handout.organisation_id)
        with self._database.read() as session:
            passed = held.released(session, handout.project_id, [ref.id for ref in refs])
        run = _Run(handout, vault, StudyReport())
        try:
            for group in _groups(refs):
                made = [one for one in (self._made(run, ref, passed.get(ref.id)) for ref in group) if one is not None]
                run.remember()
                yield from made
            run.whole = True
        finally:
            self._end(run)

    def _made(self, run: _Run, ref: InstanceRef, cover: tuple[held.Rectangle, ...] | None) -> Copy | None:
        if ref.size > LARGEST:
            return run.kept_back(ref, [Reason.TOO_LARGE])
        try:
            data_set = self._reader.data_set(ref)
        except InstanceGone:
            return run.kept_back(ref, [Reason.GONE])
        found = header_of(data_set, ref.transfer_syntax_uid)
        if found is None:
            return run.kept_back(ref, [Reason.UNREADABLE])
        project = run.handout.project
        if cover is not None:
            size = [(found.integers(tag) or [0])[0] for tag in (COLUMNS, ROWS)]
            project = held.passing(project, cover, size[0], size[1])
        alias = run.alias(found)
        made = deidentify(data_set, ref.transfer_syntax_uid, project, alias)
        if isinstance(made, Refused):
            return run.kept_back(ref, made.reasons)
        run.passed(made, found)
        return Copy(ref.id, made.sop_class, made.sop_uid, made.ts, made.pieces)

    def _end(self, run: _Run) -> None:
        """Write the report; of a handout that was broken off, as far as it came."""
        handout, now = run.handout, self._clock.now()
        try:
            with self._database.write() as session:
                held.keep_back(session, handout.organisation_id, handout.project_id, handout.study_id, run.refused, now)
                end_handout(session, handout.id, run.report, len(run.refused), now if run.whole else None)
        except RadrelayError as error:  # the objects have left, or did not; only what is told of it is missing
            log.error("report of a handout not written", handout=str(handout.id), reason=error.code)


@dataclass(slots=True)
class _Run:
    """One handout while it lasts."""

    handout: Handout
    vault: StoredVault
    report: StudyReport
    whole: bool = False
    refused: dict[uuid.UUID, tuple[Reason, ...]] = field(default_factory=dict)
    aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    studies: dict[tuple[str, str], uuid.UUID] = field(default_factory=dict)
    known: dict[uuid.UUID, set[str]] = field(default_factory=dict)
    waiting: dict[uuid.UUID, dict[str, str]] = field(default_factory=dict)

    def alias(self, header: DataElements) -> Alias:
        """Return the alias of an object's patient."""
        subject = subject_of(header)
        key = (subject.issuer, subject.patient_id)
        if key not in self.aliases:
            values = texts_of(header, OF_PATIENT)
            self.aliases[key] = self.vault.alias_of(self.handout.project.name, subject, values)
        return self.aliases[key]

    def kept_back(self, ref: InstanceRef, reasons: Iterable[Reason]) -> None:
        """Note why an object stays."""
        self.refused[ref.id] = tuple(reasons)
        self.report.refuse(self.refused[ref.id])

    def passed(self, made: Deidentified, header: DataElements) -> None:
        """Note an object that passes, and what turns its results back."""
        self.report.add(made.report)
        old = (header.texts(STUDY) or [""])[0]
        key = (made.alias.patient_id, old)
        if key not in self.studies:
            new = made.uids.get(old, old)
            values = texts_of(header, OF_STUDY)
            row = self.vault.hand_out(self.handout.project.name, made.alias, (old, new), values)
            self.studies[key] = row
            self.known[row] = set(self.vault.known_uids(row))
        row = self.studies[key]
        fresh = {old: new for old, new in made.uids.items() if old not in self.known[row]}
        self.known[row].update(fresh)
        self.waiting.setdefault(row, {}).update(fresh)

    def remember(self) -> None:
        """Put what turns results back into the vault, before anything leaves."""
        for row, uids in self.waiting.items():
            self.vault.keep_uids(row, uids)
        self.waiting.clear()


def header_of(data_set: Buffer, ts: str) -> DataElements | None:
    """Return a data set's elements, none if it cannot be followed."""
    try:
        syntax = syntax_of(ts)
        if syntax.deflated:
            data_set = inflate(data_set)
        elif not syntax.little_endian:
            data_set, syntax = transcode(data_set, ts, EXPLICIT_LE), syntax_of(EXPLICIT_LE)
        return DataElements.of(data_set, syntax)
    except (Malformed, RadrelayError, UnicodeError):
        return None


def texts_of(header: DataElements, tags: Iterable[int]) -> dict[int, str]:
    """Return the first values of some attributes."""
    return {tag: (header.texts(tag) or [""])[0] for tag in tags}


def _groups(refs: Sequence[InstanceRef]) -> Iterator[list[InstanceRef]]:
    """Yield objects in groups of a few megabytes."""
    group: list[InstanceRef] = []
    size = 0
    for ref in refs:
        if group and (len(group) == TOGETHER or size + ref.size > TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append(ref)
        size += ref.size
    if group:
        yield group
