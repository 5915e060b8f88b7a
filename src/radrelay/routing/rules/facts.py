"""What rules look at of studies, read from the index in a few statements; from headers where a rule asks for more."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive.discard import chunks
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.senders import NOTHING_NEW
from radrelay.archive.tables import HOLDING, SENDER, SERIES, STUDY
from radrelay.dicom.header import Header
from radrelay.dicom.index import STUDY_TAGS
from radrelay.errors import RadrelayError, Unavailable
from radrelay.routing.rules.comparing import Values
from radrelay.routing.rules.conditions import FIELDS
from radrelay.routing.rules.matching import Facts

MEGABYTE = 1_000_000
BROUGHT = "brought"
"""Of a sender: the series of which it brought something first; no rule asks for it."""
_INSTITUTION = "00080080"
_OF_STUDY = frozenset(f"{tag:08X}" for tag in STUDY_TAGS if tag != 0x00080005)


class _Attribute(msgspec.Struct, gc=False):
    """An attribute of DICOM JSON, as far as it is looked at."""

    vr: str = ""
    Value: tuple[Any, ...] = ()


_ATTRIBUTES = msgspec.json.Decoder(dict[str, _Attribute])


class Headers(Protocol):
    """Reads the header of an object; `archive.reader.InstanceReader` does."""

    def header(self, ref: InstanceRef) -> Header:
        """Return it; raises `RadrelayError` where it cannot be read."""
        ...


def facts_of(
    session: Session, organisation_id: uuid.UUID, study_ids: Sequence[uuid.UUID], now: datetime, zone: tzinfo | None,
    fields: Collection[str],
) -> dict[uuid.UUID, Facts]:  # fmt: skip
    """Return what the index says of an organisation's studies, of the `fields` that rules ask for.

    Of senders, which are always told, those whose source still holds the study. The weekday and the time are those of
    the last arrival, in the site's `zone` (none: the machine's).
    """
    found: dict[uuid.UUID, Facts] = {}
    timed = "weekday" in fields or "time" in fields
    of_study, of_series = _asked(fields, _OF_STUDY), _asked(fields, None) | {"0020000E"}
    for some in chunks(study_ids):
        senders = _senders(session, some, now)
        series = _series(session, some, of_series)
        groups = _groups(session, organisation_id, some, now, fields)
        columns = (STUDY.c.id, STUDY.c.attributes, STUDY.c.bytes, STUDY.c.instance_count, STUDY.c.series_count,
                   STUDY.c.last_received_at, STUDY.c.institution)  # fmt: skip
        mine = STUDY.c.organisation_id == organisation_id
        rows = session.execute(sa.select(*columns).where(STUDY.c.id.in_(some), mine)).all()
        for study_id, attributes, size, objects, count, last_received_at, institution in rows:
            values = _values(attributes, of_study)
            values["megabytes"] = (str(size / MEGABYTE),)
            values["objects"], values["series"] = (str(objects),), (str(count),)
            if timed:
                received = last_received_at.astimezone(zone)
                values["weekday"] = (str(received.weekday()),)
                values["time"] = (f"{received.hour:02}:{received.minute:02}",)
            for name, by_study in groups.items():
                values[name] = tuple(sorted(by_study.get(study_id, ())))
            own = series.get(study_id, [])
            for one in own:
                one.setdefault(_INSTITUTION, (institution,))
            found[study_id] = Facts(values, tuple(senders.get(study_id, ())), tuple(own))
    return found


def _asked(fields: Collection[str], among: frozenset[str] | None) -> set[str]:
    return {one for one in fields if one not in FIELDS and (among is None or one in among)}


def _groups(
    session: Session, organisation_id: uuid.UUID, study_ids: Sequence[uuid.UUID], now: datetime, fields: Collection[str]
) -> dict[str, Mapping[uuid.UUID, set[str]]]:
    found: dict[str, Mapping[uuid.UUID, set[str]]] = {}
    if "brought_by" in fields:
        found["brought_by"] = _groups_of_bringers(session, organisation_id, study_ids)
    if "visible_to" in fields:
        found["visible_to"] = access.groups_shown(session, organisation_id, study_ids, now)
    return found


def with_headers(
    facts: Facts, session: Session, headers: Headers, organisation_id: uuid.UUID, study_id: uuid.UUID,
    tags: Sequence[int], now: datetime,
) -> Facts:  # fmt: skip
    """Add attributes that the index does not keep, from the first object of each series; unreadable ones are absent.

    Raises `Unavailable` where that may be but for the moment.
    """
    first: dict[str, InstanceRef] = {}
    for ref in find_instances(session, now, organisation_id=organisation_id, study_id=study_id):
        first.setdefault(ref.series_uid, ref)
    series = []
    for one in facts.series:
        at = first.get((one.get("0020000E") or ("",))[0])
        series.append(dict(one) | (_read(headers, at, tags) if at is not None else {}))
    return Facts(facts.study, facts.senders, tuple(series))


def _read(headers: Headers, ref: InstanceRef, tags: Sequence[int]) -> dict[str, Values]:
    try:
        header = headers.header(ref)
        return {f"{tag:08X}": tuple(header.text(tag).split("\\")) for tag in tags if tag in header}
    except Unavailable:  # it may be readable in a moment: what it says must not be taken for absent
        raise
    except RadrelayError:
        return {}


def _senders(
    session: Session, study_ids: Sequence[uuid.UUID], now: datetime
) -> dict[uuid.UUID, list[dict[str, Values]]]:
    held = sa.and_(HOLDING.c.study_id == SENDER.c.study_id, HOLDING.c.source_id == SENDER.c.source_id)
    lasts = sa.or_(HOLDING.c.ends_at.is_(None), HOLDING.c.ends_at > now)
    columns = (
        SENDER.c.study_id, SENDER.c.source_id, SENDER.c.calling_ae, SENDER.c.called_ae, SENDER.c.host,
        SENDER.c.series_id,
    )  # fmt: skip
    sent = sa.select(*columns).where(SENDER.c.study_id.in_(study_ids), sa.exists().where(held, lasts))
    brought: dict[tuple[Any, ...], list[str]] = {}
    for *who, series_id in session.execute(sent).all():
        series = brought.setdefault(tuple(who), [])
        if series_id != NOTHING_NEW:
            series.append(str(series_id))
    found: dict[uuid.UUID, list[dict[str, Values]]] = {}
    named: dict[uuid.UUID, Values] = {}  # sources are few
    for (study_id, source_id, calling_ae, called_ae, host), series in brought.items():
        source = named.get(source_id)
        if source is None:
            source = named[source_id] = (str(source_id),)
        values: dict[str, Values] = {"source": source, BROUGHT: tuple(series)}
        if calling_ae:
            values["calling_ae"] = (calling_ae,)
        if called_ae:
            values["called_ae"] = (called_ae,)
        if host:
            values["host"] = (host,)
        found.setdefault(study_id, []).append(values)
    return found


def _series(
    session: Session, study_ids: Sequence[uuid.UUID], wanted: Collection[str]
) -> dict[uuid.UUID, list[dict[str, Values]]]:
    found: dict[uuid.UUID, list[dict[str, Values]]] = {}
    asked = sa.select(SERIES.c.study_id, SERIES.c.attributes, SERIES.c.modality, SERIES.c.series_uid)
    rows = session.execute(asked.where(SERIES.c.study_id.in_(study_ids)).order_by(SERIES.c.id)).all()
    for study_id, attributes, modality, series_uid in rows:
        values = _values(attributes, wanted)
        values.setdefault("00080060", (modality,))
        values.setdefault("0020000E", (series_uid,))
        found.setdefault(study_id, []).append(values)
    return found


def _groups_of_bringers(
    session: Session, organisation_id: uuid.UUID, study_ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, set[str]]:
    asked = sa.select(HOLDING.c.study_id, HOLDING.c.account_id).where(
        HOLDING.c.study_id.in_(study_ids), HOLDING.c.account_id.is_not(None)
    )
    rows = session.execute(asked).all()
    groups = access.groups_of_accounts(session, organisation_id, {row.account_id for row in rows})
    found: dict[uuid.UUID, set[str]] = {}
    for row in rows:
        found.setdefault(row.study_id, set()).update(groups.get(row.account_id, ()))
    return found


def _values(text: str, wanted: Collection[str]) -> dict[str, Values]:
    """Return wanted values of DICOM JSON (PS3.18 F.2) as text; sequences and empty attributes are left out."""
    found: dict[str, Values] = {}
    if not text:
        return found
    attributes = _ATTRIBUTES.decode(text)
    for tag in wanted:
        attribute = attributes.get(tag)
        if attribute is None or attribute.vr == "SQ" or not attribute.Value:
            continue
        if len(attribute.Value) == 1 and isinstance(attribute.Value[0], str):
            found[tag] = (attribute.Value[0],)
        else:
            found[tag] = tuple([one if isinstance(one, str) else _said(one) for one in attribute.Value])
    return found


def _said(value: Any) -> str:
    if isinstance(value, dict):  # a person's name in groups
        groups = [str(value.get(name, "")) for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)
