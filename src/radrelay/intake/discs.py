"""Discs whose directory (DICOMDIR) names files that are not there: told at the end of their parcel.

As a directory lands, each file that it names is noted. When the parcel ends, what it names is looked for among what
came: by SOP Instance UID, else by name. What is not found becomes a finding. A directory decides nothing else: files
that it does not name are taken all the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.models import Attachment, Instance
from radrelay.archive.of_study import of_studies
from radrelay.dicom.disc_directory import MAX_FILES, DiscFile, read_directory
from radrelay.dicom.errors import Malformed
from radrelay.intake.envelope import Origin
from radrelay.intake.models import ParcelFinding, ParcelStudy, Quarantined
from radrelay.intake.object_writer import FileFacts

if TYPE_CHECKING:
    from radrelay.intake.landing import Landing

log = structlog.get_logger(__name__)

REFERENCE, MISSING = "disc-reference", "missing-on-disc"
CHUNK = 500


def note_directory(landing: Landing, origin: Origin, name: str, content: bytes, item_id: uuid.UUID | None) -> None:
    """Note each file that a directory names; one that cannot be read names nothing."""
    try:
        files = read_directory(content)
    except Malformed as error:
        log.info("a disc's directory cannot be read", reason=error.message)
        return
    except Exception:  # why: it is a hint only, and no hostile one may cost the files beside it
        log.exception("a disc's directory cannot be read")
        return
    folder = name.rpartition("/")[0]
    for number, file in enumerate(files[:MAX_FILES]):
        path = f"{folder}/{file.path}" if folder else file.path
        its_id = uuid.uuid5(item_id, f"reference-{number}") if item_id is not None else None
        landing.note(origin, FileFacts(path[:1000], None, "", its_id), REFERENCE, _text(file), file.sop_uid)


def _text(file: DiscFile) -> str:
    where = f" It belongs to {file.belongs_to}." if file.belongs_to else ""
    return f"The disc's directory names this file ({file.kind or 'of no kind'}), and it did not come with it.{where}"


def settle_discs(session: Session, parcel_id: uuid.UUID) -> None:
    """Tell what is missing of the discs in a parcel that ends."""
    named = session.execute(
        sa.select(
            ParcelFinding.id, ParcelFinding.organisation_id, ParcelFinding.file_name, ParcelFinding.sop_uid
        ).where(ParcelFinding.parcel_id == parcel_id, ParcelFinding.code == REFERENCE)
    ).all()
    if not named:
        return
    uids = _uids_here(session, named[0].organisation_id, parcel_id, [row.sop_uid for row in named if row.sop_uid])
    names = _names_here(session, parcel_id)
    here = [row.id for row in named if row.sop_uid in uids or _plain(row.file_name) in names]
    for start in range(0, len(here), CHUNK):
        session.execute(sa.delete(ParcelFinding).where(ParcelFinding.id.in_(here[start : start + CHUNK])))
    session.execute(
        sa.update(ParcelFinding)
        .where(ParcelFinding.parcel_id == parcel_id, ParcelFinding.code == REFERENCE)
        .values(code=MISSING)
        .execution_options(synchronize_session=False)
    )


def _uids_here(session: Session, organisation_id: uuid.UUID, parcel_id: uuid.UUID, wanted: Sequence[str]) -> set[str]:
    aside = sa.select(Quarantined.sop_uid).where(Quarantined.parcel_id == parcel_id, Quarantined.sop_uid != "")
    found = set(session.scalars(aside))
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        query = sa.select(Instance.sop_uid).where(
            Instance.organisation_id == organisation_id, Instance.sop_uid.in_(chunk)
        )
        found.update(session.scalars(query))
    return found


def _names_here(session: Session, parcel_id: uuid.UUID) -> set[str]:
    """Return the names of files that came, in the parcel's studies, attachments, quarantine and findings."""
    studies = sa.select(ParcelStudy.study_id).where(ParcelStudy.parcel_id == parcel_id)
    queries = (
        sa.select(Instance.file_name).where(of_studies(studies)),
        sa.select(Attachment.file_name).where(Attachment.parcel_id == parcel_id),
        sa.select(Quarantined.file_name).where(Quarantined.parcel_id == parcel_id),
        sa.select(ParcelFinding.file_name).where(ParcelFinding.parcel_id == parcel_id, ParcelFinding.code != REFERENCE),
    )
    return {_plain(name) for query in queries for name in session.scalars(query)}


def _plain(name: str) -> str:
    """Return a name as file IDs have it: some systems show them in lower case, or with a dot or a version."""
    return name.lower().removesuffix(";1").removesuffix(".")
