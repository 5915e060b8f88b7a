"""What follows from orders (ORM, OMI, OMG): worklist items are made, changed, and ended (HL7 v2.5 4.5.1.1).

An item is known by the numbers that its sender gives it. An order under a number that is another patient's is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.hl7.content import Content, Order, Patient
from radrelay.hl7.errors import ControlUnknown, NameShortened, OrderNumberTooLong, OrderOfAnother
from radrelay.hl7.models import Hl7Patient, PerformedStep, WorklistItem
from radrelay.hl7.patients.coercing import names_the_same
from radrelay.hl7.patients.handling import said_at
from radrelay.hl7.patients.keeping import find_patient, survivor, told
from radrelay.hl7.processing import KeptMessage
from radrelay.hl7.worklist.names import fitting
from radrelay.settings.zones import MACHINE

SCHEDULED, HELD, STARTED, DONE = "scheduled", "held", "started", "done"
CANCELLED, DISCONTINUED = "cancelled", "discontinued"
OPEN = (SCHEDULED, STARTED)
"""What modalities are told of."""
STEPS: Mapping[str, str] = {
    **dict.fromkeys(
        ("NW", "XO", "XX", "XR", "RO", "RL", "OE", "SC", "SN", "NA", "OK", "PA", "CH", "AF", "RE", "RR"), ""
    ),
    **dict.fromkeys(("CA", "OC", "CR", "RP", "RU", "RQ"), CANCELLED),
    **dict.fromkeys(("DC", "OD", "DR"), DISCONTINUED),
    **dict.fromkeys(("HD", "OH", "HR"), HELD),
}
"""What becomes of an item by ORC-1 (table 0119); empty: what its status says."""
RESULTS: Mapping[str, str] = {
    "CM": DONE, "A": STARTED, "IP": STARTED, "CA": CANCELLED, "DC": DISCONTINUED, "RP": CANCELLED, "HD": HELD,
}  # fmt: skip
"""What becomes of it by ORC-5 (table 0038)."""
PRIORITIES = {"S": "STAT", "A": "HIGH", "P": "HIGH", "C": "HIGH", "T": "HIGH", "R": "ROUTINE"}
SHORT = 16
BLANK = {one.name: "" for one in WorklistItem.__table__.columns if isinstance(one.type, sa.String)}
FORGOTTEN_AT_ONCE = 500
_OF_PATIENT = sa.select(WorklistItem).where(
    WorklistItem.organisation_id == sa.bindparam("organisation"), WorklistItem.patient_issuer == sa.bindparam("issuer"),
    WorklistItem.patient_id == sa.bindparam("patient"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Whose:
    """The patient of an item, as known by now."""

    issuer: str
    patient_id: str
    name: str
    birth_date: date | None
    sex: str
    authority: str


class OrderBook:
    """The handler of orders, and of what is said of patients who have some. `zones` are the sites', by port."""

    def __init__(self, clock: Clock, zones: Mapping[str, tzinfo]) -> None:
        self._clock = clock
        self._zones = zones

    def __call__(self, session: Session, kept: KeptMessage, content: Content) -> RadrelayError | None:
        """Act on a message of orders.

        Raises `ControlUnknown`, `OrderOfAnother` and `OrderNumberTooLong`; then none of its orders is taken.
        """
        if content.patient is None:
            return None
        whose = _whose(session, kept.organisation_id, content.patient)
        for order in content.orders:
            self._take(session, kept, content, order, whose)
        return _remark(whose.name) if content.orders else None

    def follow_patients(self, session: Session, kept: KeptMessage, content: Content) -> RadrelayError | None:
        """Let items follow what was just said of their patients."""
        remark = None
        for patient in content.patients:
            row = find_patient(session, kept.organisation_id, patient.key) if patient.issuer else None
            if row is None:
                continue
            whose = _known(survivor(session, row), patient)
            for item in _of_patient(session, kept.organisation_id, patient.key):
                _write_patient(item, whose)
                item.changed_at = self._clock.now()
                remark = remark or _remark(item.patient_name)
        return remark

    def _take(self, session: Session, kept: KeptMessage, content: Content, order: Order, whose: _Whose) -> None:
        _require_short(order)
        at = said_at(content, kept)
        found = _known_items(session, kept, order)
        if any((item.patient_issuer, item.patient_id) != (whose.issuer, whose.patient_id) for item in found):
            raise OrderOfAnother(number=order.placer_number or order.filler_number or order.accession_number)
        for item in found or [self._made(session, kept, order, at)]:
            if at < item.said_at:
                continue
            state = _state(order, item.state)
            _write_patient(item, whose)
            _write_order(item, order, self._zones.get(kept.port, UTC))
            visit = content.patient.account_number if content.patient is not None else ""
            item.visit_number = visit[:64] or item.visit_number
            item.state, item.said_at = state, at
            item.message_id, item.changed_at = kept.id, self._clock.now()
        session.flush()

    def _made(self, session: Session, kept: KeptMessage, order: Order, at: datetime) -> WorklistItem:
        names = (kept.port, order.accession_number or order.filler_number or order.placer_number)
        uid = order.study_uid or f"2.25.{uuid.uuid5(kept.organisation_id, '/'.join(names)).int}"
        item = WorklistItem(
            organisation_id=kept.organisation_id, patient_birth_date=None, scheduled_date=None, scheduled_time=None,
            message_id=kept.id, said_at=at, created_at=self._clock.now(), changed_at=self._clock.now(),
            **BLANK,
        )  # fmt: skip
        item.port, item.study_uid, item.state = kept.port, uid, SCHEDULED
        session.add(item)
        return item


