"""What is done to each attribute of one kind of object: Table E.1-1, the options and the IOD's types made one answer.

In: a project's options and a SOP Class. Out: a step for each tag, mode and parent, worked out once and remembered:
slices of a series ask the same questions.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from radrelay.dicom.deidentify.attribute_types import resolve, type_of
from radrelay.dicom.deidentify.options import Option
from radrelay.dicom.deidentify.profile_table import Row, profile, repeating
from radrelay.dicom.dictionary import keyword_of, vr_of

TEXT_VALUE, UNFORMATTED_TEXT = 0x0040A160, 0x00700006
CONTENT, GRAPHICS, WAVEFORM_NOTES = 0x0040A730, 0x00700001, 0x0040B020
DOCUMENT, BURNED_IN, _FRAME_NUMBERS = 0x00420011, 0x00280301, 0x00081160
CODED_BY_STANDARD = frozenset({0x0040A043, 0x004008EA})
"""Concept names and units: codes that structure a content item and tell nothing of a person."""
SCHEME, MEANING, CODE_TAGS = 0x00080102, 0x00080104, (0x00080100, 0x00080119, 0x00080120)
_FREE_TEXT = frozenset(("LO", "LT", "SH", "ST", "UC", "UT"))
_IDENTIFYING = _FREE_TEXT | {"PN", "AE", "UN"}
_DATES = frozenset(("DA", "DT", "TM"))
_OF_PLACES = (0x0008, 0x0018)
"""Groups whose identifiers are those of institutions and devices, besides staff and accession number."""
_REPLACED = _FREE_TEXT | _DATES | {"AE", "DS", "IS", "UN", "UR"}
BESIDES = frozenset({
    0x00080407, 0x00080408, 0x00080409, 0x0008040B, 0x00081190, 0x00100033, 0x00100034, 0x00181803, 0x00287FE0,
    0x00404073, 0x0040E001, 0x0040E010, 0x0074100A, 0x0074100C,
})  # fmt: skip
"""Addresses, birth dates of other calendars, contacts: not in Table E.1-1, and removed all the same."""
COMMENTS = frozenset({
    0x0022112C, 0x00240044, 0x00287007, 0x0028702A, 0x00400400, 0x00440106, 0x00660004, 0x00741238, 0x01000424,
    0x0018991A, 0x30040006, 0x300600C8, 0x30080202, 0x300A0402,
})  # fmt: skip
"""Comments that Table E.1-1 does not name: any text at all, removed like those that it names, or cleaned."""
_LENGTH_TO_END = 0x00080001
_WRITTEN = frozenset({_LENGTH_TO_END, 0x00120062, 0x00120063, 0x00120064, 0x00280303})


class Mode(Enum):
    """What holds inside a sequence: the table alone, every text cleaned, or every value replaced."""

    TABLE = auto()
    CLEAN = auto()
    DUMMY = auto()


class Step(Enum):
    """What becomes of an element."""

    KEEP = auto()
    DROP = auto()
    """Taken away without a word: group lengths, and what is written anew."""
    REMOVE = auto()
    EMPTY = auto()
    DUMMY = auto()
    UID = auto()
    MOVE = auto()
    CLEAN = auto()
    ITEMS = auto()
    ITEMS_CLEAN = auto()
    ITEMS_DUMMY = auto()
    PRIVATE = auto()
    MEANING = auto()
    CODE = auto()
    AGE = auto()
    PATIENT = auto()
    CHARSET = auto()


class Decision(NamedTuple):
    """A step, and what its value tells: a `name`, a `value` of a person, a `place`, a `date`, or nothing."""

    step: Step
    tells: str = ""


_CHARSET, _ACCESSION = 0x00080005, 0x00080050
_PATIENT = (0x00100010, 0x00100020)


class Plan:
    """The steps for objects of one SOP Class under some options."""

    def __init__(self, options: frozenset[Option], sop_class: str, *, keep_documents: bool, caps_ages: bool) -> None:
        self.options = options
        self.sop_class = sop_class
        self.keep_documents = keep_documents
        self.caps_ages = caps_ages
        self.remembered: dict[tuple[int, Mode], dict[int, Decision]] = {}

    def decisions(self, parent: int, mode: Mode) -> dict[int, Decision]:
        """Return what was decided so far in items of `parent`; `decide` adds to it."""
        return self.remembered.setdefault((parent, mode), {})

    def decide(self, tag: int, parent: int, mode: Mode) -> Decision:
        """Return what becomes of an attribute, and remember it."""
        found = self._decide(tag, parent, mode)
        self.decisions(parent, mode)[tag] = found
        return found

    def _decide(self, tag: int, parent: int, mode: Mode) -> Decision:
        group = tag >> 16
        marked = tag == BURNED_IN and Option.CLEAN_PIXELS in self.options
        if tag & 0xFFFF == 0 or group < 8 or ((tag in _WRITTEN or marked) and not parent):
            return Decision(Step.DROP)
        if group & 1:
            return Decision(Step.PRIVATE)
        row = profile().get(tag) or _repeating_row(tag)
        vr = (row.vr if row is not None else "") or vr_of(tag)
        if tag == MEANING or tag in CODE_TAGS:
            return self._coded(tag, parent, mode)
        if row is not None:
            return self._listed(tag, row, vr, parent, mode)
        if not keyword_of(tag):
            return Decision(Step.REMOVE, "value")  # an attribute that no edition of PS3.6 knows
        return self._unlisted(tag, vr, mode)

    def _coded(self, tag: int, parent: int, mode: Mode) -> Decision:
        if mode is Mode.DUMMY and parent not in CODED_BY_STANDARD:
            return Decision(Step.CODE)
        return Decision(Step.MEANING if tag == MEANING else Step.KEEP)

    def _listed(self, tag: int, row: Row, vr: str, parent: int, mode: Mode) -> Decision:
        code = row.action(self.options)
        if tag == DOCUMENT and self.keep_documents:
            return Decision(Step.KEEP)
        if tag in _PATIENT and not parent:
            return Decision(Step.PATIENT, "name" if vr == "PN" else "value")
        if tag == UNFORMATTED_TEXT and mode is Mode.CLEAN:
            code = "C"
        if code not in ("K", "C"):
            unsure = {"X/Z": "Z", "X/Z/U*": "U"}.get(code, "D")
            code = resolve(code, type_of(tag, parent, self.sop_class), unsure=unsure)
        tells = _tells(row, vr, code)
        if vr == "SQ":
            return Decision(_SEQUENCE_STEPS[code], tells)
        if mode is Mode.DUMMY and code == "K" and vr in _FREE_TEXT:
            code = "D"
        if code == "K":
            return Decision(Step.AGE if vr == "AS" and self.caps_ages else Step.KEEP)
        if code == "C":
            return Decision(_cleaning(tag, vr), tells)
        return Decision(
            _STEPS[code], "place" if tells == "value" and tag >> 16 in _OF_PLACES and tag != _ACCESSION else tells
        )

    def _unlisted(self, tag: int, vr: str, mode: Mode) -> Decision:
        if tag == _CHARSET:
            return Decision(Step.CHARSET)
        if tag >> 24 == 0x60 and self._overlays_go():
            return Decision(Step.REMOVE)
        if vr == "SQ":
            return Decision({Mode.CLEAN: Step.ITEMS_CLEAN, Mode.DUMMY: Step.ITEMS_DUMMY}.get(mode, Step.ITEMS))
        if vr == "PN":
            return Decision(Step.DUMMY, "name")
        if tag in BESIDES:
            return Decision(Step.REMOVE, "value")
        return Decision(self._text(tag, vr, mode), "date" if mode is Mode.DUMMY and vr in ("DA", "DT") else "")

    def _text(self, tag: int, vr: str, mode: Mode) -> Step:
        """Return what becomes of an attribute that the table does not name, which the sequence around it asks for."""
        if tag == TEXT_VALUE and mode is not Mode.CLEAN:
            return Step.DUMMY
        if tag in (SCHEME, _FRAME_NUMBERS):
            return Step.KEEP
        if tag in COMMENTS:
            return Step.CLEAN if Option.CLEAN_DESCRIPTORS in self.options else Step.REMOVE
        if mode is Mode.CLEAN and vr in _FREE_TEXT:
            return Step.CLEAN
        return Step.DUMMY if mode is Mode.DUMMY and vr in _REPLACED else Step.KEEP

    def _overlays_go(self) -> bool:
        return repeating()["60xx3000"].action(self.options) != "C"


_STEPS = {"X": Step.REMOVE, "Z": Step.EMPTY, "D": Step.DUMMY, "U": Step.UID}
_SEQUENCE_STEPS = {
    "X": Step.REMOVE, "Z": Step.EMPTY, "D": Step.ITEMS_DUMMY, "U": Step.ITEMS, "K": Step.ITEMS, "C": Step.ITEMS_CLEAN,
}  # fmt: skip


def _repeating_row(tag: int) -> Row | None:
    rows = repeating()
    if tag >> 24 == 0x50:
        return rows["50xxxxxx"]
    if tag >> 24 == 0x60 and tag & 0xFFFF in (0x3000, 0x4000):
        return rows[f"60xx{tag & 0xFFFF:04x}"]
    return None


def _cleaning(tag: int, vr: str) -> Step:
    """Return how an attribute is cleaned (action C) by what it holds."""
    if vr in _DATES:
        return Step.MOVE
    if vr in _FREE_TEXT or vr == "CS":
        return Step.CLEAN
    if tag >> 24 in (0x50, 0x60):
        return Step.KEEP  # graphics whose kind is a region; the object as a whole is looked at before (`screening`)
    return Step.EMPTY if vr in ("OB", "UN", "UR") else Step.KEEP


def _tells(row: Row, vr: str, code: str) -> str:
    """Return what an attribute that does not stay says of a person.

    Descriptions, which an option may clean, are in common words: these would be missed all over the object.
    """
    if code == "K":
        return ""
    if vr == "PN":
        return "name"
    if vr in ("DA", "DT"):
        return "date"
    if vr in _IDENTIFYING and Option.CLEAN_DESCRIPTORS not in row.options:
        return "value"
    return ""


@lru_cache(maxsize=512)
def plan_of(options: frozenset[Option], sop_class: str, keep_documents: bool, caps_ages: bool) -> Plan:
    """Return the plan for objects of a SOP Class."""
    return Plan(options, sop_class, keep_documents=keep_documents, caps_ages=caps_ages)
