"""What uploads into an import said would come, kept here: whoever closes the import need not be who brought it.

An upload announces how many files and bytes it brings, under a key that the same files have again: brought once more
after a browser was closed, they count once. Each file is told by its number in its upload, so that one that is sent
twice counts once, too. What lacks when nothing more follows is a finding, but for what stands in another one by name.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer.findings import Finding, broken_upload
from radrelay.importer.models import ImportCase, ImportUpload
from radrelay.storage.ids import new_id

MOST_FILES = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Which file of which upload something is; `key` is empty where no upload announced itself."""

    key: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """What all uploads of an import announced, and what of it has come."""

    files: int
    bytes: int
    came_files: int
    came_bytes: int


def announce(session: Session, row: ImportCase, key: str, files: int, size: int) -> None:
    """Keep what an upload is to bring into an import, which is locked; announced again, the last word counts."""
    found = _upload(session, row, key)
    if found is None:
        found = ImportUpload(
            id=new_id(), organisation_id=row.organisation_id, case_id=row.id, key=key, accounted=b"", came_files=0,
            came_bytes=0, named=0,
        )  # fmt: skip
        session.add(found)
    found.files, found.size = files, size
    session.flush()


def note_came(session: Session, row: ImportCase, place: Place, size: int) -> None:
    """Count a file that came for an import, which is locked."""
    upload = _upload(session, row, place.key)
    if upload is not None and _account(upload, place.number):
        upload.came_files, upload.came_bytes = upload.came_files + 1, upload.came_bytes + size


def note_refused(session: Session, row: ImportCase, place: Place) -> bool:
    """Note that a file of an import, which is locked, is told by name; returns whether it is to be.

    One that has come before, or was refused before, is not told again.
    """
    upload = _upload(session, row, place.key)
    return upload is None or _account(upload, place.number)


def note_named(session: Session, row: ImportCase, key: str, count: int) -> None:
    """Note how many files an upload names that it goes on without."""
    upload = _upload(session, row, key)
    if upload is not None:
        upload.named = count


def sum_of(session: Session, case_id: uuid.UUID) -> Announced | None:
    """Return what was announced of an import, and what of it came; none where nothing was."""
    rows = _uploads(session, case_id)
    if not rows:
        return None
    return Announced(
        sum(one.files for one in rows), sum(one.size for one in rows), sum(one.came_files for one in rows),
        sum(one.came_bytes for one in rows),
    )  # fmt: skip


def findings_of(session: Session, case_id: uuid.UUID) -> tuple[Finding, ...]:
    """Return what lacks of what was announced, told by nobody else: nothing where all of it is accounted for."""
    rows = _uploads(session, case_id)
    missing = sum(max(0, one.files - one.accounted_for - one.named) for one in rows)
    if not missing:
        return ()
    return (broken_upload(missing, sum(one.files for one in rows), sum(one.came_files for one in rows)),)


def forget(session: Session, case_id: uuid.UUID) -> None:
    """Forget what was announced of an import."""
    gone = sa.delete(ImportUpload).where(ImportUpload.case_id == case_id)
    session.execute(gone, execution_options={"synchronize_session": False})


def _uploads(session: Session, case_id: uuid.UUID) -> Sequence[ImportUpload]:
    return session.scalars(sa.select(ImportUpload).where(ImportUpload.case_id == case_id)).all()


def _upload(session: Session, row: ImportCase, key: str) -> ImportUpload | None:
    """Return an upload as it stands now that the import is locked."""
    if not key:
        return None
    asked = sa.select(ImportUpload).where(ImportUpload.case_id == row.id, ImportUpload.key == key)
    return session.scalar(asked.execution_options(populate_existing=True))


def _account(upload: ImportUpload, number: int | None) -> bool:
    """Account for a file by its number; returns whether nobody has before."""
    if number is None or number >= upload.files:
        return True
    at, bit = divmod(number, 8)
    seen = bytearray(upload.accounted.ljust(at + 1, b"\0"))
    if seen[at] & 1 << bit:
        return False
    seen[at] |= 1 << bit
    upload.accounted = bytes(seen)
    return True
