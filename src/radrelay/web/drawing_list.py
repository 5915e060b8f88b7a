"""Which drawings a study has: objects that draw, by their headers, and images with overlay planes, by the metadata.

Only what its reader sees of the study decides what is listed, so the list is kept under exactly that.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.cited import series_in_space
from radrelay.archive.instances import InstanceRef
from radrelay.archive.tables import SERIES
from radrelay.dicom import drawings as standard
from radrelay.dicom.drawings.drawn import DrawingBroken, DrawingTooLarge, moment, short
from radrelay.dicom.drawings.overlay_planes import GROUPS
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header
from radrelay.web.answering import encoded
from radrelay.web.services import WebServices

READ_AT_MOST = 1_000  # objects of a study that are opened for the list; the others are listed by their class
REPORT_BYTES = 8 << 20  # larger reports are listed without a look at whether they mark anything

Row = dict[str, Any]

_Planes = msgspec.defstruct(
    "Planes",  # the part of an instance's metadata (DICOM JSON) that tells of overlay planes: their rows
    [(f"rows_{group:x}", msgspec.Raw, msgspec.Raw()) for group in GROUPS],
    rename={f"rows_{group:x}": f"{group:04X}0010" for group in GROUPS},
    frozen=True,
)
_planes: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[_Planes])  # type: ignore[valid-type]


def listed(services: WebServices, study_id: uuid.UUID, refs: Sequence[InstanceRef], *, clear: bool) -> bytes:
    """Return a `DrawingList` as JSON, of the instances that its reader sees."""
    digest = hashlib.blake2b(b"".join(ref.id.bytes for ref in refs), digest_size=16).digest()
    mark = ("drawings", study_id, clear, digest)
    made = services.listings.get(mark)
    if made is None:
        made = encoded({"drawings": [*_objects(services, study_id, refs, clear=clear), *_overlays(services, refs)]})
        services.listings.put(mark, made)
    return made


def _objects(services: WebServices, study_id: uuid.UUID, refs: Sequence[InstanceRef], *, clear: bool) -> Iterator[Row]:
    """Yield rows of the objects that draw."""
    drawing = [ref for ref in refs if not _is_image(ref)]
    if not drawing:
        return
    with services.database.read() as session:
        spaces = _spaces(session, services, study_id, {ref.series_id for ref in refs if _is_image(ref)})
    series = {ref.series_uid: ref.series_id for ref in refs if _is_image(ref)}
    for place, ref in enumerate(drawing):
        row = _row(ref, standard.kind_of(ref.sop_class_uid), standard.refusal(ref.sop_class_uid))
        if row["trouble"] or place >= READ_AT_MOST:
            yield row
            continue
        try:
            header = services.drawings.header(ref)
            if _marks_nothing(services, ref):
                continue
        except (Malformed, DrawingBroken, DrawingTooLarge) as error:
            yield row | {"trouble": error.code}
            continue
        named, frames = standard.overlies(header, ref.sop_class_uid)
        drawn_on = [series[uid] for uid in dict.fromkeys(named) if uid in series]
        over = drawn_on + [one for frame in frames for one in spaces.get(frame, ())]
        words = _words(header, standard.kind_of(ref.sop_class_uid), clear=clear)
        yield row | words | {"over": list(dict.fromkeys(over)), "drawn_on": drawn_on}


def _is_image(ref: InstanceRef) -> bool:
    return not standard.kind_of(ref.sop_class_uid) and not standard.refusal(ref.sop_class_uid)


def _spaces(
    session: Session, services: WebServices, study_id: uuid.UUID, seen: set[uuid.UUID]
) -> Mapping[str, list[uuid.UUID]]:
    return series_in_space(session, services.clock.now(), study_id, SERIES.c.id.in_(seen) if seen else sa.false())


def _marks_nothing(services: WebServices, ref: InstanceRef) -> bool:
    """Return whether a report only says things: that is read elsewhere."""
    if standard.kind_of(ref.sop_class_uid) != "report" or ref.size > REPORT_BYTES:
        return False
    return not services.drawings.read(ref).shapes


def _row(ref: InstanceRef, kind: str | None, trouble: str = "") -> Row:
    words = {"label": "", "description": "", "creator": "", "made_at": None}
    ids = {"instance_id": ref.id, "series_id": ref.series_id, "kind": kind}
    return {**ids, **words, "over": [], "drawn_on": [], "images": [], "trouble": trouble}


def _words(header: Header, kind: str | None, *, clear: bool) -> Row:
    """Return what an object is called, by whom and when; where patients are shown by alias, only when."""
    dates = ((0x00700082, 0x00700083), (0x30060008, 0x30060009), (0x00080023, 0x00080033), (0x00080012, 0x00080013))
    when = next((found for found in (moment(header, *tags) for tags in dates) if found), None)
    if not clear:
        return {"made_at": when[:10] if when else None}  # the day alone
    titles = [item.text(0x00080104) for item in header.items(0x0040A043)[:1]]
    label = header.text(0x30060002) or "".join(titles)
    names = (header.text(0x00700080), header.text(0x0008103E))  # a segmentation's content label says little
    for name in names if kind == "presentation" else names[::-1]:
        label = label or name
    return {
        "label": short(label),
        "description": short(header.text(0x00700081) or header.text(0x30060006) or header.text(0x0008103E)),
        "creator": header.person_name(0x00700084) or header.text(0x00080070),
        "made_at": when,
    }


def _overlays(services: WebServices, refs: Sequence[InstanceRef]) -> Iterator[Row]:
    """Yield a row for each series of which images have overlay planes, as their metadata tell."""
    by_series: dict[uuid.UUID, list[InstanceRef]] = {}
    for ref in refs:
        if _is_image(ref):
            by_series.setdefault(ref.series_id, []).append(ref)
    for series, images in by_series.items():
        try:
            found = _planes.decode(services.metadata.array(images))
        except msgspec.MsgspecError:
            continue  # metadata beyond understanding: such a series opens without overlays
        planes = [any(bytes(rows) for rows in msgspec.structs.astuple(one)) for one in found]
        drawn = [ref for ref, any_planes in zip(images, planes, strict=False) if any_planes]
        if drawn:
            over = {"over": [series], "drawn_on": [series]}
            yield _row(drawn[0], "overlay") | over | {"images": [ref.id for ref in drawn]}