def forget_items(session: Session, now: datetime, keep_days: int) -> int:
    """Delete items whose day, and last change, is so long ago; returns how many."""
    over = now - timedelta(days=keep_days)
    day = sa.or_(WorklistItem.scheduled_date.is_(None), WorklistItem.scheduled_date < over.date())
    ids = list(
        session.scalars(sa.select(WorklistItem.id).where(WorklistItem.changed_at < over, day).limit(FORGOTTEN_AT_ONCE))
    )
    if ids:
        session.execute(sa.delete(WorklistItem).where(WorklistItem.id.in_(ids)))
    session.execute(sa.delete(PerformedStep).where(PerformedStep.changed_at < over))
    return len(ids)


def _whose(session: Session, organisation_id: uuid.UUID, patient: Patient) -> _Whose:
    """Return whose an order is: of an ID that was merged the patient who goes on, if the order names no other."""
    plain = _Whose(
        patient.issuer[:64], patient.patient_id, patient.name, patient.birth_date, patient.sex[:1],
        patient.authority.text,
    )  # fmt: skip
    row = find_patient(session, organisation_id, patient.key) if patient.issuer else None
    if row is None:
        return plain
    now_is = survivor(session, row)
    if now_is.id == row.id:
        return plain
    said = {
        "name": plain.name,
        "birth_date": f"{plain.birth_date:%Y%m%d}" if plain.birth_date else "",
        "sex": plain.sex,
    }
    if not (names_the_same(row, said) or names_the_same(now_is, said)):
        raise OrderOfAnother(number=patient.patient_id)
    return _known(now_is, patient)


def _known(row: Hl7Patient, patient: Patient) -> _Whose:
    said, authority = told(row), patient.authority.text if row.issuer == patient.issuer else ""
    return _Whose(
        row.issuer, row.patient_id, said["name"] or patient.name, row.birth_date or patient.birth_date,
        said["sex"] or patient.sex[:1], row.authority or authority,
    )  # fmt: skip


def _of_patient(session: Session, organisation_id: uuid.UUID, key: tuple[str, str]) -> Sequence[WorklistItem]:
    return session.scalars(_OF_PATIENT, {"organisation": organisation_id, "issuer": key[0], "patient": key[1]}).all()


