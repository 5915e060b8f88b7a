"""A message as it is: segments of fields, not yet unescaped, in the sender's own delimiters.

Places are counted as HL7 counts them: `segment.value(3)` of a PID is PID-3, and MSH-1 is the field separator. A place
that the message does not have is empty. What is read in order to be shown or compared comes from `value`, which picks
one component and unescapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from radrelay.hl7.message.encoding import STANDARD, Encoding
from radrelay.hl7.message.escapes import escape, unescape

NULL = '""'
"""A field that says: there is nothing here, and what you have is to be deleted (HL7 v2.5 2.5.3)."""
HEADERS = ("MSH", "BHS", "FHS")


class Segment(NamedTuple):
    """A segment: its name, then its fields as they stand in the message; of a header the delimiters among them."""

    fields: tuple[str, ...]
    encoding: Encoding = STANDARD

    @property
    def name(self) -> str:
        """Return the segment's name: PID."""
        return self.fields[0]

    def raw(self, field: int) -> str:
        """Return a field as it stands."""
        return self.fields[field] if field < len(self.fields) else ""

    def repetitions(self, field: int) -> list[str]:
        """Return a field's repetitions as they stand; an empty field has none."""
        whole = self.raw(field)
        if not whole:
            return []
        mark = self.encoding.repetition
        return whole.split(mark) if mark else [whole]

    def value(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return the text of a component of a field's first repetition; a component without parts is its first."""
        whole = self.raw(field)
        if not whole or (self.name in HEADERS and field <= 2):
            return whole
        mark = self.encoding.repetition
        return picked(whole.partition(mark)[0] if mark else whole, self.encoding, component, subcomponent)

    def is_null(self, field: int) -> bool:
        """Say whether the field asks for what is kept to be deleted."""
        return self.raw(field) == NULL


def parts(raw: str, mark: str) -> list[str]:
    """Return what a delimiter parts; without that delimiter there is one part."""
    return raw.split(mark) if mark else [raw]


def picked(raw: str, encoding: Encoding, component: int = 1, subcomponent: int = 1) -> str:
    """Return the text of one component of a repetition, without blanks around it; empty for `""`."""
    for mark, place in ((encoding.component, component), (encoding.subcomponent, subcomponent)):
        if mark and mark in raw:
            found = raw.split(mark, place)
            if place > len(found):
                return ""
            raw = found[place - 1]
        elif place > 1:
            return ""
    return "" if not raw or raw == NULL else unescape(raw, encoding).strip()


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message; the first segment is its MSH."""

    segments: tuple[Segment, ...]

    @property
    def encoding(self) -> Encoding:
        """Return how it is written."""
        return self.segments[0].encoding

    @property
    def header(self) -> Segment:
        """Return the MSH."""
        return self.segments[0]

    def first(self, name: str) -> Segment | None:
        """Return the first segment of this name."""
        for segment in self.segments:
            if segment.fields[0] == name:
                return segment
        return None

    def every(self, name: str) -> Iterator[Segment]:
        """Yield the segments of this name in their order."""
        return (segment for segment in self.segments if segment.fields[0] == name)

    def groups(self, *beginnings: str) -> list[Message]:
        """Return the message's groups, each beginning with a segment of these names, what is before them in each.

        Of several names in a row (ORC and then OBR) the first begins the group.
        """
        before: list[Segment] = []
        found: list[list[Segment]] = []
        seen: set[str] = set()
        for segment in self.segments:
            name = segment.fields[0]
            if name in beginnings and (not found or name in seen or _later(beginnings, name, seen)):
                found.append([])
                seen = set()
            if found:
                found[-1].append(segment)
                seen.add(name)
            else:
                before.append(segment)
        return [Message((*before, *one)) for one in found]


def _later(beginnings: Sequence[str], name: str, seen: set[str]) -> bool:
    """Say whether a segment that stands before `name` in a group comes after it here."""
    place = beginnings.index(name)
    return any(one in seen for one in beginnings[place + 1 :])


@dataclass(frozen=True, slots=True)
class Field:
    """What is to be written into a field: repetitions, each a list of components."""

    repetitions: tuple[Sequence[str | Sequence[str]], ...]

    @classmethod
    def of(cls, repetitions: Iterable[Sequence[str | Sequence[str]]]) -> Field:
        """Return a field of these repetitions."""
        return cls(tuple(repetitions))


Written = str | Sequence[str | Sequence[str]] | Field
"""A field to be written: text, components, or components of subcomponents; `Field` for repetitions."""


def segment_of(name: str, fields: Sequence[Written], encoding: Encoding = STANDARD) -> Segment:
    """Return a segment with these fields, escaped; those at the end that are empty are left out."""
    written = [_field(one, encoding) for one in fields]
    while written and not written[-1]:
        written.pop()
    if name in HEADERS:
        written = [encoding.field, encoding.characters, *written]
    return Segment((name, *written), encoding)


def _field(given: Written, encoding: Encoding) -> str:
    if isinstance(given, str):
        return given if given == NULL else escape(given, encoding)
    if isinstance(given, Field):
        return encoding.repetition.join(_components(one, encoding) for one in given.repetitions)
    return _components(given, encoding)


def _components(given: Sequence[str | Sequence[str]], encoding: Encoding) -> str:
    written = [
        escape(one, encoding)
        if isinstance(one, str)
        else encoding.subcomponent.join(escape(part, encoding) for part in one).rstrip(encoding.subcomponent or None)
        for one in given
    ]
    return encoding.component.join(written).rstrip(encoding.component or None)
