"""What filing somebody's objects would change in them, as the page is told of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import islice

from pydantic import BaseModel

from radrelay.access import Principal
from radrelay.dicom.errors import Malformed, NotWritable
from radrelay.dicom.header import Header, parse
from radrelay.importer.arrived import ArrivedObject
from radrelay.importer.checking import open_parcel
from radrelay.importer.differences import summed
from radrelay.importer.filing import front_of, sources_text
from radrelay.importer.import_errors import ImportUndecided
from radrelay.importer.reconciling import Wanted, reconcile
from radrelay.importer.written_down import checked_in, chosen_of, order_of
from radrelay.intake.errors import ArchiveRefused
from radrelay.web import importing
from radrelay.web.services import WebServices

LOOKED_AT = 60
"""So many objects are looked at to say what filing changes, evenly over a study's series."""


class DifferenceShown(BaseModel):
    """One attribute that becomes another, and in how many of the objects that were looked at."""

    keyword: str
    path: str
    kind: str
    before: str
    after: str
    objects: int


class Differences(BaseModel):
    """What filing changes; `looked_at` of `objects` were read for it, `unwritable` of them cannot be written."""

    differences: list[DifferenceShown]
    looked_at: int
    objects: int
    unwritable: int


def differences_of(services: WebServices, principal: Principal, case_id: uuid.UUID, number: int) -> Differences:
    """Return what filing changes in somebody's objects; raises `ImportUndecided` before a patient is chosen."""
    with services.database.read() as session:
        case = importing.reached_case(services, session, principal, case_id)
        importing.require_seen(services, session, principal, case_id, number)
        person = importing.person_in(session, case_id, number)
        objects = [one.arrived for one in checked_in(session, case_id) if one.number == number]
        patient, order = chosen_of(person), order_of(person)
        if patient is None:
            raise ImportUndecided
        parcel = open_parcel(session, services.segments, services.settings, case)
    wanted, source = Wanted(patient, order), sources_text(case.host, {one.person for one in objects})
    chosen = {one.file for one in _spread(objects)}
    pairs: list[tuple[Header, Header]] = []
    unwritable = 0
    for stored in parcel:
        if stored.path not in chosen:
            continue
        try:
            with stored.open() as opened:
                front = front_of(opened, stored.size)
            made = reconcile(front.before, front.ts, wanted, source, services.clock.now())
            before = parse(front.before, front.ts)
        except (NotWritable, Malformed, ArchiveRefused):
            unwritable += 1
            continue
        pairs.append((before, parse(*made) if made is not None else before))
        if len(pairs) + unwritable == len(chosen):
            break
    told = [
        DifferenceShown(
            keyword=one.keyword, path=".".join(f"{part:08X}" if part > 0xFFFF else str(part) for part in one.path),
            kind=one.kind, before=one.before, after=one.after, objects=count,
        )
        for one, count in summed(pairs)
    ]  # fmt: skip
    return Differences(differences=told, looked_at=len(pairs), objects=len(objects), unwritable=unwritable)


def _spread(objects: Sequence[ArrivedObject]) -> list[ArrivedObject]:
    """Return objects of every series, the first of each before the second of any."""
    series: dict[str, list[ArrivedObject]] = {}
    for one in objects:
        series.setdefault(one.series_uid, []).append(one)
    turns = (one for turn in range(LOOKED_AT) for some in series.values() for one in some[turn : turn + 1])
    return list(islice(turns, LOOKED_AT))
