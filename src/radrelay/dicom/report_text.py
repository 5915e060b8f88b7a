"""Structured reports as a tree of readable items (PS3.3 A.35, C.17.3).

In: the header of a report. Out: title, state, authors and the content tree with names, texts, numbers, dates and
references, each as the report has it. Depth, number of items and length of texts are bounded; what was left out is
said. Meanings of codes stay as they were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from radrelay.dicom.header import Header
from radrelay.dicom.values import parse_date, parse_time

MOST_ITEMS = 20_000
MOST_LEVELS = 40
LONGEST_TEXT = 100_000
MOST_TEXT = 4_000_000
MOST_FRAMES = 1000
Kind = Literal[
    "CONTAINER",
    "TEXT",
    "NUM",
    "CODE",
    "DATE",
    "TIME",
    "DATETIME",
    "PNAME",
    "UIDREF",
    "SCOORD",
    "SCOORD3D",
    "TCOORD",
    "IMAGE",
    "WAVEFORM",
    "COMPOSITE",
    "REFERENCE",
    "OTHER",
]


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: meaning as written, and the code that it stands for."""

    meaning: str = ""
    value: str = ""
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that the report points at; `frames` are numbers from 1, none where it means the whole object."""

    sop_uid: str
    sop_class_uid: str
    frames: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Item:
    """One content item. `value` is its text, number, meaning, name or date (ISO 8601 where it is one).

    `target` is the place of the item that it refers to by identifier, `graphic` the form of an outline, `flowing` says
    that what a container holds is read as one running text (PS3.3 C.18.8).
    """

    kind: Kind
    relationship: str
    name: Code
    value: str = ""
    code: Code | None = None
    unit: Code | None = None
    qualifier: str = ""
    graphic: str = ""
    at: str = ""
    flowing: bool = False
    target: list[int] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote or verified the report, for which organisation, and when."""

    name: str
    organization: str = ""
    at: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A report. `shortened` says that it holds more than is given here."""

    title: Code
    completion: str
    completion_text: str
    verification: str
    preliminary: str
    at: str
    institution: str
    authors: list[Author]
    evidence: list[Reference]
    items: list[Item]
    shortened: bool

    def references(self) -> list[Reference]:
        """Return all that the content and its evidence point at."""
        found, waiting = list(self.evidence), list(self.items)
        while waiting:
            item = waiting.pop()
            found += item.references
            waiting += item.items
        return found


def is_report(header: Header) -> bool:
    """Say whether a data set holds a content tree (PS3.3 C.17.3)."""
    return header.text(0x0040A040) == "CONTAINER"


def read_report(header: Header) -> Report:
    """Return the report that a data set holds."""
    reading = _Reading()
    items = reading.items(header, 1)
    return Report(
        title=_code(header, 0x0040A043),
        completion=header.text(0x0040A491),
        completion_text=header.text(0x0040A492),
        verification=header.text(0x0040A493),
        preliminary=header.text(0x0040A496),
        at=_moment(header.text(0x00080023) + header.text(0x00080033)),
        institution=header.text(0x00080080),
        authors=_authors(header),
        evidence=_evidence(header),
        items=items,
        shortened=reading.shortened,
    )


class _Reading:
    """What may still be read."""

    def __init__(self) -> None:
        self.items_left = MOST_ITEMS
        self.text_left = MOST_TEXT
        self.shortened = False

    def items(self, header: Header, level: int) -> list[Item]:
        found: list[Item] = []
        content = header.items(0x0040A730)
        if content and level > MOST_LEVELS:
            self.shortened = True
            return []
        for item in content:
            if self.items_left <= 0:
                self.shortened = True
                break
            self.items_left -= 1
            found.append(self._item(item, level))
        return found

    def _item(self, item: Header, level: int) -> Item:
        kind = _kind(item)
        value, code = self._value(item, kind)
        measured = item.items(0x0040A300)[:1] if kind == "NUM" else []
        return Item(
            kind=kind,
            relationship=item.text(0x0040A010),
            name=_code(item, 0x0040A043),
            value=value,
            code=code,
            unit=_code(measured[0], 0x004008EA) if measured else None,
            qualifier=_code(item, 0x0040A301).meaning,
            graphic=item.text(0x00700023) if kind.startswith("SCOORD") else item.text(0x0040A130),
            at=_moment(item.text(0x0040A032)),
            flowing=item.text(0x0040A050) == "CONTINUOUS",
            target=item.integers(0x0040DB73)[:MOST_LEVELS],
            references=_references(item),
            items=self.items(item, level + 1),
        )

    def _value(self, item: Header, kind: Kind) -> tuple[str, Code | None]:
        if kind == "CODE":
            code = _code(item, 0x0040A168)
            return self._text(code.meaning or code.value), code
        if kind == "NUM":
            measured = item.items(0x0040A300)
            return self._text(measured[0].text(0x0040A30A) if measured else ""), None
        tag = _VALUES.get(kind)
        text = self._text(item.text(tag)) if tag else ""
        return _READ.get(kind, str)(text), None

    def _text(self, text: str) -> str:
        kept = text[: min(LONGEST_TEXT, self.text_left)]
        self.text_left -= len(kept)
        if len(kept) < len(text):
            self.shortened = True
        return kept.replace("\r\n", "\n").replace("\r", "\n")


_VALUES: dict[str, int] = {
    "TEXT": 0x0040A160,
    "DATE": 0x0040A121,
    "TIME": 0x0040A122,
    "DATETIME": 0x0040A120,
    "PNAME": 0x0040A123,
    "UIDREF": 0x0040A124,
}


def _kind(item: Header) -> Kind:
    named = item.text(0x0040A040)
    if named in get_args(Kind) and named not in ("REFERENCE", "OTHER"):
        return cast(Kind, named)
    return "REFERENCE" if 0x0040DB73 in item else "OTHER"


def _code(header: Header, tag: int) -> Code:
    """Return the first code of a sequence, by its short, long or URN form (PS3.3 8.8)."""
    items = header.items(tag)
    if not items:
        return Code()
    value = next((text for at in (0x00080100, 0x00080119, 0x00080120) if (text := items[0].text(at))), "")
    return Code(items[0].text(0x00080104)[:1000], value[:200], items[0].text(0x00080102)[:100])


def _references(item: Header) -> list[Reference]:
    found = []
    for one in item.items(0x00081199)[:MOST_FRAMES]:
        uid = one.text(0x00081155)
        if uid:
            found.append(Reference(uid, one.text(0x00081150), one.integers(0x00081160)[:MOST_FRAMES]))
    return found


def _evidence(header: Header) -> list[Reference]:
    """Return what the report says it is made from (PS3.3 C.17.2.3)."""
    return [
        reference
        for tag in (0x0040A375, 0x0040A385)
        for study in header.items(tag)[:100]
        for series in study.items(0x00081115)[:MOST_FRAMES]
        for reference in _references(series)
    ][:MOST_ITEMS]


def _authors(header: Header) -> list[Author]:
    written = [
        Author(one.person_name(0x0040A123) or one.text(0x00081010), one.text(0x00080080))
        for one in header.items(0x0040A078)[:50]
    ]
    verified = [
        Author(one.person_name(0x0040A075), one.text(0x0040A027), _moment(one.text(0x0040A030)), verified=True)
        for one in header.items(0x0040A073)[:50]
    ]
    return [one for one in (*written, *verified) if one.name or one.organization]


def _moment(text: str) -> str:
    """Return a DT, or a DA and TM behind one another, as ISO 8601 without zone; as it is when it is none."""
    day = parse_date(text)
    if day is None:
        return text
    hour = parse_time(text[8:]) if len(text) > 9 else None
    return f"{day.isoformat()}T{hour.isoformat('seconds')}" if hour else day.isoformat()


def _day(text: str) -> str:
    day = parse_date(text)
    return day.isoformat() if day else text


def _hour(text: str) -> str:
    hour = parse_time(text)
    return hour.isoformat("seconds") if hour else text


_READ = {"DATETIME": _moment, "DATE": _day, "TIME": _hour}
