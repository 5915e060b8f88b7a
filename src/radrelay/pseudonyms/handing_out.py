"""Stored studies as de-identified copies: what leaves the house, or stays under an alias alone.

In: objects of a study and a project. Out: `Copy` after `Copy`, a few in memory at a time, and at the end a report that
says of each attribute what became of it, and of each object that could not be made safe why it was kept back. What
turns results back is in the vault before the first byte of an object is handed on.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Study
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.clock import Clock
from radrelay.dicom.deidentify import Deidentified, Project, Reason, Refused, StudyReport, Subject
from radrelay.dicom.elements import Buffer
from radrelay.dicom.part10 import file_meta
from radrelay.errors import RadrelayError
from radrelay.pseudonyms import held
from radrelay.pseudonyms.faces import Faces
from radrelay.pseudonyms.projects import engine_project, next_alias, project_row
from radrelay.pseudonyms.reports import Purpose, begin_handout, end_handout
from radrelay.pseudonyms.runs import Run
from radrelay.pseudonyms.sealing import VaultSeal
from radrelay.pseudonyms.vault import StoredVault
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

LARGEST = 512 << 20
TOGETHER = 16  # objects between two writings of the vault
TOGETHER_BYTES = 32 << 20


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
        """Note that a study is handed out; raises `ProjectUnknown`, `ProjectDisabled`, `ProjectFull`."""
        ...

    def copies(self, handout: Handout, refs: Sequence[InstanceRef]) -> Generator[Copy, None, None]:
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
        """Note that a study is handed out; raises `ProjectUnknown`, `ProjectDisabled`, `ProjectFull`."""
        with self._database.write() as session:
            project = engine_project(session, self._seal, organisation_id, project_id)
            next_alias(project_row(session, organisation_id, project_id), project)  # else it would break off later
            row_id = begin_handout(session, organisation_id, project_id, study_id, purpose, by, self._clock.now())
        return Handout(row_id, organisation_id, study_id, project_id, project)

    def copies(self, handout: Handout, refs: Sequence[InstanceRef]) -> Generator[Copy, None, None]:
        """Yield the objects that can be made safe; what is kept back, and the report, are noted."""
        run = Run(handout.project, StoredVault(self._database, self._clock, self._seal, handout.organisation_id))
        with self._database.read() as session:
            study = session.get(Study, handout.study_id)
            if study is not None:
                run.person = Subject(study.patient_issuer, study.patient_id_value)
            passed = held.released(session, handout.project_id, [ref.id for ref in refs])
        faces = Faces(self._database, self._clock, self._reader) if handout.project.deface else None
        kept_back: dict[uuid.UUID, tuple[Reason, ...]] = {}
        whole = False
        try:
            for group in _groups(refs):
                copies = []
                for ref in group:
                    made = self._made(run, ref, passed.get(ref.id), faces)
                    if isinstance(made, Refused):
                        kept_back[ref.id] = made.reasons
                    else:
                        copies.append(Copy(ref.id, made.sop_class, made.sop_uid, made.ts, made.pieces))
                run.remember()
                yield from copies
            whole = True
        finally:
            self._end(handout, run.report, kept_back, whole=whole)

    def _made(
        self, run: Run, ref: InstanceRef, cover: tuple[held.Rectangle, ...] | None, faces: Faces | None
    ) -> Deidentified | Refused:
        """Return one object de-identified, or why not; what cannot even be read is counted like what is refused."""
        try:
            if ref.size <= LARGEST:
                data_set = self._reader.data_set(ref)
                without = faces.without(ref, data_set) if faces is not None else None
                if without is not None:
                    return run.made(without.data_set, without.ts, cover, defaced=True)
                return run.made(data_set, ref.transfer_syntax_uid, cover)
            reason = Reason.TOO_LARGE
        except InstanceGone:
            reason = Reason.GONE
        run.report.refuse((reason,))
        return Refused((reason,))

    def _end(
        self, handout: Handout, report: StudyReport, kept_back: dict[uuid.UUID, tuple[Reason, ...]], *, whole: bool
    ) -> None:
        """Write the report; of a handout that was broken off, as far as it came."""
        now, organisation_id = self._clock.now(), handout.organisation_id
        try:
            with self._database.write() as session:
                held.keep_back(session, organisation_id, handout.project_id, handout.study_id, kept_back, now)
                end_handout(session, handout.id, report, len(kept_back), now if whole else None)
        except RadrelayError as error:  # the objects have left, or did not; only what is told of it is missing
            log.error("report of a handout not written", handout=str(handout.id), reason=error.code)


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
