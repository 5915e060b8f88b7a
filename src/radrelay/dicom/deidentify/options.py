"""What a project asks of de-identification: options of PS3.15 E.3, their codes (PS3.16 CID 7050), keys and limits.

In: a site's choice. Out: frozen values that the engine follows. Everything that links a result to its source follows
from the project's key; without it nothing can be turned back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from radrelay.errors import Invalid

KEY_BYTES = 32


class Option(StrEnum):
    """An option beside the Basic Application Level Confidentiality Profile (PS3.15 E.3)."""

    CLEAN_PIXELS = "clean-pixels"
    CLEAN_GRAPHICS = "clean-graphics"
    CLEAN_STRUCTURED = "clean-structured"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    FULL_DATES = "full-dates"
    MODIFIED_DATES = "modified-dates"
    PATIENT = "patient-characteristics"
    DEVICE = "device-identity"
    UIDS = "uids"
    SAFE_PRIVATE = "safe-private"
    INSTITUTION = "institution-identity"


FACES = ("113102", "Clean Recognizable Visual Features Option")
BASIC = ("113100", "Basic Application Confidentiality Profile")
CODES: dict[Option, tuple[str, str]] = {
    Option.CLEAN_PIXELS: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.FULL_DATES: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Option.DEVICE: ("113109", "Retain Device Identity Option"),
    Option.UIDS: ("113110", "Retain UIDs Option"),
    Option.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.INSTITUTION: ("113112", "Retain Institution Identity Option"),
}
"""Code value and meaning of each option, coding scheme DCM."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where one kind of device burns text into its pictures; see `regions`."""

    name: str
    columns: int
    rows: int
    cover: tuple[tuple[int, int, int, int], ...]
    modality: str = ""
    manufacturer: str = ""
    model: str = ""
    image_type: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """How one project de-identifies.

    Attributes
    ----------
    name
        Named in (0012,0063), so no person's.
    key
        32 secret bytes: UIDs, shifts and aliases follow from them.
    options
        Beside the Basic Profile. Full and modified dates exclude one another.
    shift_days
        Least and most days by which the dates of a patient go back, for modified dates.
    age_limit
        Ages above this many years become `090Y`, none leaves them (45 CFR 164.514(b)(2)(i)(C)).
    allowed_words
        Words of the site that cleaned descriptions keep beside `allowed_words.txt`.
    devices
        The site's own region templates, tried before those that come along.
    keep_documents
        Whether encapsulated documents pass as they are, because a person looked at each.
    trust_unmarked
        Modalities whose pictures count as clean of text although nothing says so.
    hold_faces
        Whether pictures that may show a recognisable face are kept back; else they are warned of.
    deface
        Whether faces are taken out of head CT and MR (`dicom.deface`); what still may show one is kept back.
    defaced
        Whether that was done to this object.
    looked_at
        Whether a person has looked at the pictures of this object and lets them pass; text that is left is covered.
    """

    name: str
    key: bytes = field(repr=False)
    options: frozenset[Option] = frozenset()
    shift_days: tuple[int, int] = (30, 1095)
    age_limit: int | None = 89
    allowed_words: frozenset[str] = frozenset()
    devices: tuple[Device, ...] = ()
    keep_documents: bool = False
    trust_unmarked: frozenset[str] = frozenset()
    hold_faces: bool = False
    deface: bool = False
    defaced: bool = False
    looked_at: bool = False

    def __post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise Invalid(f"A project's key has at least {KEY_BYTES} bytes.")
        if {Option.FULL_DATES, Option.MODIFIED_DATES} <= self.options:
            raise Invalid("Full and modified dates exclude one another.")
        least, most = self.shift_days
        if not 1 <= least <= most:
            raise Invalid("Dates are shifted by at least one day.")

    def method_codes(self, earlier: Sequence[str] = ()) -> Mapping[str, str]:
        """Return the codes of (0012,0064) with their meanings; `earlier` are those that the source names."""
        known = dict([BASIC, FACES, *CODES.values()])
        found = {value: known[value] for value in earlier if value in known}
        own = [BASIC, *(CODES[option] for option in Option if option in self.options)]
        return {**found, **dict([*own, FACES] if self.defaced else own)}
