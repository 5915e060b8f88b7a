"""What a rule may ask of a study: a field, a test and values; checked where they come in, compared elsewhere.

A field is one of `FIELDS` or a DICOM attribute by keyword or tag. What is asked of a sender (source, AE titles) holds
of one sender, what is asked of a series of one series: a rule of knees by MR is not for a knee by CT with a head by MR.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from radrelay.dicom.dictionary import keyword_of, tag_of, vr_of
from radrelay.dicom.index import SERIES_TAGS, STUDY_TAGS
from radrelay.routing.rules.comparing import LONGEST, ORDERED, TESTS, WITHOUT_VALUE, Test, number, plain
from radrelay.routing.rules.errors import RuleInvalid

Level = Literal["study", "sender", "series"]
SENDER_FIELDS = ("source", "calling_ae", "called_ae", "host")
STUDY_FIELDS = ("brought_by", "visible_to", "weekday", "time", "megabytes", "objects", "series")
FIELDS = (*SENDER_FIELDS, *STUDY_FIELDS)
IDS = frozenset({"source", "brought_by", "visible_to"})
COUNTED = frozenset({"megabytes", "objects", "series"})
MOST_CONDITIONS = 50
MOST_VALUES = 200
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_TEXTUAL = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_WITH_TESTS: Mapping[str, tuple[Test, ...]] = {
    "source": ("is", "is-not"),
    "brought_by": ("is", "is-not"),
    "visible_to": ("is", "is-not"),
    "weekday": ("is", "is-not"),
    "time": ("between",),
    **dict.fromkeys(COUNTED, ("at-least", "at-most", "between")),
    **dict.fromkeys(
        ("calling_ae", "called_ae", "host"), ("is", "is-not", "begins", "contains", "like", "present", "absent")
    ),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, a test and the values of which any fits; an attribute's field is its tag as eight hexadecimal digits."""

    field: str
    test: Test
    values: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """Whether it is asked of the study, of one sender or of one series."""
        if self.field in SENDER_FIELDS:
            return "sender"
        return "study" if self.field in STUDY_FIELDS or int(self.field, 16) in _OF_STUDY else "series"

    @property
    def as_text(self) -> bool:
        """Whether its values are compared by spellings, not letter by letter."""
        return self.field not in FIELDS and vr_of(int(self.field, 16)) in _TEXTUAL

    @property
    def header_tag(self) -> int | None:
        """The tag of an attribute that the index does not keep: it is read from the first object of each series."""
        if self.field in FIELDS or int(self.field, 16) in _OF_STUDY or int(self.field, 16) in SERIES_TAGS:
            return None
        return int(self.field, 16)

    def told(self) -> dict[str, object]:
        """Return it as it is kept and shown."""
        return {"field": self.field, "test": self.test, "values": list(self.values)}


_OF_STUDY = frozenset(STUDY_TAGS) - {0x00080005, 0x00080080}
"""Attributes of which a study has one value. The institution is a series' (PS3.3 C.7.5.1)."""


def field_named(text: str) -> str:
    """Return a field as conditions have it; raises `RuleInvalid` for what is neither a field nor an attribute."""
    clean = text.strip()
    if clean in FIELDS:
        return clean
    found = _TAG.fullmatch(clean)
    tag = int(found[1] + found[2], 16) if found else tag_of(clean)
    if tag is None or not tag & 0xFFFF or tag < 0x00080000 or tag >> 16 == 0x7FE0 or vr_of(tag) == "SQ":
        raise RuleInvalid(
            f"{clean[:64]!r} is neither a field nor a DICOM attribute that rules can look at", field="field"
        )
    return f"{tag:08X}"


def name_of_field(field: str) -> str:
    """Return a field's own name, or an attribute's keyword where the dictionary has one."""
    return field if field in FIELDS else keyword_of(int(field, 16)) or field


def condition(field: str, test: str, values: Sequence[str]) -> Condition:
    """Return a condition from what was typed; raises `RuleInvalid`, naming what cannot be."""
    known = field_named(field)
    allowed = _WITH_TESTS.get(known, TESTS)
    if test not in allowed:
        raise RuleInvalid(f"{name_of_field(known)} cannot be tested by {test[:32]!r}", field="test")
    clean = tuple(dict.fromkeys(" ".join(one.split()) for one in values if one.strip()))
    _check_values(known, test, clean)
    return Condition(known, test, clean)


def _check_values(field: str, test: str, values: tuple[str, ...]) -> None:
    name = name_of_field(field)
    if test in WITHOUT_VALUE:
        if values:
            raise RuleInvalid(f"{name}: {test} has no values", field="values")
        return
    if not values or len(values) > MOST_VALUES or any(len(one) > LONGEST or not one.isprintable() for one in values):
        raise RuleInvalid(f"{name}: 1 to {MOST_VALUES} values on one line each", field="values")
    if test in ORDERED:
        if len(values) != (2 if test == "between" else 1) or any(number(one) is None for one in values):
            words = "two numbers, days or times" if test == "between" else "one number, day or time"
            raise RuleInvalid(f"{name}: {test} needs {words}", field="values")
    elif not all(plain(one) for one in values):
        raise RuleInvalid(f"{name}: a value says nothing that could be compared", field="values")
    _check_kind(field, values)


def _check_kind(field: str, values: tuple[str, ...]) -> None:
    fits = True
    if field in IDS:
        fits = all(_is_id(one) for one in values)
    elif field == "weekday":
        fits = all(one in "0123456" and len(one) == 1 for one in values)
    elif field == "time":
        fits = all(_TIME.fullmatch(one) for one in values)
    if not fits:
        raise RuleInvalid(f"{field}: that is no value of it", field="values")


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def conditions_from(given: Sequence[Mapping[str, object]]) -> tuple[Condition, ...]:
    """Return conditions as they are kept or were sent; raises `RuleInvalid`."""
    if len(given) > MOST_CONDITIONS:
        raise RuleInvalid(f"a rule has at most {MOST_CONDITIONS} conditions", field="when")
    found = []
    for one in given:
        values = one.get("values") or ()
        if not isinstance(values, list | tuple):
            raise RuleInvalid("values are a list", field="values")
        found.append(condition(str(one.get("field", "")), str(one.get("test", "")), [str(value) for value in values]))
    return tuple(found)
