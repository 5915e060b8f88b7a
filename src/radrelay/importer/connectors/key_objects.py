"""Imaging manifests in DICOM: Key Object Selections that say where each series of a study is (IHE RAD MADO, XDS-I.b).

Each series of the evidence names its address (0008,1190) as WADO-RS has it (PS3.3 C.17.2.1, C.17.6.2.1). A series that
names a repository by its UID alone (0040,E011) cannot be fetched from here: no address follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.importer.connectors.addresses import uid_of
from radrelay.importer.connectors.led_to import Named, Nowhere, StudyThere, by_id, nowhere
from radrelay.importer.connectors.ports import Item
from radrelay.importer.connectors.wado import StudyAt

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_EVIDENCE, _SERIES, _OBJECTS = 0x0040A375, 0x00081115, 0x00081199
_URL = re.compile(r"(?P<base>https?://[^?#]+?)/studies/(?P<study>[0-9.]+)(?:/series/(?P<series>[0-9.]+))?(?:[/?#].*)?")


def studies_in_key_objects(content: bytes) -> list[Named] | None:
    """Return the studies that a manifest leads to, none if it is no Key Object Selection."""
    try:
        head = parse_preamble(content)
        header = parse(content[head.dataset_offset :], head.transfer_syntax_uid, truncated_ok=False)
    except Malformed:
        return None
    if header.text(0x00080016) != KEY_OBJECTS:
        return None
    return list(by_id(found for study in header.items(_EVIDENCE) for found in _study(header, study)).values())


def _study(header: Header, evidence: Header) -> Iterator[StudyThere | Nowhere]:
    """Yield a study, and what of it is without an address."""
    uid = uid_of(evidence.text(0x0020000D))
    bases: dict[str, list[str]] = {}
    count = lost = 0
    for series in evidence.items(_SERIES):
        objects = len(series.items(_OBJECTS))
        series_uid, url = uid_of(series.text(0x0020000E)), _URL.fullmatch(series.text(0x00081190).strip())
        if not uid or not series_uid or url is None or url["study"] != uid or url["series"] not in (None, series_uid):
            lost += max(objects, 1)
            continue
        count += objects
        bases.setdefault(url["base"], []).append(series_uid)
    item = _item(header, uid, count)
    if bases:
        yield StudyThere(item, tuple(StudyAt(one, uid, tuple(found)) for one, found in bases.items()))
    if lost or not bases:
        yield nowhere(study=item, files=lost or None)


def _item(header: Header, uid: str, count: int) -> Item:
    own = header.text(0x0020000D) == uid
    return Item(
        uid,
        "application/dicom",
        header.text(0x00081030) if own else "",
        uid,
        header.date(0x00080020) if own else None,
        (),
        header.person_name(0x00100010),
        header.date(0x00100030),
        header.text(0x00100040)[:1].upper(),
        count or None,
    )
