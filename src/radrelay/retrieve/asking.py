"""What is asked of an archive and what it answers, between plain values and DICOM identifiers (PS3.4 C.6).

Return keys are always asked for, because an archive tells only what is asked. What it answers is taken as it is: dates
that are none, counts that are no numbers and names in any form come through as text or are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from radrelay.network.ports import Element, Key
from radrelay.retrieve.errors import SearchTooWide
from radrelay.retrieve.ports import FoundSeries, FoundStudy, Held, Order, Wanted

STUDY_DATE, STUDY_TIME, ACCESSION, AVAILABILITY = 0x00080020, 0x00080030, 0x00080050, 0x00080056
MODALITY, MODALITIES, STUDY_DESCRIPTION, SERIES_DESCRIPTION = 0x00080060, 0x00080061, 0x00081030, 0x0008103E
SOP_CLASS_UID, SOP_UID = 0x00080016, 0x00080018
PATIENT_NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX = 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040
QUALIFIERS, UNIVERSAL_ID, UNIVERSAL_TYPE = 0x00100024, 0x00400032, 0x00400033
BODY_PART = 0x00180015
WARD = 0x00380300
STUDY_UID, SERIES_UID, SERIES_NUMBER = 0x0020000D, 0x0020000E, 0x00200011
SERIES_OF_STUDY, INSTANCES_OF_STUDY, INSTANCES_OF_SERIES = 0x00201206, 0x00201208, 0x00201209

STUDY_KEYS: tuple[tuple[int, str], ...] = (
    (STUDY_DATE, "DA"), (STUDY_TIME, "TM"), (ACCESSION, "SH"), (AVAILABILITY, "CS"), (MODALITIES, "CS"),
    (STUDY_DESCRIPTION, "LO"), (PATIENT_NAME, "PN"), (PATIENT_ID, "LO"), (ISSUER, "LO"), (BIRTH_DATE, "DA"),
    (SEX, "CS"), (STUDY_UID, "UI"), (SERIES_OF_STUDY, "IS"), (INSTANCES_OF_STUDY, "IS"),
)  # fmt: skip
SERIES_KEYS: tuple[tuple[int, str], ...] = (
    (MODALITY, "CS"), (SERIES_DESCRIPTION, "LO"), (BODY_PART, "CS"), (SERIES_UID, "UI"), (SERIES_NUMBER, "IS"),
    (INSTANCES_OF_SERIES, "IS"),
)  # fmt: skip
WIDEST = timedelta(days=7)
"""The most days that may be asked for where nothing else narrows a search."""


def study_keys(wanted: Wanted) -> list[Element]:
    """Return the identifier of a search at study level; raises `SearchTooWide`."""
    require_narrow(wanted)
    asked = {
        STUDY_DATE: _dates(wanted.since, wanted.until),
        ACCESSION: wanted.accession_number.strip(),
        MODALITIES: "\\".join(wanted.modalities),
        STUDY_DESCRIPTION: _anywhere(wanted.description),
        PATIENT_NAME: person(wanted.patient_name),
        PATIENT_ID: wanted.patient_id.strip(),
        BIRTH_DATE: wanted.birth_date.strftime("%Y%m%d") if wanted.birth_date else "",
        STUDY_UID: wanted.study_uid.strip(),
    }
    keys: list[Element] = [(tag, vr, asked.get(tag, "")) for tag, vr in STUDY_KEYS]
    if wanted.issuers:
        keys.append((QUALIFIERS, "SQ", ()))
    return [*keys, (WARD, "LO", wanted.ward)] if wanted.ward else keys


def series_keys(order: Order) -> list[Element]:
    """Return the identifier that lists the series of an order."""
    listed = [(tag, vr, order.series_uid if tag == SERIES_UID else "") for tag, vr in SERIES_KEYS]
    return [*above(order), *listed]


def image_keys(order: Order, series_uid: str) -> list[Element]:
    """Return the identifier that lists the objects of a series."""
    return [*above(order), (SERIES_UID, "UI", series_uid), (SOP_UID, "UI", ""), (SOP_CLASS_UID, "UI", "")]


def above(order: Order) -> list[Element]:
    """Return the unique keys above series: of the patient, too, which archives of the patient root ask for."""
    patient: list[Element] = [(PATIENT_ID, "LO", order.patient_id)] if order.patient_id else []
    return [*patient, (STUDY_UID, "UI", order.study_uid)]


def study_of(match: Sequence[Key]) -> FoundStudy | None:
    """Return what a match tells of a study; none if it does not say which."""
    told = _Told(match)
    if not told.text(STUDY_UID):
        return None
    qualifiers = told.item(QUALIFIERS)
    return FoundStudy(
        study_uid=told.text(STUDY_UID),
        patient_id=told.text(PATIENT_ID),
        issuer=told.text(ISSUER),
        patient_name=told.text(PATIENT_NAME),
        birth_date=told.text(BIRTH_DATE),
        sex=told.text(SEX),
        accession_number=told.text(ACCESSION),
        study_date=told.text(STUDY_DATE),
        study_time=told.text(STUDY_TIME),
        description=told.text(STUDY_DESCRIPTION),
        modalities=told.values(MODALITIES),
        series=told.number(SERIES_OF_STUDY),
        instances=told.number(INSTANCES_OF_STUDY),
        availability=told.text(AVAILABILITY),
        ward=told.text(WARD),
        issuer_id=qualifiers.text(UNIVERSAL_ID),
        issuer_id_type=qualifiers.text(UNIVERSAL_TYPE),
    )


def series_of(match: Sequence[Key]) -> FoundSeries | None:
    """Return what a match tells of a series; none if it does not say which."""
    told = _Told(match)
    if not told.text(SERIES_UID):
        return None
    return FoundSeries(
        series_uid=told.text(SERIES_UID),
        modality=told.text(MODALITY),
        number=told.number(SERIES_NUMBER),
        description=told.text(SERIES_DESCRIPTION),
        body_part=told.text(BODY_PART),
        instances=told.number(INSTANCES_OF_SERIES),
    )


def held_of(match: Sequence[Key], series_uid: str) -> Held | None:
    """Return what a match tells of an object; none if it does not say which, or is of another series."""
    told = _Told(match)
    if not told.text(SOP_UID) or told.text(SERIES_UID) not in ("", series_uid):
        return None
    return Held(told.text(SOP_UID), series_uid, told.text(SOP_CLASS_UID))


def person(typed: str) -> str:
    """Return a name as archives match it: components by `^`, open at its end unless somebody wrote stars themselves."""
    words = typed.replace(",", " ").split()
    if not words:
        return ""
    name = typed.strip() if "^" in typed or "=" in typed else "^".join((words[0], " ".join(words[1:]))).rstrip("^")
    return name if "*" in name or "?" in name else f"{name}*"


def _anywhere(typed: str) -> str:
    text = typed.strip()
    return text if not text or "*" in text or "?" in text else f"*{text}*"


def _dates(since: date | None, until: date | None) -> str:
    """Return a range of dates (PS3.4 C.2.2.2.5); one day is told as itself, which every archive understands."""
    first = since.strftime("%Y%m%d") if since else ""
    last = until.strftime("%Y%m%d") if until else ""
    if first == last:
        return first
    return f"{first}-{last}"


def require_narrow(wanted: Wanted) -> None:
    """Raise `SearchTooWide` unless a search names a person, a number or a few days."""
    name = wanted.patient_name.replace("*", "").replace("?", "").replace("^", "").strip()
    exact = (wanted.patient_id, wanted.accession_number, wanted.study_uid)
    if any(text.strip("*? ") for text in exact) or len(name) >= 2 or (name and not name.isascii()):
        return
    if wanted.birth_date:
        return
    if wanted.since and (wanted.until or date.max) - wanted.since < WIDEST:
        return
    raise SearchTooWide(days=WIDEST.days)


class _Told:
    def __init__(self, match: Sequence[Key]) -> None:
        self._keys = {key.tag: key for key in match}

    def text(self, tag: int) -> str:
        key = self._keys.get(tag)
        return key.text.strip() if key is not None else ""

    def values(self, tag: int) -> tuple[str, ...]:
        key = self._keys.get(tag)
        return tuple(one.strip() for one in key.values if one.strip()) if key is not None else ()

    def item(self, tag: int) -> _Told:
        """Return the only item of a sequence, one that says nothing where there is none or more."""
        key = self._keys.get(tag)
        return _Told(key.items[0] if key is not None and len(key.items) == 1 else ())

    def number(self, tag: int) -> int | None:
        text = self.text(tag)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
