"""A mapping as it is applied: for each attribute the places that are looked at in turn, and on which conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from radrelay.hl7.errors import MappingInvalid
from radrelay.hl7.message.model import NULL, Message, Segment, picked

Others = Literal["refuse", "ignore"]
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})-(\d{1,3})(?:\[(\d{1,3})\])?(?:\.(\d{1,2})(?:\.(\d{1,2}))?)?")


class Place(NamedTuple):
    """A place in a message: `PID-3[2].4.1` is segment, field, repetition, component, subcomponent; 0 is not said."""

    segment: str
    field: int
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0

    def __str__(self) -> str:
        repetition = f"[{self.repetition}]" if self.repetition else ""
        component = f".{self.component}" if self.component else ""
        subcomponent = f".{self.subcomponent}" if self.subcomponent else ""
        return f"{self.segment}-{self.field}{repetition}{component}{subcomponent}"

    @classmethod
    def of(cls, text: str) -> Place:
        """Return the place that `text` names; raises `MappingInvalid`."""
        found = _PLACE.fullmatch(text)
        if found is None or not int(found[2]):
            raise MappingInvalid(f"{text!r} names no place such as PID-3 or PID-3.4.1", place=text)
        return cls(found[1], int(found[2]), *(int(one or 0) for one in found.groups()[2:]))

    def text(self, message: Message) -> str:
        """Return the text at this place of the first segment of its name."""
        segment = message.first(self.segment)
        if segment is None:
            return ""
        if not self.repetition:
            return segment.value(self.field, self.component or 1, self.subcomponent or 1)
        found = segment.repetitions(self.field)
        if self.repetition > len(found):
            return ""
        return picked(found[self.repetition - 1], segment.encoding, self.component or 1, self.subcomponent or 1)


@dataclass(frozen=True, slots=True)
class Condition:
    """Says yes where the text at a place is one of `values` (with `*` for anything), or none of them (`unless`)."""

    place: Place
    values: tuple[str, ...]
    unless: bool = False

    def holds(self, message: Message) -> bool:
        """Say whether it holds for a message."""
        text = self.place.text(message)
        return any(fnmatchcase(text, value) for value in self.values) != self.unless


@dataclass(frozen=True, slots=True)
class Source:
    """Where an attribute may come from: a place, or a value that is given.

    `where` picks, of a field's repetitions, the first whose components are as said; `table` translates what is found.
    """

    place: Place | None = None
    value: str = ""
    where: Table[int, tuple[str, ...]] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    table: Table[str, str] = field(default_factory=dict)

    def raw(self, message: Message) -> tuple[str, Segment] | None:
        """Return the repetition that is meant, as it stands, with its segment; None where there is nothing."""
        if self.place is None or not all(condition.holds(message) for condition in self.conditions):
            return None
        segment = message.first(self.place.segment)
        if segment is None:
            return None
        for number, one in enumerate(segment.repetitions(self.place.field), 1):
            if self.place.repetition in (0, number) and one and one != NULL and self.picks(one, segment):
                return one, segment
        return None

    def text(self, message: Message) -> str:
        """Return the text that it gives, empty for none."""
        if self.place is None:
            return self.value if all(condition.holds(message) for condition in self.conditions) else ""
        found = self.raw(message)
        if found is None:
            return ""
        raw, segment = found
        text = picked(raw, segment.encoding, self.place.component or 1, self.place.subcomponent or 1)
        return self.table.get(text, self.table.get("*", text)) if self.table and text else text

    def picks(self, raw: str, segment: Segment) -> bool:
        """Say whether a repetition is one that is meant."""
        return all(picked(raw, segment.encoding, component) in values for component, values in self.where.items())


@dataclass(frozen=True, slots=True)
class Mapping:
    """A site's whole mapping. `issuers` translates assigning authorities to issuers as studies have them."""

    attributes: Table[str, tuple[Source, ...]]
    issuers: Table[str, str] = field(default_factory=dict)
    ignored: tuple[tuple[Condition, ...], ...] = ()
    others: Others = "refuse"
    zone: tzinfo = UTC

    def sources(self, attribute: str) -> tuple[Source, ...]:
        """Return where an attribute (`patient.name`) is looked for."""
        return self.attributes.get(attribute, ())

    def issuer(self, authority: str) -> str:
        """Return the issuer that an assigning authority stands for; one that is not named stands for itself."""
        return self.issuers.get(authority, authority)

    def ignores(self, message: Message) -> bool:
        """Say whether the message is acknowledged and nothing follows from it."""
        return any(all(one.holds(message) for one in conditions) for conditions in self.ignored)
