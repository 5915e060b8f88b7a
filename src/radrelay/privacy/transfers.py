"""The register of consents to a patient's transfer: data that were brought here because somebody agreed to it.

A transfer names studies, each with the source that brought it: what it holds is that source's holding of the study
(`archive.holdings`). One consent stands for a holding at a time, so a withdrawal always takes all of it; what another
source holds too stays with that source. How the withdrawal is carried out stands in `withdrawing`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive import persons
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Holding, Source, Study
from radrelay.errors import Conflict, Invalid, NotFound
from radrelay.privacy.consent_models import PrivacyTransfer, PrivacyTransferStudy
from radrelay.privacy.requests import SeveralPeople
from radrelay.storage.ids import new_id

Capacity = Literal["patient", "representative", "referrer"]
ShownBy = Literal["written", "page", "phone", "spoken"]
State = Literal["standing", "held", "gone"]
Holders = Mapping[uuid.UUID, Sequence[tuple[uuid.UUID, str]]]
MOST_STUDIES = 500
SHORTEST = 3


class TransferInvalid(Invalid):
    """A consent cannot be entered like this."""

    code = "transfer-invalid"


class TransferChanged(Conflict):
    """This consent was changed elsewhere in the meantime; look at the newer entry first."""

    code = "transfer-changed"


class TransferStands(Conflict):
    """A consent stands already for what this source brought of this study: withdraw that one first."""

    code = "transfer-stands"


class TransferWithdrawn(Conflict):
    """This consent is withdrawn; enter another one when another is given."""

    code = "transfer-withdrawn"


@dataclass(frozen=True, slots=True)
class Brought:
    """A study as one source holds it, by ids; `others` are the sources that hold it too.

    `person` tells people apart who have one ID (`archive.persons`).
    """

    patient_issuer: str
    study_id: uuid.UUID
    study_uid: str
    source_id: uuid.UUID
    source_name: str
    received_at: datetime
    description: str
    modalities: str
    study_date: date | None
    patient_name: str
    hold_reason: str | None
    others: tuple[str, ...]
    transfer_id: uuid.UUID | None
    person: int = 0


@dataclass(frozen=True, slots=True)
class TransferDraft:
    """A consent as it was given: by whom and how that is shown, to what text, for which studies of which sources."""

    patient_issuer: str
    patient_id: str
    giver: str
    capacity: Capacity
    shown_by: ShownBy
    text_version: str
    note: str
    given_at: datetime
    studies: Sequence[tuple[uuid.UUID, uuid.UUID]]


@dataclass(frozen=True, slots=True)
class CoveredStudy:
    """What a transfer covers: a study of a source, and whether that stands, is held by a person, or is gone.

    `others` are the sources that hold the study now, beside this one.
    """

    study_id: uuid.UUID
    study_uid: str
    source_id: uuid.UUID
    source_name: str
    state: State
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TransferView:
    """A consent in the register; `proof` is the JSON of what was erased, empty before that."""

    id: uuid.UUID
    patient_issuer: str
    patient_id: str
    giver: str
    capacity: Capacity
    shown_by: ShownBy
    text_version: str
    note: str
    given_at: datetime
    entered_at: datetime
    entered_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_how: str
    proof: str
    revision: int
    studies: tuple[CoveredStudy, ...]


_FIELDS = tuple(name for name in TransferView.__dataclass_fields__ if name != "studies")


def transfers(session: Session, organisation_id: uuid.UUID) -> list[TransferView]:
    """Return the register: those that stand, newest first, then those that were withdrawn."""
    rows = session.scalars(
        sa.select(PrivacyTransfer)
        .where(PrivacyTransfer.organisation_id == organisation_id)
        .order_by(PrivacyTransfer.withdrawn_at.is_not(None), PrivacyTransfer.given_at.desc(), PrivacyTransfer.id)
    ).all()
    covered: dict[uuid.UUID, list[PrivacyTransferStudy]] = {}
    for one in session.scalars(
        sa.select(PrivacyTransferStudy)
        .where(PrivacyTransferStudy.organisation_id == organisation_id)
        .order_by(PrivacyTransferStudy.id)
    ):
        covered.setdefault(one.transfer_id, []).append(one)
    holders = _holders(session, [one.study_id for all_of in covered.values() for one in all_of])
    return [_view(row, covered.get(row.id, ()), holders) for row in rows]


def transfer_of(session: Session, organisation_id: uuid.UUID, transfer_id: uuid.UUID) -> TransferView:
    """Return one consent; raises `NotFound`."""
    covered = covered_by(session, transfer_id)
    holders = _holders(session, [one.study_id for one in covered])
    return _view(row_of(session, organisation_id, transfer_id), covered, holders)


def brought(session: Session, organisation_id: uuid.UUID, patient_id: str) -> list[Brought]:
    """Return what is held under a patient ID of any issuer, by study and source, and which consent stands for it."""
    rows = session.execute(
        sa.select(Study, Holding, Source.name)
        .join(Holding, Holding.study_id == Study.id)
        .join(Source, Source.id == Holding.source_id)
        .where(
            Study.organisation_id == organisation_id,
            Study.patient_id_value == patient_id,
        )
        .order_by(Study.patient_issuer, Study.study_date.desc(), Study.id, Source.name)
    ).all()
    holders: dict[uuid.UUID, list[str]] = {}
    for study, _, name in rows:
        holders.setdefault(study.id, []).append(name)
    standing = _standing(session, [study.id for study, _, _ in rows])
    studies = {study.id: study for study, _, _ in rows}
    whose = dict(zip(studies, persons.parted(studies.values()), strict=True))
    return [
        Brought(
            study.patient_issuer, study.id, study.study_uid, holding.source_id, name, holding.received_at,
            study.description, study.modalities, study.study_date, study.patient_name,
            None if holding.hold_until is None else holding.hold_reason,
            tuple(other for other in holders[study.id] if other != name),
            standing.get((study.id, holding.source_id)), whose[study.id],
        )
        for study, holding, name in rows
    ]  # fmt: skip


def _standing(session: Session, study_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]:
    rows = session.scalars(
        sa.select(PrivacyTransferStudy).where(
            PrivacyTransferStudy.study_id.in_(study_ids), PrivacyTransferStudy.state != "gone"
        )
    )
    return {(row.study_id, row.source_id): row.transfer_id for row in rows}


def enter(
    session: Session, organisation_id: uuid.UUID, draft: TransferDraft, *, by: str, now: datetime
) -> TransferView:
    """Enter a consent; raises `TransferInvalid`, `TransferStands`, or `NotFound` for what no source has brought.

    `SeveralPeople` where studies of several people are named, who have one ID: nobody agrees for somebody else.
    """
    _check(draft, now)
    lock_archive(session)  # one at a time: two would each see that no consent stands
    held = {
        (one.study_id, one.source_id): one
        for one in brought(session, organisation_id, draft.patient_id)
        if one.patient_issuer == draft.patient_issuer
    }
    wanted = list(dict.fromkeys(draft.studies))
    if any(one not in held for one in wanted):
        raise NotFound("nothing of this study was brought by this source for this patient")
    people = len({held[one].person for one in wanted})
    if people > 1:
        raise SeveralPeople(people=people)
    for one in wanted:
        if held[one].transfer_id is not None:
            raise TransferStands(transfer=str(held[one].transfer_id))
    row = PrivacyTransfer(
        id=new_id(), organisation_id=organisation_id, patient_issuer=draft.patient_issuer,
        patient_id=draft.patient_id, giver=draft.giver.strip(), capacity=draft.capacity, shown_by=draft.shown_by,
        text_version=draft.text_version.strip(), note=draft.note, given_at=draft.given_at, entered_at=now,
        entered_by=by, withdrawn_at=None, withdrawn_by="", withdrawn_how="", proof="", revision=1,
    )  # fmt: skip
    session.add(row)
    for study_id, source_id in wanted:
        found = held[study_id, source_id]
        session.add(
            PrivacyTransferStudy(
                id=new_id(), organisation_id=organisation_id, transfer_id=row.id, study_id=study_id,
                study_uid=found.study_uid, source_id=source_id, source_name=found.source_name, state="standing",
            )
        )  # fmt: skip
    session.flush()
    return transfer_of(session, organisation_id, row.id)


def _check(draft: TransferDraft, now: datetime) -> None:
    if not draft.studies or len(draft.studies) > MOST_STUDIES:
        raise TransferInvalid(f"a consent is for 1 to {MOST_STUDIES} studies", field="studies")
    for name in ("giver", "text_version"):
        if len(str(getattr(draft, name)).strip()) < SHORTEST:
            raise TransferInvalid("say who agreed, and to which text", field=name)
    if draft.given_at > now:
        raise TransferInvalid("a consent was given before it is entered", field="given_at")


def row_of(
    session: Session, organisation_id: uuid.UUID, transfer_id: uuid.UUID, *, lock: bool = False
) -> PrivacyTransfer:
    """Return a consent's row; raises `NotFound`."""
    row = session.get(PrivacyTransfer, transfer_id, with_for_update=lock or None, populate_existing=lock)
    if row is None or row.organisation_id != organisation_id:
        raise NotFound("there is no such consent")
    return row


