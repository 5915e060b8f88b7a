"""From a message to what it says, by a site's mapping; what must be there and is not is an error with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from radrelay.hl7.content.observations import UID, documents_of, study_uids_of, text_of
from radrelay.hl7.content.reader import MOST_CHARACTERS, Found, Reader
from radrelay.hl7.content.views import ADT_EVENTS, Adt, Change, Merge, Order, Patient, Report
from radrelay.hl7.errors import (
    EventUnsupported,
    FieldBroken,
    FieldMissing,
    SegmentMissing,
    TypeUnsupported,
    VersionUnsupported,
)
from radrelay.hl7.mapping.rules import Mapping
from radrelay.hl7.message.acknowledging import minor_version
from radrelay.hl7.message.header import Header, header_of
from radrelay.hl7.message.model import Message
from radrelay.hl7.message.times import parse_time

ORDERS = {"ORM": ("O01",), "OMI": ("O23",), "OMG": ("O19",)}
REPORTS = {"ORU": ("R01",), "MDM": ("T02",)}
TYPES: dict[str, tuple[str, ...]] = {"ADT": tuple(ADT_EVENTS), **ORDERS, **REPORTS}
"""The messages that something can follow from."""


def change_of(kind: str) -> Change | None:
    """Return what messages of a kind (`ADT^A01`) are about, None for one that nothing follows from."""
    type_, _, event = kind.partition("^")
    if event not in TYPES.get(type_, ()):
        return None
    return "patient" if type_ == "ADT" else "order" if type_ in ORDERS else "report"


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says. Of one that is taken and about nothing that is known here all but `header` is empty.

    `found` tells where each attribute came from, for whoever tries a mapping.
    """

    header: Header
    change: Change | None = None
    patient: Patient | None = None
    adt: Adt | None = None
    orders: tuple[Order, ...] = ()
    reports: tuple[Report, ...] = ()
    found: tuple[Found, ...] = ()

    @property
    def patients(self) -> tuple[Patient, ...]:
        """Return everybody whom it is about."""
        if self.patient is None:
            return ()
        merged = [one for merge in (self.adt.merges if self.adt else ()) for one in (merge.patient, merge.prior)]
        return tuple({one.key: one for one in (self.patient, *merged)}.values())


def read(message: Message, mapping: Mapping) -> Content:
    """Return what a message says; raises an error of `MessageRefused`."""
    header = header_of(message, mapping.zone)
    if not header.type:
        raise FieldMissing("MSH-9 does not say what the message is", "MSH-9")
    if header.version and minor_version(header.version) is None:
        raise VersionUnsupported(f"version {header.version[:20]} is not spoken here", "MSH-12")
    if not _is_taken(header, message, mapping):
        return Content(header)
    reader = Reader(mapping, message)
    patient = reader.patient()
    if header.type == "ADT":
        adt = _adt(header, reader, patient)
        return Content(header, "patient", patient, adt, found=tuple(reader.found))
    if header.type in ORDERS:
        orders = tuple(_orders(reader))
        return Content(header, "order", patient, orders=orders, found=tuple(reader.found))
    reports = tuple(_reports(header, reader))
    return Content(header, "report", patient, reports=reports, found=tuple(reader.found))


def _is_taken(header: Header, message: Message, mapping: Mapping) -> bool:
    """Say whether something follows from the message; raises what it is refused by where others are refused."""
    if mapping.ignores(message):
        return False
    if header.event in TYPES.get(header.type, ()):
        return True
    if mapping.others == "ignore":
        return False
    if header.type in TYPES:
        raise EventUnsupported(f"{header.kind[:20]} is not taken here", "MSH-9.2")
    raise TypeUnsupported(f"{header.kind[:20]} is not taken here", "MSH-9.1")


