"""What a modality is told of worklist items: the attributes of PS3.4 table K.6-1, from rows, as it asked for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from radrelay.hl7.models import WorklistItem
from radrelay.hl7.worklist.matching import Item, Value, matches
from radrelay.hl7.worklist.names import fitting
from radrelay.hl7.worklist.ordering import BLANK, OPEN, SHORT, STARTED
from radrelay.network.ports import Element, ElementValue, Key
from radrelay.storage.database import Database

STEP_SEQUENCE, STATION, DAY, MODALITY = 0x00400100, 0x00400001, 0x00400002, 0x00080060
PATIENT_ID, ACCESSION = 0x00100020, 0x00080050
PAGE = 500


@dataclass(frozen=True, slots=True)
class Seeker:
    """Who asks: `own_only` is told only of what is scheduled for its AE title, or for none."""

    organisation_id: uuid.UUID
    ae_title: str
    own_only: bool = False


def find_items(database: Database, seeker: Seeker, keys: Sequence[Key]) -> Iterator[Sequence[Element]]:
    """Yield the open items that match, in the order in which they are due, with the attributes that were asked for."""
    asked = [*_narrowed(keys), *_own(seeker)]
    order = (WorklistItem.scheduled_date, WorklistItem.scheduled_time, WorklistItem.id)
    with database.read() as session:
        ids = session.scalars(
            sa.select(WorklistItem.id)
            .where(WorklistItem.organisation_id == seeker.organisation_id, WorklistItem.state.in_(OPEN), *asked)
            .order_by(*order)
        ).all()
    for begin in range(0, len(ids), PAGE):
        page = ids[begin : begin + PAGE]
        with database.read() as session:
            rows = {row.id: row for row in session.scalars(sa.select(WorklistItem).where(WorklistItem.id.in_(page)))}
            items = [item_of(rows[one]) for one in page if one in rows]
        yield from (answer(item, keys) for item in items if matches(item, keys))


def known_attributes() -> Item:
    """Return the attributes that items have, without values, for the conformance statement."""
    row = WorklistItem(id=uuid.UUID(int=0), patient_birth_date=None, scheduled_date=None, scheduled_time=None, **BLANK)
    row.procedure_code = row.protocol_code = "code"
    return item_of(row)


def item_of(row: WorklistItem) -> Item:
    """Return a row as the attributes that modalities know."""
    own = row.id.hex[-12:]
    number = _short(row.requested_procedure_id, row.accession_number, row.filler_number, row.placer_number, own)
    step: Item = {
        STATION: ("AE", row.station_ae_titles.strip("\\")),
        DAY: ("DA", "" if row.scheduled_date is None else f"{row.scheduled_date:%Y%m%d}"),
        0x00400003: ("TM", "" if row.scheduled_time is None else f"{row.scheduled_time:%H%M%S}"),
        MODALITY: ("CS", row.modality),
        0x00400006: ("PN", fitting(row.performing_physician)),
        0x00400007: ("LO", (row.protocol_text or row.procedure_text)[:64]),
        0x00400008: ("SQ", _code(row.protocol_code, row.protocol_scheme, row.protocol_text)),
        0x00400009: ("SH", _short(row.step_id, own if row.step_id else number)),
        0x00400010: ("SH", row.station_name),
        0x00400011: ("SH", row.location),
        0x00400012: ("LO", ""),
        0x00321070: ("LO", ""),
        0x00400020: ("CS", "STARTED" if row.state == STARTED else "SCHEDULED"),
        0x00400400: ("LT", row.comments),
    }
    born = "" if row.patient_birth_date is None else f"{row.patient_birth_date:%Y%m%d}"
    issuer = row.patient_issuer
    texts: Item = {
        ACCESSION: ("SH", row.accession_number),
        0x00080080: ("LO", ""),
        0x00080090: ("PN", fitting(row.referring_physician)),
        0x00081110: ("SQ", ()),
        0x00081120: ("SQ", ()),
        0x00100010: ("PN", fitting(row.patient_name)),
        PATIENT_ID: ("LO", row.patient_id),
        0x00100021: ("LO", issuer),
        0x00100030: ("DA", born),
        0x00100040: ("CS", row.patient_sex),
        0x00101030: ("DS", ""),
        0x00102000: ("LO", ""),
        0x00102110: ("LO", ""),
        0x001021C0: ("US", ""),
        0x0020000D: ("UI", row.study_uid),
        0x00321032: ("PN", fitting(row.requesting_physician)),
        0x00321033: ("LO", ""),
        0x00321060: ("LO", row.procedure_text[:64]),
        0x00321064: ("SQ", _code(row.procedure_code, row.procedure_scheme, row.procedure_text)),
        0x00380010: ("LO", row.visit_number),
        0x00380050: ("LO", ""),
        0x00380300: ("LO", row.patient_location),
        0x00380500: ("LO", ""),
        STEP_SEQUENCE: ("SQ", (step,)),
        0x00401001: ("SH", number),
        0x00401002: ("LO", row.reason[:64]),
        0x00401003: ("SH", row.priority),
        0x00401004: ("LO", ""),
        0x00401005: ("LO", ""),
        0x00401400: ("LT", row.comments),
        0x00402016: ("LO", row.placer_number),
        0x00402017: ("LO", row.filler_number),
        0x00402400: ("LT", ""),
        0x00403001: ("LO", ""),
    }
    return texts


def answer(item: Item, keys: Sequence[Key]) -> list[Element]:
    """Return what was asked for of an item; empty what it does not have, whole sequences where no item says more."""
    return [(key.tag, *_answered(item.get(key.tag), key)) for key in keys]


def _answered(attribute: tuple[str, Value] | None, key: Key) -> tuple[str, ElementValue]:
    if attribute is None:
        return key.vr, [] if key.vr == "SQ" else ""
    vr, value = attribute
    if isinstance(value, str):
        return vr, value
    wanted = key.items[0] if key.items else ()
    return vr, [answer(one, wanted) if wanted else _whole(one) for one in value]


def _whole(item: Item) -> list[Element]:
    return [
        (tag, vr, value if isinstance(value, str) else [_whole(one) for one in value])
        for tag, (vr, value) in item.items()
    ]


def _short(*numbers: str) -> str:
    """Return the first number that SH can hold (16 characters)."""
    return next(one for one in numbers if one and len(one) <= SHORT)


def _code(code: str, scheme: str, text: str) -> Sequence[Item]:
    """Return a code sequence (PS3.3 8.8); without a code there is none."""
    if not code:
        return ()
    name = 0x00080100 if len(code) <= 16 else 0x00080119  # Long Code Value
    vr = "SH" if len(code) <= 16 else "UC"
    return (
        {name: (vr, code), 0x00080102: ("SH", (scheme or "99LOCAL")[:16]), 0x00080104: ("LO", (text or code)[:64])},
    )


def _narrowed(keys: Sequence[Key]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield what the database can tell of the keys, so that few rows are looked at one by one."""
    top = {key.tag: key for key in keys}
    step = top[STEP_SEQUENCE].items if STEP_SEQUENCE in top else ()
    inner = {key.tag: key.text for key in step[0]} if step else {}
    for column, text in (
        (WorklistItem.patient_id, top[PATIENT_ID].text if PATIENT_ID in top else ""),
        (WorklistItem.accession_number, top[ACCESSION].text if ACCESSION in top else ""),
        (WorklistItem.modality, inner.get(MODALITY, "")),
    ):
        if text and not set("*?\\") & set(text):
            yield column == text
    station = inner.get(STATION, "")
    if station and not set("*?\\") & set(station):
        yield WorklistItem.station_ae_titles.contains(f"\\{station}\\", autoescape=True)


def _own(seeker: Seeker) -> Iterator[sa.ColumnElement[bool]]:
    if seeker.own_only:
        mine = WorklistItem.station_ae_titles.contains(f"\\{seeker.ae_title}\\", autoescape=True)
        yield sa.or_(WorklistItem.station_ae_titles == "", mine)
