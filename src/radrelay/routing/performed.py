"""What modalities say of steps that they perform (MPPS), passed on to the destinations that want it (PS3.4 F.7).

What is passed on is written in the transaction that keeps it, so the modality's answer says that it will go. To each
destination a step's messages go one after the other, N-CREATE first; a step that waits keeps no other one waiting. A
message may come twice where its answer was lost: what a node then says to have already, it has.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.routing.errors import DeliveryEnded, DeliveryNotFound
from radrelay.routing.models import Destination, StepDelivery
from radrelay.storage.ids import new_id

IN_PROGRESS = "IN PROGRESS"
OPEN = ("waiting", "held")
_UNTRACKED = {"synchronize_session": False}
FORGOTTEN_AT_ONCE = 1000  # as of HL7, whose keeper forgets these, too


@dataclass(frozen=True, slots=True)
class ToldStep:
    """What a modality said of a step; `state` is the step's now, `patient` issuer and ID."""

    organisation_id: uuid.UUID
    sop_uid: str
    state: str
    calling_ae: str
    patient: tuple[str, str]
    study_uid: str
    accession_number: str
    data_set: bytes
    transfer_syntax: str


def pass_on_begun(session: Session, said: ToldStep, now: datetime) -> None:
    """Pass the beginning of a step on to each destination that wants steps, but not back to who said it."""
    wanting = session.scalars(
        sa.select(Destination.id).where(
            Destination.organisation_id == said.organisation_id, Destination.performed_steps.is_(True),
            Destination.enabled.is_(True), Destination.project_id.is_(None), Destination.ae_title != said.calling_ae,
        )
    )  # fmt: skip
    for destination_id in wanting.all():
        session.add(_row(said, destination_id, 0, now))


def pass_on_changed(session: Session, said: ToldStep, now: datetime) -> None:
    """Pass what is said further of a step on to those to whom its beginning goes."""
    told = session.execute(
        sa.select(StepDelivery.destination_id, sa.func.max(StepDelivery.turn))
        .where(StepDelivery.organisation_id == said.organisation_id, StepDelivery.sop_uid == said.sop_uid)
        .group_by(StepDelivery.destination_id)
    )
    for destination_id, last in told.all():
        session.add(_row(said, destination_id, last + 1, now))


def list_steps(
    session: Session, organisation_id: uuid.UUID, *, within: sa.ColumnElement[bool] | None = None, limit: int = 100
) -> list[StepDelivery]:
    """Return what is passed on and fulfils `within`, newest first."""
    query = sa.select(StepDelivery).where(StepDelivery.organisation_id == organisation_id)
    if within is not None:
        query = query.where(within)
    newest = query.order_by(StepDelivery.created_at.desc(), StepDelivery.turn.desc(), StepDelivery.id)
    return list(session.scalars(newest.limit(limit)))


def get_step(session: Session, organisation_id: uuid.UUID, row_id: uuid.UUID) -> StepDelivery:
    """Return one message that is passed on; raises `DeliveryNotFound`."""
    row = session.get(StepDelivery, row_id)
    if row is None or row.organisation_id != organisation_id:
        raise DeliveryNotFound
    return row


def cancel_step(session: Session, clock: Clock, row: StepDelivery) -> None:
    """Send a message no more, nor those of its step that follow; raises `DeliveryEnded`."""
    if row.state not in OPEN:
        raise DeliveryEnded
    for one in _from(session, row, OPEN):
        one.state, one.next_attempt_at, one.finished_at = "cancelled", None, clock.now()


def retry_step(session: Session, clock: Clock, row: StepDelivery) -> None:
    """Try at once what waits, failed, was cancelled or is held, with what follows of its step; raises `DeliveryEnded`.

    A destination that is down is tried whatever pause it is in.
    """
    if row.state == "done":
        raise DeliveryEnded
    now = clock.now()
    for one in _from(session, row, (*OPEN, "failed", "cancelled")):
        one.state, one.next_attempt_at, one.finished_at, one.attempts, one.due_since = "waiting", None, None, 0, now
        tell(one, None)
    session.execute(sa.update(Destination).where(Destination.id == row.destination_id).values(retry_at=None))


