"""Attributes of one message, or of one of its groups, by a mapping; notes where each came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from radrelay.hl7.content.views import Merge, Patient, Visit
from radrelay.hl7.errors import FieldBroken, FieldMissing, SegmentMissing
from radrelay.hl7.mapping.rules import Mapping, Source
from radrelay.hl7.message.datatypes import (
    Authority,
    Coded,
    Identifier,
    coded,
    dicom_name,
    entity_authority,
    identifier,
    person_name,
)
from radrelay.hl7.message.model import Message, Segment, picked
from radrelay.hl7.message.times import parse_date, parse_time

MOST_CHARACTERS = 64
"""A patient ID, an accession number and the like are no longer than this in DICOM (LO)."""
_ENTITIES = frozenset({("IPC", 1), ("ORC", 2), ("ORC", 3), ("OBR", 2), ("OBR", 3)})
"""Fields of orders that hold an EI: the number, and who issued it."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where an attribute came from: a place, or empty for a fixed value."""

    attribute: str
    place: str
    text: str


class Reader:
    """Reads attributes of one message; `found` grows with each."""

    def __init__(self, mapping: Mapping, message: Message, found: list[Found] | None = None) -> None:
        self.mapping = mapping
        self.message = message
        self.found: list[Found] = [] if found is None else found

    def within(self, message: Message) -> Reader:
        """Return a reader of a part of the message, which notes in the same list."""
        return Reader(self.mapping, message, self.found)

    def text(self, attribute: str) -> str:
        """Return an attribute's text, empty where no place holds any."""
        for source in self.mapping.sources(attribute):
            text = source.text(self.message)
            if text:
                return self._note(attribute, source, text)
        return ""

    def name(self, attribute: str) -> str:
        """Return a physician (XCN, or NDL) as a DICOM person name; of one without name the identifier."""
        for source, raw, segment in self._raw(attribute):
            encoding = segment.encoding
            first = raw.partition(encoding.component)[0] if encoding.component else raw
            if source.place is not None and source.place.component:
                text = source.text(self.message)
            elif encoding.subcomponent and encoding.subcomponent in first:  # NDL: its name is one component
                inner = encoding._replace(component=encoding.subcomponent, subcomponent="")
                text = person_name(first, inner, 1).dicom
            else:
                text = person_name(raw, encoding, 1).dicom or source.text(self.message)
            if text:
                return self._note(attribute, source, text)
        return ""

    def code(self, attribute: str) -> Coded:
        """Return a coded value."""
        for source, raw, segment in self._raw(attribute):
            value = coded(raw, segment.encoding)
            if value.code or value.text:
                self._note(attribute, source, f"{value.code} {value.text}".strip())
                return value
        return Coded()

    def time(self, attribute: str) -> datetime | None:
        """Return a moment; what is none counts as not said."""
        for source in self.mapping.sources(attribute):
            at = parse_time(source.text(self.message), self.mapping.zone)
            if at is not None:
                self._note(attribute, source, at.isoformat())
                return at
        return None

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Return an attribute's text in every repetition of the first place that has any."""
        for source in self.mapping.sources(attribute):
            if source.place is None or source.raw(self.message) is None:
                continue
            segment = self.message.first(source.place.segment)
            count = len(segment.repetitions(source.place.field)) if segment is not None else 0
            places = (source.place._replace(repetition=number) for number in range(1, count + 1))
            found = tuple(filter(None, (place.text(self.message) for place in places)))
            if found:
                self._note(attribute, source, ", ".join(found))
                return found
        return ()

    def patient(self) -> Patient:
        """Return whom the message is about; raises `SegmentMissing`, `FieldMissing` and `FieldBroken`."""
        segment = self.message.first("PID")
        if segment is None:
            raise SegmentMissing("the message has no PID, which says whom it is about", "PID")
        own = self._identifier("patient.identifier")
        if own is None:
            raise FieldMissing("the message names no patient ID", self._asked("patient.identifier", "PID-3.1"))
        return Patient(
            patient_id=own.value,
            issuer=self.mapping.issuer(own.authority.name),
            name=self._person("patient.name"),
            birth_date=self._birth_date(),
            sex=self.text("patient.sex"),
            account_number=self.text("patient.account_number"),
            identifiers=_identifiers(segment, 3),
            authority=own.authority,
            cleared=frozenset(self._cleared()),
        )

    def merge(self) -> Merge:
        """Return who goes on and who is no more; raises as `patient`."""
        patient = self.patient()
        segment = self.message.first("MRG")
        if segment is None:
            raise SegmentMissing("a merge without MRG does not say which patient is no more", "MRG")
        own = self._identifier("prior.identifier")
        if own is None:
            at = self._asked("prior.identifier", "MRG-1.1")
            raise FieldMissing("the merge does not name the ID that is no more", at)
        prior = Patient(
            own.value,
            self.mapping.issuer(own.authority.name),
            self._person("prior.name"),
            identifiers=_identifiers(segment, 1),
            authority=own.authority,
        )
        if prior.key == patient.key:
            raise FieldBroken("the ID that is no more is the one that goes on", "MRG-1")
        return Merge(patient, prior)

    def accession_authority(self, number: str) -> Authority:
        """Return who issued an order's accession number: said with it (EI), or with the number that is the same."""
        for attribute in ("accession_number", "filler_number", "placer_number"):
            for source, raw, segment in self._raw(f"order.{attribute}"):
                place = source.place
                if place is None or (place.segment, place.field) not in _ENTITIES or place.component > 1:
                    continue
                told = entity_authority(raw, segment.encoding)
                if told.name and picked(raw, segment.encoding) == number:
                    return told
        return Authority()

    def visit(self) -> Visit:
        """Return where the patient is."""
        text = self.text
        return Visit(
            patient_class=text("visit.patient_class"),
            ward=text("visit.ward"),
            room=text("visit.room"),
            bed=text("visit.bed"),
            facility=text("visit.facility"),
            prior_ward=text("visit.prior_ward"),
            number=text("visit.number"),
            attending=self.name("visit.attending"),
            referring=self.name("visit.referring"),
            admitted_at=self.time("visit.admitted_at"),
            discharged_at=self.time("visit.discharged_at"),
        )

    def _raw(self, attribute: str) -> Iterator[tuple[Source, str, Segment]]:
        for source in self.mapping.sources(attribute):
            found = source.raw(self.message)
            if found is not None:
                yield source, *found

    def _identifier(self, attribute: str) -> Identifier | None:
        for source, raw, segment in self._raw(attribute):
            value = identifier(raw, segment.encoding)
            if not value.value:
                continue
            if len(value.value) > MOST_CHARACTERS or "\\" in value.value or not value.value.isprintable():
                raise FieldBroken("a patient ID that DICOM cannot hold", str(source.place))
            named, issuer = value.authority.name, self.mapping.issuer(value.authority.name)
            known = named if issuer == named else f"{named or '–'} → {issuer}"
            self._note(attribute, source, f"{value.value} ({known})" if known else value.value)
            return value
        return None

    def _person(self, attribute: str) -> str:
        for source in self.mapping.sources(attribute):
            if source.place is None or source.raw(self.message) is None:
                continue
            segment = self.message.first(source.place.segment)
            if segment is None:
                continue
            raw = [one for one in segment.repetitions(source.place.field) if source.picks(one, segment)]
            name = dicom_name([person_name(one, segment.encoding) for one in raw])
            if name:
                return self._note(attribute, source, name)
        return ""

    def _birth_date(self) -> date | None:
        for source in self.mapping.sources("patient.birth_date"):
            day = parse_date(source.text(self.message))
            if day is not None:
                self._note("patient.birth_date", source, day.isoformat())
                return day
        return None

    def _cleared(self) -> Iterator[str]:
        for name in ("name", "birth_date", "sex", "account_number"):
            places = [one.place for one in self.mapping.sources(f"patient.{name}") if one.place is not None]
            segments = [(place, self.message.first(place.segment)) for place in places]
            if any(segment is not None and segment.is_null(place.field) for place, segment in segments):
                yield name

    def _asked(self, attribute: str, otherwise: str) -> str:
        places = [str(one.place) for one in self.mapping.sources(attribute) if one.place is not None]
        return places[0] if places else otherwise

    def _note(self, attribute: str, source: Source, text: str) -> str:
        self.found.append(Found(attribute, "" if source.place is None else str(source.place), text))
        return text


def _identifiers(segment: Segment, field: int) -> tuple[Identifier, ...]:
    found = (identifier(one, segment.encoding) for one in segment.repetitions(field))
    return tuple(one for one in found if one.value)
