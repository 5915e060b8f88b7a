"""What an instance holds beyond a plain picture, as its parts are shown: reports, headers, waveforms.

Each is looked at like a picture (the right to see, a view on record). What may name a patient is refused to whom
patients are shown by alias.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from radrelay.access import Principal, Right
from radrelay.archive.instances import InstanceRef
from radrelay.dicom.header import Header, parse
from radrelay.dicom.header_tree import HeaderTree, read_tree, whole_value
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.report_text import Report, is_report, read_report
from radrelay.dicom.waveform import SOUND_CLASSES, Waveform, read_waveform, samples_of, sound_of
from radrelay.dicom.waveform import NoWaveform as UnreadableWaveform
from radrelay.errors import NotFound, TooLarge
from radrelay.web import trail
from radrelay.web.answering import encoded, json_answer
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.answering import compressed, ranged
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, ReachedInstance
from radrelay.web.services import WebServices

router = APIRouter(prefix="/instances", tags=["contents"])
MOST_LINKS = 2000
READ_WHOLE_BYTES = 16 << 20
LARGEST_WAVEFORM = 256 << 20
LARGEST_SOUND = 64 << 20  # as WAV up to twice that, made for each range
MOST_SAMPLES = 1 << 26


GroupNumber = Annotated[int, Path(ge=1, le=64)]


class NoReport(NotFound):
    """This object holds no structured report."""

    code = "no-report"


class NoSuchAttribute(NotFound):
    """This object has no such attribute."""

    code = "no-such-attribute"


class NoWaveform(NotFound):
    """This object holds no waveform that can be shown."""

    code = "no-waveform"


class LinkedInstance(BaseModel):
    """An object that is here and within reach, with where it stands."""

    id: uuid.UUID
    series_id: uuid.UUID
    study_id: uuid.UUID
    number: int | None


class ReportAnswer(BaseModel):
    """A report, and those of the objects that it points at which can be opened, by SOP Instance UID."""

    report: Report
    instances: dict[str, LinkedInstance]


def seen(request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID) -> ReachedInstance:
    """Find an instance within reach; that it is looked at is on record before anything of it leaves."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    note(request, services, principal, found)
    return found


def seen_clear(
    request: Request, services: WebServices, principal: Principal, instance_id: uuid.UUID
) -> ReachedInstance:
    """Find an instance whose patient may be shown, too; raises `IdentityHidden` before anything is read."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).instance(instance_id)
    found.study.require_clear()
    note(request, services, principal, found)
    return found


def note(request: Request, services: WebServices, principal: Principal, found: ReachedInstance) -> None:
    """Write that the instance's study is looked at, once per login."""
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)


@router.get("/{instance_id}/report", response_model=ReportAnswer)
def report(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Give a structured report as a tree of names and values, with links to what it points at."""
    found = seen_clear(request, services, principal, instance_id)
    header = services.renditions.header(found.ref)
    if not is_report(header):
        raise NoReport
    read = read_report(header)
    uids = list(dict.fromkeys(one.sop_uid for one in read.references()))[:MOST_LINKS]
    return json_answer({"report": read, "instances": _links(services, principal, uids)})


def _links(services: WebServices, principal: Principal, uids: list[str]) -> dict[str, dict[str, Any]]:
    if not uids:
        return {}
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).links(uids)
    return {
        one.sop_uid: {"id": one.id, "series_id": one.series_id, "study_id": one.study_id, "number": one.number}
        for one in found
    }


class HeaderValue(BaseModel):
    """A value that was too long for the list of all."""

    value: str


@router.get("/{instance_id}/header", response_model=HeaderTree)
def header(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Give all attributes of the object and of its file meta information, as rows with their depth."""
    found = seen_clear(request, services, principal, instance_id)
    ref = found.ref
    meta = file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid)
    body = encoded(read_tree(_whole_header(services, ref), meta))
    headers: dict[str, str] = {}
    return Response(compressed(request, body, headers), media_type="application/json", headers=headers)


@router.get("/{instance_id}/header/value", response_model=HeaderValue)
def header_value(
    request: Request,
    services: Services,
    principal: Authenticated,
    instance_id: uuid.UUID,
    path: Annotated[str, Query(max_length=2000)],
) -> Response:
    """Give one value to its end (at most 1 MiB): `path` is a tag, or tag/item from 0/tag within sequences."""
    found = seen_clear(request, services, principal, instance_id)
    value = whole_value(_whole_header(services, found.ref), path)
    if value is None:
        raise NoSuchAttribute
    return json_answer({"value": value})


def _whole_header(services: WebServices, ref: InstanceRef) -> Header:
    """Return all attributes, those behind the pixel data too where the object is small enough to be read whole."""
    if ref.size > READ_WHOLE_BYTES:
        return services.renditions.header(ref)
    return parse(services.reader.data_set(ref), ref.transfer_syntax_uid)


@router.get("/{instance_id}/waveform", response_model=Waveform)
def waveform(request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID) -> Response:
    """Say what an object's waveforms are: groups of channels, and annotations; free texts only with the identity."""
    found = seen(request, services, principal, instance_id)
    clear = found.study.identity == "clear"
    try:
        return json_answer(read_waveform(_waveform_header(services, found.ref), texts=clear))
    except UnreadableWaveform as error:
        raise NoWaveform(f"{NoWaveform.__doc__} ({error})") from error


@router.get(
    "/{instance_id}/waveform/{group}/samples",
    response_class=Response,
    responses=answers("application/octet-stream"),
)
def waveform_samples(
    request: Request,
    services: Services,
    principal: Authenticated,
    instance_id: uuid.UUID,
    group: GroupNumber,
    start: Annotated[int, Query(ge=0, le=MOST_SAMPLES)] = 0,
    count: Annotated[int, Query(ge=1, le=MOST_SAMPLES)] = MOST_SAMPLES,
) -> Response:
    """Give samples of a group as little endian words (`words` says which), channel by channel within each."""
    found = _not_heard(seen(request, services, principal, instance_id))
    try:
        data = samples_of(_waveform_header(services, found.ref), group, start, count)
    except UnreadableWaveform as error:
        raise NoWaveform(f"{NoWaveform.__doc__} ({error})") from error
    return Response(data, media_type="application/octet-stream")


@router.get("/{instance_id}/waveform/{group}/sound", response_class=Response, responses=answers("audio/wav"))
def waveform_sound(
    request: Request, services: Services, principal: Authenticated, instance_id: uuid.UUID, group: GroupNumber
) -> Response:
    """Give a group's samples as a sound, in ranges as players ask; a voice tells whose it is and of whom it speaks."""
    found = seen_clear(request, services, principal, instance_id)
    if found.ref.size > LARGEST_SOUND:
        raise TooLarge("this sound is too large to be played; download the file")
    try:
        return ranged(request, sound_of(_waveform_header(services, found.ref), group), "audio/wav")
    except UnreadableWaveform as error:
        raise NoWaveform(f"{NoWaveform.__doc__} ({error})") from error


def _not_heard(found: ReachedInstance) -> ReachedInstance:
    """Refuse the samples of a voice to whom patients are shown by alias."""
    if found.ref.sop_class_uid.startswith(SOUND_CLASSES):
        found.study.require_clear()
    return found


def _waveform_header(services: WebServices, ref: InstanceRef) -> Header:
    """Return all attributes of an object without pixel data, however long its samples are."""
    if ref.size > LARGEST_WAVEFORM:
        raise TooLarge("this recording is too large to be shown; download the file")
    return parse(services.reader.data_set(ref), ref.transfer_syntax_uid)
