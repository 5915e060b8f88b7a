"""Studies as release rules look at them, and their releases: as a study is indexed, and for what is here already.

What is released is on record in the same transaction, with the patient, as done by the rule.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import RuleReleased, SenderFacts, SeriesFacts, StudyFacts
from radrelay.archive.discard import chunks
from radrelay.archive.locking import lock_archive
from radrelay.archive.tables import HOLDING, SENDER, SERIES, STUDY

CHUNK = 500
_INSTITUTION, _DEPARTMENT = "00080080", "00081040"


def facts_of(session: Session, study_ids: Sequence[uuid.UUID], now: datetime) -> list[StudyFacts]:
    """Return what rules may ask of studies; of senders those whose source still holds the study at `now`."""
    found: list[StudyFacts] = []
    for some in chunks(study_ids):
        senders: dict[uuid.UUID, list[SenderFacts]] = {}
        held = sa.and_(HOLDING.c.study_id == SENDER.c.study_id, HOLDING.c.source_id == SENDER.c.source_id)
        lasts = sa.or_(HOLDING.c.ends_at.is_(None), HOLDING.c.ends_at > now)
        sent = sa.select(SENDER).where(SENDER.c.study_id.in_(some), sa.exists().where(held, lasts))
        for row in session.execute(sent):
            one = SenderFacts(row.source_id, row.calling_ae, row.called_ae)
            if one not in senders.setdefault(row.study_id, []):
                senders[row.study_id].append(one)
        series: dict[uuid.UUID, list[SeriesFacts]] = {}
        columns = (SERIES.c.study_id, SERIES.c.modality, SERIES.c.body_part, SERIES.c.description, SERIES.c.attributes)
        for row in session.execute(sa.select(*columns).where(SERIES.c.study_id.in_(some))):
            series.setdefault(row.study_id, []).append(_series(row))
        named = sa.select(STUDY.c.id, STUDY.c.referring_physician, STUDY.c.description, STUDY.c.institution)
        found += [
            StudyFacts(*row, tuple(senders.get(row.id, ())), tuple(series.get(row.id, ())))
            for row in session.execute(named.where(STUDY.c.id.in_(some)))
        ]
    return found


def _series(row: Any) -> SeriesFacts:
    values = json.loads(row.attributes)
    institution, department = (_first(values, tag) for tag in (_INSTITUTION, _DEPARTMENT))
    return SeriesFacts(row.modality, row.body_part, row.description, institution, department)


def _first(values: dict[str, Any], tag: str) -> str:
    """Return the first value of an attribute in DICOM JSON (PS3.18 F.2), empty where there is none."""
    found = values.get(tag, {}).get("Value", [])
    return found[0] if found and isinstance(found[0], str) else ""


def release_arrived(session: Session, organisation_id: uuid.UUID, study_ids: Sequence[uuid.UUID], at: datetime) -> None:
    """Release what has arrived, or has changed by what arrived, as the rules say; in the transaction that indexes it.

    The caller has the archive's lock.
    """
    if study_ids and access.is_anything_asked(session, organisation_id):
        facts = facts_of(session, study_ids, at)
        _note(session, organisation_id, access.release_by_rules(session, organisation_id, facts, at), "release.give")


def catch_up(session: Session, now: datetime) -> bool:
    """Let one rule look at the next studies that are here already; says whether there may be more to do.

    How far it has come is written in the same transaction: after a crash it goes on from there.
    """
    lock_archive(session)
    due = access.catching_up(session)
    if due is None:
        return False
    organisation_id, rule_id, last = due
    lives = sa.or_(STUDY.c.expires_at.is_(None), STUDY.c.expires_at > now)
    after = sa.select(STUDY.c.id).where(STUDY.c.organisation_id == organisation_id, STUDY.c.id > last, lives)
    ids = list(session.scalars(after.order_by(STUDY.c.id).limit(CHUNK)))
    released = access.release_by_rules(session, organisation_id, facts_of(session, ids, now), now, only=rule_id)
    _note(session, organisation_id, released, "release.give")
    access.caught_up(session, rule_id, ids[-1] if len(ids) == CHUNK else None)
    return True


def note_ended(session: Session, organisation_id: uuid.UUID, ended: Sequence[RuleReleased], by: audit.Actor) -> None:
    """Write that releases ended with their rule, or with a change of it."""
    _note(session, organisation_id, ended, "release.end", by)


def last_received(organisation_id: uuid.UUID, now: datetime, most: int) -> sa.Select[Any]:
    """Return the statement for the ids of the studies that something arrived of last."""
    lives = sa.or_(STUDY.c.expires_at.is_(None), STUDY.c.expires_at > now)
    mine = sa.select(STUDY.c.id).where(STUDY.c.organisation_id == organisation_id, lives)
    return mine.order_by(STUDY.c.last_received_at.desc(), STUDY.c.sort_key.desc()).limit(most)


def _note(
    session: Session, organisation_id: uuid.UUID, released: Sequence[RuleReleased], action: str,
    by: audit.Actor | None = None,
) -> None:  # fmt: skip
    who = by or access.system_principal(organisation_id)
    columns = (STUDY.c.id, STUDY.c.patient_issuer, STUDY.c.patient_id_value, STUDY.c.patient_name)
    patients: dict[uuid.UUID, tuple[str, str, str]] = {}
    for some in chunks(list({one.study_id for one in released})):
        found = session.execute(sa.select(*columns).where(STUDY.c.id.in_(some)))
        patients |= {row[0]: (row[1], row[2], row[3]) for row in found}
    given = action == "release.give"
    events = [
        audit.AuditRecord(
            action, who, "study", one.study_id, _told(one, given=given), patients.get(one.study_id)
        )
        for one in released
    ]  # fmt: skip
    audit.record_many(session, events)


def _told(one: RuleReleased, *, given: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "by": "rule", "rule": str(one.rule_id), "grantee": f"group {one.group_key}", "grant": str(one.grant_id),
    }  # fmt: skip
    if given:
        until = one.ends_at.isoformat() if one.ends_at else ""
        told |= {"rights": [right.value for right in one.rights], "identity": one.identity, "until": until}
    return told