def covered_by(session: Session, transfer_id: uuid.UUID) -> Sequence[PrivacyTransferStudy]:
    """Return what a consent covers, as it was entered."""
    return session.scalars(
        sa.select(PrivacyTransferStudy)
        .where(PrivacyTransferStudy.transfer_id == transfer_id)
        .order_by(PrivacyTransferStudy.id)
    ).all()


def _holders(session: Session, study_ids: Sequence[uuid.UUID]) -> Holders:
    """Return which sources hold each study now."""
    found: dict[uuid.UUID, list[tuple[uuid.UUID, str]]] = {}
    for start in range(0, len(study_ids), 500):
        rows = session.execute(
            sa.select(Holding.study_id, Source.id, Source.name)
            .join(Source, Source.id == Holding.source_id)
            .where(Holding.study_id.in_(study_ids[start : start + 500]))
            .order_by(Source.name)
        )
        for study_id, source_id, name in rows:
            found.setdefault(study_id, []).append((source_id, name))
    return found


def _view(row: PrivacyTransfer, covered: Sequence[PrivacyTransferStudy], holders: Holders) -> TransferView:
    studies = tuple(
        CoveredStudy(
            one.study_id, one.study_uid, one.source_id, one.source_name, cast("State", one.state),
            tuple(name for source_id, name in holders.get(one.study_id, ()) if source_id != one.source_id),
        )
        for one in covered
    )  # fmt: skip
    return TransferView(**{name: getattr(row, name) for name in _FIELDS}, studies=studies)