def hold_open(session: Session) -> int:
    """Hold what waits to be passed on, so that a restored copy sends nothing by itself; returns how many."""
    held = sa.update(StepDelivery).where(StepDelivery.state == "waiting").values(state="held", next_attempt_at=None)
    return len(session.execute(held.returning(StepDelivery.id)).all())


def forget_steps(session: Session, organisation_id: uuid.UUID, issuer: str, patient_id: str) -> None:
    """Delete what was said of a patient, what waits, too."""
    session.execute(
        sa.delete(StepDelivery).where(
            StepDelivery.organisation_id == organisation_id, StepDelivery.patient_id == patient_id,
            StepDelivery.patient_issuer.in_(("", issuer)),
        )
    )  # fmt: skip


def forget_old(session: Session, now: datetime, keep_days: int) -> int:
    """Delete what ended so long ago; returns how many, at most `FORGOTTEN_AT_ONCE`."""
    over = sa.select(StepDelivery.id).where(
        StepDelivery.state.not_in(OPEN), StepDelivery.finished_at < now - timedelta(days=keep_days)
    )
    ids = session.scalars(over.limit(FORGOTTEN_AT_ONCE)).all()
    if ids:
        session.execute(sa.delete(StepDelivery).where(StepDelivery.id.in_(ids)))
    return len(ids)


def due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of what waits and is due."""
    return (
        StepDelivery.state == "waiting",
        sa.or_(StepDelivery.next_attempt_at.is_(None), StepDelivery.next_attempt_at <= now),
    )


def put_off(session: Session, destination_id: uuid.UUID, trouble: Trouble, until: datetime, now: datetime) -> None:
    """Let all that is due to a destination wait until then, or until that destination is woken (`steering.wake`)."""
    mine = sa.update(StepDelivery).where(StepDelivery.destination_id == destination_id, *due(now))
    session.execute(mine.values(next_attempt_at=until, **_told(trouble)), execution_options=_UNTRACKED)


def tell(row: StepDelivery, trouble: Trouble | None) -> None:
    """Write into a row why it is not done; None: nothing stands against it."""
    for name, value in _told(trouble).items():
        setattr(row, name, value)


def _told(trouble: Trouble | None) -> dict[str, str]:
    if trouble is None:
        return {"error": "", "error_code": "", "error_facts": "{}"}
    return {"error": trouble.detail, "error_code": trouble.code, "error_facts": json.dumps(dict(trouble.facts))}


def trouble_of(row: StepDelivery) -> Trouble | None:
    """Return what was written of an error, none if nothing was."""
    return Trouble(row.error_code, row.error, json.loads(row.error_facts)) if row.error_code else None


def _from(session: Session, row: StepDelivery, states: Collection[str]) -> list[StepDelivery]:
    """Return a message and those of its step that follow it to the same destination, if they are in `states`."""
    return list(
        session.scalars(
            sa.select(StepDelivery).where(
                StepDelivery.destination_id == row.destination_id, StepDelivery.sop_uid == row.sop_uid,
                StepDelivery.turn >= row.turn, StepDelivery.state.in_(states),
            )
        )
    )  # fmt: skip


def _row(said: ToldStep, destination_id: uuid.UUID, turn: int, now: datetime) -> StepDelivery:
    return StepDelivery(
        id=new_id(), organisation_id=said.organisation_id, destination_id=destination_id, sop_uid=said.sop_uid,
        turn=turn, said_state=said.state, calling_ae=said.calling_ae, patient_issuer=said.patient[0],
        patient_id=said.patient[1], study_uid=said.study_uid, accession_number=said.accession_number,
        data_set=said.data_set, transfer_syntax=said.transfer_syntax, state="waiting", asked=False, status=-1,
        comment="", attempts=0, next_attempt_at=None, error="", error_code="", error_facts="{}", created_at=now,
        due_since=now, finished_at=None,
    )  # fmt: skip
