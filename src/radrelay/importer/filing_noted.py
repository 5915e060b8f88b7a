"""What became of what was filed, as the archive has it: these very bytes, or put aside; and which studies go on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.tables import INSTANCE, STUDY
from radrelay.importer.filing import PaperOutcome
from radrelay.importer.models import ImportObject, ImportPaper
from radrelay.importer.reconciling import LocalPatient
from radrelay.intake.diversion import AWAITS_RELEASE, WAITING
from radrelay.intake.models import Quarantined

PUT_ASIDE = "put-aside"
"""Why an object is not filed: the archive put it in its quarantine, for another patient's study had come meanwhile."""
CHUNK = 500
Value = TypeVar("Value")

Outcomes = Mapping[Any, Mapping[str, Any]]
"""Columns of objects' rows, by their ids."""


def here_of(session: Session, organisation_id: uuid.UUID, landed: Mapping[str, str]) -> set[str]:
    """Return which SOP Instance UIDs are in the archive with these very bytes (`landed`: SHA-256 of each)."""
    found: set[str] = set()
    for chunk in _chunks(sorted(landed)):
        asked = sa.select(INSTANCE.c.sop_uid, INSTANCE.c.sha256).where(
            INSTANCE.c.organisation_id == organisation_id, INSTANCE.c.sop_uid.in_(chunk)
        )
        found |= {one.sop_uid for one in session.execute(asked) if one.sha256.hex() == landed[one.sop_uid]}
    return found


def aside_of(session: Session, organisation_id: uuid.UUID, records: Mapping[uuid.UUID, str]) -> dict[str, str]:
    """Return what the archive put aside of landing records (`records`: the UID of each): codes by UID."""
    found: dict[str, str] = {}
    for chunk in _chunks(sorted(records)):
        asked = sa.select(Quarantined.record_id, Quarantined.code).where(
            Quarantined.organisation_id == organisation_id, Quarantined.record_id.in_(chunk)
        )
        found |= {records[one.record_id]: one.code for one in session.execute(asked)}
    return found


def settled_of(
    session: Session, organisation_id: uuid.UUID, beside: Mapping[uuid.UUID, tuple[str, str]]
) -> set[uuid.UUID]:
    """Return of which landing records (`beside`: UID and SHA-256) the archive has decided what becomes of them."""
    found: set[uuid.UUID] = set()
    for chunk in _chunks(sorted(beside)):
        mine = (Quarantined.organisation_id == organisation_id, Quarantined.record_id.in_(chunk))
        found |= set(session.scalars(sa.select(Quarantined.record_id).where(*mine)))
        here = sa.select(INSTANCE.c.sop_uid, INSTANCE.c.sha256).where(
            INSTANCE.c.organisation_id == organisation_id, INSTANCE.c.sop_uid.in_({beside[one][0] for one in chunk})
        )
        versions = {(one.sop_uid, one.sha256.hex()) for one in session.execute(here)}
        found |= {one for one in chunk if beside[one] in versions}
    return found


def is_stopped(rows: Sequence[ImportObject], outcomes: Outcomes, aside: Mapping[str, str]) -> bool:
    """Tell whether the archive put aside all there was of somebody, and not because it is to wait for its release."""
    landed = [row for row in rows if "written" in outcomes.get(row.id, {})]
    put = [row for row in landed if aside.get(row.sop_uid, AWAITS_RELEASE) not in {AWAITS_RELEASE, *WAITING}]
    return bool(put) and len(put) == len(landed) and not any(_is_here(row) for row in rows)


def note_objects(rows: Sequence[ImportObject], outcomes: Outcomes, aside: Mapping[str, str]) -> None:
    """Note what became of each object."""
    for row in rows:
        told = outcomes.get(row.id, {})
        if "written" in told and row.sop_uid in aside:
            told = {"action": "quarantine", "why": PUT_ASIDE}
        for name, value in told.items():
            setattr(row, name, value)


def note_papers(session: Session, papers: Mapping[uuid.UUID, PaperOutcome], aside: Mapping[str, str]) -> None:
    """Note what became of each paper. What another import handed over meanwhile is this one's (`counted_on`)."""
    before: dict[uuid.UUID, str] = {}
    for chunk in _chunks(sorted(papers)):
        asked = sa.select(ImportPaper.id, ImportPaper.written).where(ImportPaper.id.in_(chunk))
        before |= {row.id: row.written for row in session.execute(asked)}
    rows = []
    for paper_id, one in papers.items():
        why = one.why or (PUT_ASIDE if one.written.keys() & aside.keys() else "")
        handed: dict[str, str] = json.loads(before.get(paper_id) or "{}")
        written = {uid: sha256 or handed.get(uid, "") for uid, sha256 in one.written.items() if uid not in aside}
        written = handed | written
        rows.append({
            "id": paper_id, "filed": not why, "why": why, "written": json.dumps(written) if written else "",
        })  # fmt: skip
    if rows:  # there may be thousands, and nobody else writes meanwhile
        session.execute(sa.update(ImportPaper), rows)


def studies_of(session: Session, rows: Sequence[ImportObject], patient: LocalPatient | None) -> set[str]:
    """Return the studies of which something was filed, or was here before as this patient's."""
    found = {row.study_uid for row in rows if row.action == "file" and row.written}
    skipped = sorted({row.study_uid for row in rows if _is_here(row)} - found)
    if patient is None:
        return found
    for chunk in _chunks(skipped):
        theirs = sa.select(STUDY.c.study_uid).where(
            STUDY.c.organisation_id == rows[0].organisation_id, STUDY.c.study_uid.in_(chunk),
            STUDY.c.patient_issuer.in_({patient.issuer, ""}), STUDY.c.patient_id_value == patient.patient_id,
        )  # fmt: skip
        found |= set(session.scalars(theirs))
    return found


def _is_here(row: ImportObject) -> bool:
    return row.action == "skip" and row.why != "twice-in-parcel"


def _chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
