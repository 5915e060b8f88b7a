"""Withdrawing a consent to a transfer: what came by it goes at once, with the same proof as an erasure.

The source's holding of each study ends, whatever its retention: what it alone held is deleted, what another source
holds too stays there (`archive.deletion.end_holdings`). What a person holds for a reason stays until the hold ends, is
named, and goes then; what had landed before the withdrawal and was not in the list yet goes when it is. `carry_on`
does both, from the role `work`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.archive import deletion
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Holding, Instance, InstanceHolding, Study
from radrelay.archive.of_study import of_studies
from radrelay.errors import Invalid
from radrelay.intake.models import Quarantined
from radrelay.privacy import erasure
from radrelay.privacy.consent_models import PrivacyTransfer, PrivacyTransferStudy
from radrelay.privacy.erasure import ErasedStudy, KeptStudy, Proof
from radrelay.privacy.transfers import (
    SHORTEST,
    TransferChanged,
    TransferView,
    TransferWithdrawn,
    covered_by,
    row_of,
    transfer_of,
)
from radrelay.storage.models import Erasure
from radrelay.storage.remembering import remember_rows

LATE = timedelta(days=2)
"""What landed before a withdrawal is in the list by then, or nowhere."""
GOING = ("record", "pack", "rewrite")
Note = Callable[[str, uuid.UUID, tuple[str, str, str], dict[str, object]], audit.AuditRecord]
Discard = Callable[[Session, uuid.UUID, uuid.UUID], None]
"""Deletes an object that is kept aside, by organisation and id."""


class WithdrawalUnsaid(Invalid):
    """Say how the consent was withdrawn, and by whom."""

    code = "withdrawal-unsaid"


@dataclass(frozen=True, slots=True)
class Hands:
    """Who withdraws: how its events are written, and how an object that is kept aside is deleted."""

    by: str
    note: Note
    discard: Discard


def withdraw(
    session: Session, organisation_id: uuid.UUID, transfer_id: uuid.UUID, hands: Hands, *, how: str, revision: int,
    now: datetime,
) -> TransferView:  # fmt: skip
    """Withdraw a consent, delete what came by it and return it with the proof.

    Raises `NotFound`, `TransferWithdrawn`, `TransferChanged`, or `WithdrawalUnsaid` unless `how` says how it was told.
    """
    lock_archive(session)
    row = row_of(session, organisation_id, transfer_id, lock=True)
    if row.withdrawn_at is not None:
        raise TransferWithdrawn
    if row.revision != revision:
        raise TransferChanged
    if len(how.strip()) < SHORTEST:
        raise WithdrawalUnsaid
    row.withdrawn_at, row.withdrawn_by, row.withdrawn_how, row.revision = now, hands.by, how.strip(), revision + 1
    _carry_out(session, row, hands, now)
    session.flush()
    return transfer_of(session, organisation_id, transfer_id)


def carry_on(session: Session, hands_of: Callable[[uuid.UUID], Hands], now: datetime) -> int:
    """Delete what a withdrawal had to leave and may go now; returns how many consents that was about."""
    lock_archive(session)
    waiting = sa.exists().where(
        PrivacyTransferStudy.transfer_id == PrivacyTransfer.id, PrivacyTransferStudy.state != "gone"
    )
    rows = session.scalars(
        sa.select(PrivacyTransfer)
        .where(PrivacyTransfer.withdrawn_at.is_not(None))
        .where(sa.or_(waiting, PrivacyTransfer.withdrawn_at > now - LATE))
        .order_by(PrivacyTransfer.id)
    ).all()
    return sum(_carry_out(session, row, hands_of(row.organisation_id), now) for row in rows)


def keep_proof(session: Session, organisation_id: uuid.UUID, transfer_id: uuid.UUID, proof: Proof) -> TransferView:
    """Keep a proof that was completed; the entry is otherwise as it was."""
    row = row_of(session, organisation_id, transfer_id, lock=True)
    known = erasure.decoded(row.proof)
    if known is not None and known.studies == proof.studies:  # else it grew meanwhile, and is not complete
        row.proof = erasure.encoded(proof)
    session.flush()
    return transfer_of(session, organisation_id, transfer_id)


def _carry_out(session: Session, row: PrivacyTransfer, hands: Hands, now: datetime) -> bool:
    """Delete what of a withdrawn transfer may go; says whether anything went."""
    erased: list[ErasedStudy] = []
    kept: list[KeptStudy] = []
    left = 0
    for one in covered_by(session, row.id):
        holding = _holding(session, one)
        left += _discard_aside(session, row, one, hands.discard)
        if holding is None or (one.state == "gone" and not _is_late(session, row, one, holding)):
            one.state = "gone"
            continue
        if holding.hold_until is not None and holding.hold_until > now:
            kept.append(KeptStudy(holding.study_id, one.study_uid, holding.hold_until, holding.hold_reason))
            one.state = "held"
            continue
        erased.append(_end(session, row, one, holding, hands.note, now))
        one.state = "gone"
    before = erasure.decoded(row.proof)
    if before is None or erased or tuple(kept) != before.kept or left != before.aside:
        both = (*(before.studies if before else ()), *erased)
        row.proof = erasure.encoded(Proof(now, hands.by, both, left, tuple(kept), record_erased=False))
        remember_rows(session, row)
        remember_rows(session, *covered_by(session, row.id))
    return bool(erased)


def _holding(session: Session, one: PrivacyTransferStudy) -> Holding | None:
    """Return what the source holds of a study now, by UID: a study that came again has another id."""
    return session.scalar(
        sa.select(Holding)
        .join(Study, Study.id == Holding.study_id)
        .where(Study.organisation_id == one.organisation_id, Study.study_uid == one.study_uid)
        .where(Holding.source_id == one.source_id)
    )


def _is_late(session: Session, row: PrivacyTransfer, one: PrivacyTransferStudy, holding: Holding) -> bool:
    """Say whether a holding is of what had landed before the withdrawal, and nobody has agreed anew."""
    if row.withdrawn_at is None or holding.last_received_at > row.withdrawn_at:
        return False
    again = sa.select(PrivacyTransferStudy.id).where(
        PrivacyTransferStudy.organisation_id == one.organisation_id, PrivacyTransferStudy.source_id == one.source_id,
        PrivacyTransferStudy.study_uid == one.study_uid, PrivacyTransferStudy.state == "standing",
    )  # fmt: skip
    return session.scalar(again.limit(1)) is None


def _end(
    session: Session, row: PrivacyTransfer, one: PrivacyTransferStudy, holding: Holding, note: Note, now: datetime
) -> ErasedStudy:
    study_id = holding.study_id
    keys, (objects, size) = erasure.keys_of(session, study_id), _content(session, study_id)
    goes = not session.scalar(sa.select(sa.func.count()).where(of_studies([study_id]), ~_lost(holding.id)))
    name = session.scalar(sa.select(Study.patient_name).where(Study.id == study_id)) or ""
    detail: dict[str, object] = {"reason": "withdrawn", "consent": str(row.id), "source": one.source_name}
    patient = (row.patient_issuer, row.patient_id, name)
    audit.record(session, note("study.delete" if goes else "consent.erase", study_id, patient, detail))
    deletion.end_holdings(session, [holding.id], now, "withdrawn")
    session.flush()
    left, left_size = _content(session, study_id)
    going = sa.select(Erasure.id).where(Erasure.id.in_(keys), Erasure.kind.in_(GOING))
    digest = hashlib.sha256(one.study_uid.encode()).hexdigest()
    return ErasedStudy(study_id, digest, objects - left, size - left_size, tuple(sorted(session.scalars(going))))


def _lost(holding_id: uuid.UUID) -> sa.ColumnElement[bool]:
    """Say of an instance that this holding alone has it."""
    further = sa.exists().where(InstanceHolding.instance_id == Instance.id, InstanceHolding.holding_id != holding_id)
    return sa.and_(Instance.holding_id == holding_id, ~further)


def _content(session: Session, study_id: uuid.UUID) -> tuple[int, int]:
    """Return how many objects a study has, and their bytes as received."""
    columns = (sa.func.count(), sa.func.coalesce(sa.func.sum(Instance.size), 0))
    objects, size = session.execute(sa.select(*columns).where(of_studies([study_id]))).one()
    return int(objects), int(size)


def _discard_aside(session: Session, row: PrivacyTransfer, one: PrivacyTransferStudy, discard: Discard) -> int:
    """Delete what is kept aside of this source, study and patient; returns how much names another patient: it stays."""
    aside: Iterable[Quarantined] = session.scalars(
        sa.select(Quarantined).where(
            Quarantined.organisation_id == one.organisation_id, Quarantined.source_id == one.source_id,
            Quarantined.study_uid == one.study_uid, Quarantined.received_at <= row.withdrawn_at,
            Quarantined.released_at.is_(None),
        )
    ).all()  # fmt: skip
    left = 0
    for kept in aside:
        if kept.patient_id_value == row.patient_id:
            discard(session, one.organisation_id, kept.id)
        else:
            left += 1
    return left
