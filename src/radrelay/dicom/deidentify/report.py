"""What was done to an object and to a study, said without any value that was there before.

In: the changes as the engine makes them. Out: counts by attribute and outcome, warnings, and the sum over a study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from radrelay.dicom.dictionary import keyword_of


class Outcome(StrEnum):
    """What became of an attribute that did not stay as it was, or was kept on purpose."""

    REMOVED = "removed"
    EMPTIED = "emptied"
    REPLACED = "replaced"
    UID_REPLACED = "uid-replaced"
    DATE_MOVED = "date-moved"
    CLEANED = "cleaned"
    PRIVATE_REMOVED = "private-removed"
    PRIVATE_KEPT = "private-kept"
    SCRUBBED = "scrubbed"
    """A value of the patient or staff stood in an attribute that otherwise stays, and was taken out there."""
    PIXELS_COVERED = "pixels-covered"
    NOTES_REMOVED = "notes-removed"
    """Comments and camera notes within coded pictures."""
    FACE_REMOVED = "face-removed"
    KEPT = "kept"
    """An attribute of the first level that stayed as it was; counted by who reports on a study."""


class Warned(StrEnum):
    """What a person should look at, although the object passed."""

    FACE = "recognisable-face"
    REENCODED = "pixels-uncompressed"
    """Pixels of a lossy source were covered and stand uncompressed now: nothing more is lost."""
    DOCUMENT_KEPT = "document-kept"
    MARKED_EARLIER = "identity-removed-earlier"


class Reason(StrEnum):
    """Why an object cannot be made safe."""

    UNREADABLE = "unreadable"
    CUT_OFF = "cut-off"
    UNKNOWN_CLASS = "unknown-class"
    BURNED_IN = "burned-in-text"
    MAYBE_BURNED_IN = "maybe-burned-in-text"
    SCREEN_CAPTURE = "screen-capture"
    SLIDE_LABEL = "slide-label"
    DOCUMENT = "encapsulated-document"
    VOICE = "voice"
    FACE = "recognisable-face"
    EMBEDDED_OVERLAY = "embedded-overlay"
    TOO_LARGE = "too-large"
    GONE = "gone"
    """Deleted, or out of reach, while its study was handed out."""


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute and what became of it; `path` holds the tags of the sequences around it, its own last."""

    path: tuple[int, ...]
    outcome: Outcome

    @property
    def name(self) -> str:
        """Return the path in keywords, tags where there are none."""
        return "/".join(keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in self.path)


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to one object."""

    changes: Counter[Change]
    warnings: frozenset[Warned] = frozenset()
    covered: tuple[tuple[int, int, int, int], ...] = ()
    template: str = ""

    def count(self, outcome: Outcome) -> int:
        """Return how many elements came out so."""
        return sum(number for change, number in self.changes.items() if change.outcome is outcome)


@dataclass(slots=True)
class StudyReport:
    """The sum over a study's objects, with those refused by reason."""

    objects: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    warnings: Counter[Warned] = field(default_factory=Counter)
    templates: Counter[str] = field(default_factory=Counter)
    refused: Counter[Reason] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Count an object that passed."""
        self.objects += 1
        self.changes.update(report.changes)
        self.warnings.update(report.warnings)
        if report.template:
            self.templates[report.template] += 1

    def refuse(self, reasons: Iterable[Reason]) -> None:
        """Count an object that was kept back."""
        self.refused.update(reasons)

    def attributes(self, outcome: Outcome) -> list[str]:
        """Return the names of the attributes that came out so, in order."""
        return sorted({change.name for change in self.changes if change.outcome is outcome})