def _adt(header: Header, reader: Reader, patient: Patient) -> Adt:
    event = ADT_EVENTS[header.event]
    merges: tuple[Merge, ...] = ()
    if event in ("merge", "change-id"):
        merges = tuple(reader.within(one).merge() for one in reader.message.groups("PID"))
    told = reader.message.first("EVN")
    happened = None if told is None else parse_time(told.value(6) or told.value(2), reader.mapping.zone)
    entered = "" if told is None else told.value(2)
    recorded = parse_time(entered, reader.mapping.zone) if len(entered) > len("YYYYMMDD") else None
    return Adt(event, patient, reader.visit(), merges, happened, recorded)


def _orders(reader: Reader) -> Iterator[Order]:
    groups = reader.message.groups("ORC", "OBR")
    if not groups:
        raise SegmentMissing("an order has an ORC", "ORC")
    for group in groups:
        steps = [one for one in group.segments if one.name == "IPC"]
        rest = tuple(one for one in group.segments if one.name != "IPC")
        for part in [Message((*rest, step)) for step in steps] or [group]:
            yield _order(reader.within(part))


def _order(reader: Reader) -> Order:
    control = reader.text("order.control")
    if not control:
        raise FieldMissing("the order does not say what is to be done with it", "ORC-1")
    found = {name: reader.text(f"order.{name}") for name in ("placer_number", "filler_number", "accession_number")}
    if not any(found.values()):
        raise FieldMissing("the order has no number", "ORC-2")
    for name, text in found.items():
        if len(text) > MOST_CHARACTERS:
            raise FieldBroken(f"the order's {name.replace('_', ' ')} is longer than {MOST_CHARACTERS}", "ORC-2")
    return Order(
        control=control,
        status=reader.text("order.status"),
        **found,
        accession_authority=reader.accession_authority(found["accession_number"]),
        requested_procedure_id=reader.text("order.requested_procedure_id"),
        scheduled_step_id=reader.text("order.scheduled_step_id"),
        study_uid=_uid(reader, "order.study_uid"),
        procedure=reader.code("order.procedure"),
        protocol=reader.code("order.protocol"),
        modality=reader.text("order.modality"),
        scheduled_at=reader.time("order.scheduled_at"),
        station_ae_titles=reader.texts("order.station_ae_titles"),
        station_name=reader.text("order.station_name"),
        location=reader.text("order.location"),
        priority=reader.text("order.priority"),
        reason=reader.text("order.reason"),
        requesting_physician=reader.name("order.requesting_physician"),
        performing_physician=reader.name("order.performing_physician"),
        comments=reader.text("order.comments"),
    )


def _uid(reader: Reader, attribute: str) -> str:
    """Return a UID; raises `FieldBroken` for what is none: an image that carried it would not be found."""
    uid = reader.text(attribute)
    if uid and (not UID.fullmatch(uid) or len(uid) > MOST_CHARACTERS):
        raise FieldBroken("the Study Instance UID is none", reader.found[-1].place)
    return uid


def _reports(header: Header, reader: Reader) -> Iterator[Report]:
    message = reader.message
    if header.type == "MDM":
        if message.first("TXA") is None:
            raise SegmentMissing("a document's message has a TXA", "TXA")
        groups = [message]
    else:
        groups = message.groups("ORC", "OBR")
        if not any(one.first("OBR") for one in groups):
            raise SegmentMissing("a result has an OBR", "OBR")
    for group in groups:
        yield _report(reader.within(group))


def _report(reader: Reader) -> Report:
    observations = list(reader.message.every("OBX"))
    named = _uid(reader, "report.study_uid")
    uids = tuple(dict.fromkeys((*((named,) if named else ()), *study_uids_of(observations))))
    return Report(
        title=reader.text("report.title"),
        status=reader.text("report.status"),
        text=text_of(observations),
        documents=documents_of(observations),
        document_number=reader.text("report.document_number"),
        placer_number=reader.text("report.placer_number"),
        filler_number=reader.text("report.filler_number"),
        accession_number=reader.text("report.accession_number"),
        study_uids=uids,
        author=reader.name("report.author"),
        at=reader.time("report.at"),
    )
