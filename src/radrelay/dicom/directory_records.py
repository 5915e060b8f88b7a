"""Directory records of a DICOMDIR: which type an object gets and which keys it carries (PS3.3 F.5).

In: a parsed header. Out: the record type and its keys as encoded elements in UTF-8. Where a key must not be empty and
the object has none, one is invented, as media readers refuse a directory without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from radrelay.dicom.header import Header
from radrelay.dicom.writing import Elements, code, element, sequence

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_EXACT = {
    "4.2": "SPECTROSCOPY",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION",
    "66.5": "SURFACE",
    "66.6": "TRACT",
    "67": "VALUE MAP",
    "68.1": "SURFACE SCAN",
    "68.2": "SURFACE SCAN",
    "77.1.5.3": "STEREOMETRIC",
    "88.59": "KEY OBJECT DOC",
    "90.1": "ASSESSMENT",
    "91.1": "ANNOTATION",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.4": "RT TREAT RECORD",
    "481.5": "RT PLAN",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "481.8": "RT PLAN",
    "481.9": "RT TREAT RECORD",
}
_FAMILIES = {"9": "WAVEFORM", "11": "PRESENTATION", "78": "MEASUREMENT", "88": "SR DOCUMENT", "104": "ENCAP DOC"}

_LONGEST = {"SH": 16, "LO": 64, "ST": 1024, "CS": 256, "PN": 194}

NO_DATE = "19000101"
NO_TIME = "000000"

_DATES = (0x00080023, 0x00080022, 0x00080021, 0x00080020, 0x00080012)
_TIMES = (0x00080033, 0x00080032, 0x00080031, 0x00080030, 0x00080013)


def record_type(sop_class_uid: str, *, has_pixels: bool) -> str:
    """Return the type of the directory record for an object of this SOP class; `PRIVATE` when there is none."""
    if sop_class_uid.startswith(_STORAGE):
        number = sop_class_uid.removeprefix(_STORAGE)
        return _EXACT.get(number) or _FAMILIES.get(number.partition(".")[0]) or "IMAGE"
    return "IMAGE" if has_pixels else "PRIVATE"


@dataclass(frozen=True, slots=True)
class Keys:
    """Makes the keys of one object's record."""

    header: Header
    number: int

    def copied(self, tag: int, vr: str, otherwise: str = "") -> tuple[int, bytes]:
        """Return the attribute `tag` in UTF-8, `otherwise` when it is empty."""
        value = self.header.text(tag)[: _LONGEST.get(vr, 64)]
        if not value or (vr in ("CS", "UI") and not value.isascii()):
            value = otherwise
        return tag, element(tag, vr, value)

    def instance_number(self) -> tuple[int, bytes]:
        """Return the instance number, the object's place in its series when it has none."""
        number = self.header.integer(0x00200013)
        within = number is not None and abs(number) < 1 << 31
        return 0x00200013, element(0x00200013, "IS", number if number is not None and within else self.number)

    def moment(self) -> list[tuple[int, bytes]]:
        """Return content date and time, or those of acquisition, series or study."""
        return [
            (0x00080023, element(0x00080023, "DA", first_date(self.header, _DATES))),
            (0x00080033, element(0x00080033, "TM", first_time(self.header, _TIMES))),
        ]

    def concept(self, *, required: bool) -> tuple[int, bytes]:
        """Return ConceptNameCodeSequence."""
        items = [
            code(value, item.text(0x00080102)[:16] or "99RADRELAY", item.text(0x00080104)[:64] or "unnamed")
            for item in self.header.items(0x0040A043)[:1]
            if (value := item.text(0x00080100)[:16])
        ]
        if not items and required:
            items = [code("113000", "DCM", "Of Interest")]
        return 0x0040A043, sequence(0x0040A043, items)


def first_date(header: Header, tags: tuple[int, ...]) -> str:
    """Return the first valid date of `tags` as a DA."""
    return next((f"{found:%Y%m%d}".rjust(8, "0") for tag in tags if (found := header.date(tag))), NO_DATE)


def first_time(header: Header, tags: tuple[int, ...]) -> str:
    """Return the first valid time of `tags` as a TM."""
    return next((f"{found:%H%M%S}" for tag in tags if (found := header.time(tag))), NO_TIME)


def leaf_keys(kind: str, header: Header, number: int) -> Elements:
    """Return the keys of an object's record of type `kind`; `number` is its place in the series."""
    keys = Keys(header, number)
    return dict(_KEYS.get(kind, _image)(keys))


def _image(keys: Keys) -> list[tuple[int, bytes]]:
    found = [keys.instance_number()]
    for tag in (0x00280010, 0x00280011):
        value = keys.header.integer(tag)
        if value is not None and 0 < value <= 0xFFFF:
            found.append((tag, element(tag, "US", value)))
    if keys.header.text(0x00280008):
        found.append((0x00280008, element(0x00280008, "IS", keys.header.integer(0x00280008) or 1)))
    return found


def _with_moment(keys: Keys) -> list[tuple[int, bytes]]:
    return [*keys.moment(), keys.instance_number()]