def _known_items(session: Session, kept: KeptMessage, order: Order) -> list[WorklistItem]:
    """Return the items that an order is about: whose numbers it shares, and contradicts none of."""
    shared = [
        getattr(WorklistItem, name) == getattr(order, name)
        for name in ("placer_number", "filler_number", "accession_number")
        if getattr(order, name)
    ]
    mine = (WorklistItem.organisation_id == kept.organisation_id, WorklistItem.port == kept.port)
    rows = session.scalars(sa.select(WorklistItem).where(*mine, sa.or_(*shared)).order_by(WorklistItem.id))
    return [item for item in rows if _is_about(order, item)]


def _is_about(order: Order, item: WorklistItem) -> bool:
    pairs = [(order.placer_number, item.placer_number), (order.filler_number, item.filler_number)]
    if any(mine and theirs and mine != theirs for mine, theirs in [*pairs, (order.scheduled_step_id, item.step_id)]):
        return False
    if any(mine and mine == theirs for mine, theirs in pairs):
        return True
    return bool(order.accession_number) and order.accession_number == item.accession_number


def _state(order: Order, before: str) -> str:
    """Return what an item becomes; raises `ControlUnknown` for what ORC-1 has no meaning for here."""
    state = STEPS.get(order.control)
    if state is None:
        raise ControlUnknown(control=order.control)
    if state:
        return state
    if order.status in RESULTS:
        return RESULTS[order.status]
    if order.control in ("RL", "OE") or before in ("", HELD):
        return SCHEDULED
    if order.control in ("NW", "RO", "XO", "XX") and before in (CANCELLED, DISCONTINUED):
        return SCHEDULED  # said later than the end: it is wanted again
    return before


def _require_short(order: Order) -> None:
    """Raise `OrderNumberTooLong` for an accession number that would be cut: images would come under another."""
    if len(order.accession_number) > SHORT:
        raise OrderNumberTooLong(number=order.accession_number)


def _remark(name: str) -> NameShortened | None:
    shown = fitting(name)
    return None if shown == name else NameShortened(shown=shown)


def _write_patient(item: WorklistItem, whose: _Whose) -> None:
    if item.patient_issuer != whose.issuer or whose.authority:
        item.patient_authority = whose.authority
    item.patient_issuer, item.patient_id = whose.issuer, whose.patient_id
    item.patient_name = whose.name or item.patient_name
    item.patient_birth_date = whose.birth_date or item.patient_birth_date
    item.patient_sex = whose.sex or item.patient_sex


def _write_order(item: WorklistItem, order: Order, zone: tzinfo) -> None:
    """Write what an order says; what it does not say stays."""
    for name, value in _values(order).items():
        column = WorklistItem.__table__.c[name].type
        longest = column.length if isinstance(column, sa.String) else None
        if value:
            setattr(item, name, value[:longest] if longest else value)
    if order.scheduled_at is not None:
        at = (
            order.scheduled_at if zone in (UTC, MACHINE) else order.scheduled_at.astimezone(zone)
        )  # else as it was written
        item.scheduled_date, item.scheduled_time = at.date(), at.time().replace(microsecond=0)


def _values(order: Order) -> dict[str, str]:
    titles = [one.strip()[:SHORT] for one in order.station_ae_titles if one.strip() and "\\" not in one]
    return {
        "placer_number": order.placer_number,
        "filler_number": order.filler_number,
        "accession_number": order.accession_number,
        "accession_authority": order.accession_authority.text,
        "requested_procedure_id": order.requested_procedure_id,
        "step_id": order.scheduled_step_id,
        "study_uid": order.study_uid,
        "procedure_code": order.procedure.code,
        "procedure_text": order.procedure.text,
        "procedure_scheme": order.procedure.scheme,
        "protocol_code": order.protocol.code,
        "protocol_text": order.protocol.text,
        "protocol_scheme": order.protocol.scheme,
        "modality": order.modality.upper()[:SHORT],
        "station_ae_titles": "\\" + "\\".join(titles) + "\\" if titles else "",
        "station_name": order.station_name[:SHORT],
        "location": order.location[:SHORT],
        "priority": PRIORITIES.get(order.priority, order.priority.upper()[:SHORT]),
        "reason": order.reason,
        "requesting_physician": order.requesting_physician,
        "performing_physician": order.performing_physician,
        "comments": order.comments,
    }
