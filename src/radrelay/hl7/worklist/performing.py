"""Steps that modalities say they perform (MPPS): kept, and the worklist items that they are of go on or end.

An item is touched only if the step names its study and its patient ID. A step that ended is not changed any more.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.hl7.models import PerformedStep, WorklistItem
from radrelay.hl7.worklist.answering import STEP_SEQUENCE, item_of
from radrelay.hl7.worklist.ordering import DISCONTINUED, DONE, OPEN, SCHEDULED, STARTED
from radrelay.network.performed import StepEnded, StepIncomplete, StepKnown, StepUnknown
from radrelay.network.ports import Key

STATUS, REASON, OF_STEPS = 0x00400252, 0x00400281, 0x00400270
PATIENT_ID, ISSUER, STUDY, ACCESSION, STEP_ID = 0x00100020, 0x00100021, 0x0020000D, 0x00080050, 0x00400009
IN_PROGRESS, COMPLETED, ENDED_EARLY = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
WRONG_ENTRY = "110514"
"""Discontinued because another worklist entry was meant (CID 9300): this one is still to be done."""


def create_step(
    session: Session, organisation_id: uuid.UUID, ae_title: str, sop_uid: str, keys: Sequence[Key], now: datetime
) -> PerformedStep:
    """Keep a step that begins; raises `StepKnown` and `StepIncomplete`."""
    if _find(session, organisation_id, sop_uid) is not None:
        raise StepKnown
    told = {key.tag: key for key in keys}
    scheduled = told[OF_STEPS].items if OF_STEPS in told else ()
    if STATUS not in told or told[STATUS].text != IN_PROGRESS or not scheduled:
        raise StepIncomplete("a step begins IN PROGRESS, and names what was scheduled")
    of = {key.tag: key.text for key in scheduled[0]}
    row = PerformedStep(
        organisation_id=organisation_id, sop_uid=sop_uid, calling_ae=ae_title[:16], state=IN_PROGRESS,
        patient_id=_text(told, PATIENT_ID), patient_issuer=_text(told, ISSUER), study_uid=of.get(STUDY, "")[:64],
        accession_number=of.get(ACCESSION, "")[:16],
        step_ids=json.dumps([_of(item, STEP_ID) for item in scheduled]), said=_json(keys), created_at=now,
        changed_at=now,
    )  # fmt: skip
    session.add(row)
    _follow(session, row, STARTED, now)
    session.flush()
    return row


def change_step(
    session: Session, organisation_id: uuid.UUID, sop_uid: str, keys: Sequence[Key], now: datetime
) -> PerformedStep:
    """Keep what is said further of a step; raises `StepUnknown` and `StepEnded`."""
    row = _find(session, organisation_id, sop_uid)
    if row is None:
        raise StepUnknown
    if row.state != IN_PROGRESS:
        raise StepEnded
    told = {key.tag: key for key in keys}
    row.said = json.dumps(json.loads(row.said) | json.loads(_json(keys)), ensure_ascii=False)
    row.changed_at = now
    state = _text(told, STATUS)
    if state == COMPLETED:
        row.state = state
        _follow(session, row, DONE, now)
    elif state == ENDED_EARLY:
        row.state = state
        why = told.get(REASON)
        wrong = why is not None and any(_of(item, 0x00080100) == WRONG_ENTRY for item in why.items)
        _follow(session, row, SCHEDULED if wrong else DISCONTINUED, now)
    session.flush()
    return row


def _follow(session: Session, row: PerformedStep, state: str, now: datetime) -> None:
    """Let the items that a step is of become what it makes them."""
    if not row.study_uid or not row.patient_id:
        return
    wanted = set(filter(None, json.loads(row.step_ids)))
    rows = session.scalars(
        sa.select(WorklistItem).where(
            WorklistItem.organisation_id == row.organisation_id, WorklistItem.study_uid == row.study_uid,
            WorklistItem.patient_id == row.patient_id, WorklistItem.state.in_(OPEN),
        )
    )  # fmt: skip
    for item in rows:
        if not wanted or _step_id(item) in wanted:
            item.state, item.changed_at = state, now


def _step_id(item: WorklistItem) -> str:
    """Return the ID by which modalities know an item."""
    _, steps = item_of(item)[STEP_SEQUENCE]
    assert not isinstance(steps, str)  # noqa: S101 - narrows for the type checker; it is a sequence
    return str(steps[0][STEP_ID][1])


def _find(session: Session, organisation_id: uuid.UUID, sop_uid: str) -> PerformedStep | None:
    mine = (PerformedStep.organisation_id == organisation_id, PerformedStep.sop_uid == sop_uid)
    return session.scalar(sa.select(PerformedStep).where(*mine))


def _text(told: dict[int, Key], tag: int) -> str:
    return told[tag].text[:64] if tag in told else ""


def _of(item: Sequence[Key], tag: int) -> str:
    return next((key.text for key in item if key.tag == tag), "")


def _json(keys: Sequence[Key]) -> str:
    """Return attributes as JSON: by tag, VR and text, or the items of a sequence."""
    return json.dumps({f"{key.tag:08X}": _plain(key) for key in keys}, ensure_ascii=False).replace("\\u0000", "")


def _plain(key: Key) -> Any:
    if key.vr != "SQ":
        return [key.vr, key.text]
    return [key.vr, [{f"{inner.tag:08X}": _plain(inner) for inner in item} for item in key.items]]