def _report(keys: Keys) -> list[tuple[int, bytes]]:
    complete = keys.header.text(0x0040A491)
    verified = keys.header.text(0x0040A493)
    found = [
        *_with_moment(keys),
        (0x0040A491, element(0x0040A491, "CS", complete if complete == "COMPLETE" else "PARTIAL")),
        (0x0040A493, element(0x0040A493, "CS", verified if verified == "VERIFIED" else "UNVERIFIED")),
        keys.concept(required=True),
    ]
    moments = [item.text(0x0040A030) for item in keys.header.items(0x0040A073)]
    if verified == "VERIFIED":
        latest = max((moment for moment in moments if moment), default=NO_DATE)
        found.append((0x0040A030, element(0x0040A030, "DT", latest[:26])))
    return found


def _key_objects(keys: Keys) -> list[tuple[int, bytes]]:
    return [*_with_moment(keys), keys.concept(required=True)]


def _presentation(keys: Keys) -> list[tuple[int, bytes]]:
    header = keys.header
    day = first_date(header, (0x00700082, *_DATES))
    found = [
        keys.instance_number(),
        keys.copied(0x00700080, "CS", "UNNAMED"),
        keys.copied(0x00700081, "LO"),
        (0x00700082, element(0x00700082, "DA", day)),
        (0x00700083, element(0x00700083, "TM", first_time(header, (0x00700083, *_TIMES)))),
        keys.copied(0x00700084, "PN"),
    ]
    series = [_referenced_series(item) for item in header.items(0x00081115)]
    if series := [item for item in series if item]:
        found.append((0x00081115, sequence(0x00081115, series)))
    return found


def _referenced_series(item: Header) -> list[bytes]:
    images = [
        [element(0x00081150, "UI", image.text(0x00081150)), element(0x00081155, "UI", image.text(0x00081155))]
        for image in item.items(0x00081140)
        if image.text(0x00081150).isascii() and image.text(0x00081155).isascii()
    ]
    uid = item.text(0x0020000E)
    if not images or not uid or not uid.isascii():
        return []
    return [sequence(0x00081140, images), element(0x0020000E, "UI", uid)]


def _labelled(keys: Keys) -> list[tuple[int, bytes]]:
    return [
        *_with_moment(keys),
        keys.copied(0x00700080, "CS", "UNNAMED"),
        keys.copied(0x00700081, "LO"),
        keys.copied(0x00700084, "PN"),
    ]


def _document(keys: Keys) -> list[tuple[int, bytes]]:
    return [
        *_with_moment(keys),
        keys.concept(required=False),
        keys.copied(0x00420010, "ST"),
        keys.copied(0x00420012, "LO", "application/octet-stream"),
    ]


def _dose(keys: Keys) -> list[tuple[int, bytes]]:
    return [keys.instance_number(), keys.copied(0x3004000A, "CS", "PLAN")]


def _dated(label: int, day: int, moment: int) -> Callable[[Keys], list[tuple[int, bytes]]]:
    """Return a maker of an instance number, a label (when there is one), a date and a time."""

    def keys_of(keys: Keys) -> list[tuple[int, bytes]]:
        found = [keys.instance_number()]
        if label:
            found.append(keys.copied(label, "SH", "UNNAMED"))
        for tag, vr, value in ((day, "DA", keys.header.date(day)), (moment, "TM", keys.header.time(moment))):
            found.append((tag, element(tag, vr, value) if value else element(tag, vr)))
        return found

    return keys_of


def _spectroscopy(keys: Keys) -> list[tuple[int, bytes]]:
    sizes = (
        (0x00280008, "IS"), (0x00280010, "US"), (0x00280011, "US"), (0x00289001, "UL"), (0x00289002, "UL"),
    )  # fmt: skip
    return [
        *_with_moment(keys),
        keys.copied(0x00080008, "CS", "ORIGINAL\\PRIMARY\\SPECTROSCOPY\\NONE"),
        *((tag, element(tag, vr, keys.header.integer(tag) or 1)) for tag, vr in sizes),
    ]


_KEYS: dict[str, Callable[[Keys], list[tuple[int, bytes]]]] = {
    "IMAGE": _image,
    "SR DOCUMENT": _report,
    "KEY OBJECT DOC": _key_objects,
    "PRESENTATION": _presentation,
    "ENCAP DOC": _document,
    "RT DOSE": _dose,
    "RT STRUCTURE SET": _dated(0x30060002, 0x30060008, 0x30060009),
    "RT PLAN": _dated(0x300A0002, 0x300A0006, 0x300A0007),
    "RT TREAT RECORD": _dated(0, 0x30080250, 0x30080251),
    "SPECTROSCOPY": _spectroscopy,
    "REGISTRATION": _labelled,
    "FIDUCIAL": _labelled,
    "VALUE MAP": _labelled,
    "SURFACE": _labelled,
    "TRACT": _labelled,
    "ANNOTATION": _labelled,
    "WAVEFORM": _with_moment,
    "RAW DATA": _with_moment,
    "SURFACE SCAN": _with_moment,
    "MEASUREMENT": _with_moment,
    "ASSESSMENT": _with_moment,
    "STEREOMETRIC": lambda keys: [],
    "PRIVATE": lambda keys: [],
}
