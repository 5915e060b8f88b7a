"""One series: its instances in the order in which they are looked at, its thumbnail, its download."""

from __future__ import annotations

import uuid
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from radrelay.access import Principal, Right
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import FrameNotThere
from radrelay.dicom.decode import can_decode
from radrelay.dicom.errors import Malformed
from radrelay.dicom.picture_kinds import kinds_of
from radrelay.dicom.pixels import BrokenPixels, DecoderKilled, NotViewable, PixelsTooLarge
from radrelay.dicom.syntaxes import syntax_of
from radrelay.web import placements, study_rows, trail
from radrelay.web.aliases import reference_of
from radrelay.web.answering import encoded, json_answer
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.downloads import zip_response
from radrelay.web.frame_order import frame_order
from radrelay.web.labels import names_patient
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, ReachedSeries
from radrelay.web.services import WebServices

router = APIRouter(prefix="/series", tags=["series"])
ASKED_HEADERS = 200
FRAGMENT_BYTES = 8  # that a frame takes at least, in practice
THUMBNAIL_TRIES = 5


class Instance(BaseModel):
    """An instance; position, orientation, spacing and thickness (mm) are the plane's, where it has one for all frames.

    `frames` are those that can be read, whatever the header says; `frames_named` is what it says; `frame_order` has
    their numbers in the order in which they lie, where that is another than their own. `time` is in seconds
    after the midnight before the series' first instance, `time_of` says of what: its acquisition or its content;
    without the patient's identity it counts from that instance. `trigger_time` is in ms after the heart's R wave.
    `temporal_position`, `acquisition` (its number), `echo_time` (ms), `echo_number` and `b_value` (s/mm²) tell pictures
    apart that lie at one position; and, told only where a series' instances differ in them, `kinds` (what an MR picture
    is: magnitude, phase, water, fat, adc) and `image_type` (from its third value on); so is `frame_of_reference`.
    `view` is a radiograph's, such as MLO or PA (with " modified" for a special one), `side` of the body R, L or B.
    """

    id: uuid.UUID
    sop_uid: str
    sop_class_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    view: str
    side: str
    frames: int
    frames_named: int
    frame_order: list[int] | None
    transfer_syntax: str
    viewable: bool
    why_not: str | None
    why_not_code: str
    position: list[float]
    orientation: list[float]
    pixel_spacing: list[float]
    thickness: float | None
    time: float | None
    time_of: Literal["", "acquisition", "content"]
    trigger_time: float | None
    temporal_position: float | None
    acquisition: float | None
    echo_time: float | None
    echo_number: float | None
    b_value: float | None
    kinds: list[str]
    image_type: str
    frame_of_reference: str | None
    cine_rate: float | None
    file_name: str


class SeriesDetail(BaseModel):
    """A series with its instances in display order.

    Positions within the same `frame_of_reference` can be compared, across series and studies. It is the UID, or where
    the patient's identity is not shown a token that is the same for the same UID; null where the instances differ.
    """

    id: uuid.UUID
    study_id: uuid.UUID
    frame_of_reference: str | None
    instances: list[Instance]


@router.get("/{series_id}", response_model=SeriesDetail)
def series(request: Request, services: Services, principal: Authenticated, series_id: uuid.UUID) -> Response:
    """Show a series' instances in display order."""
    return json_answer(detail(request, services, principal, series_id))


def detail(request: Request, services: WebServices, principal: Principal, series_id: uuid.UUID) -> bytes:
    """Return a `SeriesDetail` as JSON; that its study is opened is on record then."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).series(series_id)
    record = trail.event(request, principal, "study.open", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    clear = found.study.identity == "clear"
    mark = (series_id, found.found.version(), clear)
    listed = services.listings.get(mark)
    if listed is None:
        listed = _listed(services, principal.organisation_id, found, clear=clear)
        services.listings.put(mark, listed)
    return listed


def _listed(services: WebServices, organisation_id: uuid.UUID, found: ReachedSeries, *, clear: bool) -> bytes:
    """Return a series' description as JSON: the same for the same instances in the same places."""
    with services.database.read() as session:
        shapes = study_rows.shapes(session, found.id)
    placed = placements.placements(services.metadata, found.instances)
    when = placements.times(placed, clear=clear)
    reference = placements.shared_frame_of_reference(placed)
    several = placements.image_types_differ(placed)
    asked = 0
    rows: list[dict[str, object]] = []
    for place in placements.in_display_order(found.instances, placed):
        ref, placement = found.instances[place], placed[place]
        shape = shapes.get(ref.id, study_rows.Shape())
        why_not, looked = _why_not(services, ref, shape, placement, may_ask=asked < ASKED_HEADERS)
        frames, counted = _frames(services, ref, may_ask=asked < ASKED_HEADERS) if why_not is None else (1, 0)
        asked += looked + counted
        row = _instance(ref, placement, shape, frames, why_not, clear=clear)
        row["time"], row["time_of"] = when[place]
        if frames > 1:
            row["frame_order"] = frame_order(services.metadata.one(ref), frames)
        if several:
            row["kinds"] = kinds_of(ref.sop_class_uid, placement.image_type, placement.component)
            row["image_type"] = placement.image_type_text
        if not reference:
            row["frame_of_reference"] = reference_of(
                services, organisation_id, placement.frame_of_reference.text, clear=clear
            )
        rows.append(row)
    shared = reference_of(services, organisation_id, reference, clear=clear)
    return encoded({"id": found.id, "study_id": found.study.id, "frame_of_reference": shared, "instances": rows})


def _why_not(
    services: WebServices,
    ref: InstanceRef,
    shape: study_rows.Shape,
    placement: placements.Placement,
    *,
    may_ask: bool,
) -> tuple[str | None, int]:
    """Say why an instance has no picture, and how many headers were read for it: none where the index suffices."""
    if shape.rows and shape.columns and placement.plain_pixels and can_decode(syntax_of(ref.transfer_syntax_uid)):
        return None, 0
    if not may_ask:
        return "The object holds no pixel data.", 0
    return services.renditions.why_not(ref), 1


def _frames(services: WebServices, ref: InstanceRef, *, may_ask: bool) -> tuple[int, int]:
    """Return how many frames can be read, and how many objects were opened for it: none where one is said to be all.

    Beyond `ASKED_HEADERS` the object's size bounds what its header says.
    """
    if ref.frames <= 1:
        return 1, 0
    if not may_ask:
        return min(ref.frames, max(1, ref.size // FRAGMENT_BYTES)), 0
    try:
        return services.reader.frame_count(ref), 1
    except (NotViewable, BrokenPixels, PixelsTooLarge, Malformed):
        return 1, 1  # asked for, it says what is wrong


def _instance(
    ref: InstanceRef,
    placement: placements.Placement,
    shape: study_rows.Shape,
    frames: int,
    why_not: str | None,
    *,
    clear: bool,
) -> dict[str, object]:
    """Return the fields of `Instance`."""
    return {
        "id": ref.id,
        "sop_uid": ref.sop_uid if clear else "",
        "sop_class_uid": ref.sop_class_uid,
        "number": ref.number,
        "rows": shape.rows,
        "columns": shape.columns,
        "view": shape.view,
        "side": shape.side,
        "frames": frames,
        "frames_named": ref.frames,
        "frame_order": None,
        "transfer_syntax": ref.transfer_syntax_uid,
        "viewable": why_not is None,
        "why_not": why_not,
        "why_not_code": "" if why_not is None else "unsupported-pixels" if bytes(placement.pixel_data) else "no-pixels",
        "position": placement.position.numbers,
        "orientation": placement.orientation.numbers,
        "pixel_spacing": placement.spacing.numbers,
        "thickness": placement.thickness.number,
        "trigger_time": placement.trigger_time.number,
        "temporal_position": placement.temporal_position.number,
        "acquisition": placement.acquisition_number.number,
        "echo_time": placement.echo_time.number,
        "echo_number": placement.echo_number.number,
        "b_value": placement.diffusion_b_value,
        "kinds": (),
        "image_type": "",
        "frame_of_reference": None,
        "cine_rate": placement.frames_per_second(),
        "file_name": ref.file_name if clear else "",
    }


@router.get(
    "/{series_id}/thumbnail",
    response_class=Response,
    responses={**answers("image/jpeg"), 204: {"description": "Nothing in this series can be shown as a picture"}},
)
def thumbnail(request: Request, services: Services, principal: Authenticated, series_id: uuid.UUID) -> Response:
    """Show a small picture from the middle of the series; nothing (204) where it has none that can be shown."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).series(series_id)
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    middle = len(found.instances) // 2
    nearest = sorted(range(len(found.instances)), key=lambda place: abs(place - middle))
    for place in nearest[:THUMBNAIL_TRIES]:
        if names_patient(services, found.study, found.instances[place]):
            continue
        try:
            return Response(services.renditions.thumbnail(found.instances[place]), media_type="image/jpeg")
        except DecoderKilled:
            raise  # the others of the series may take as long
        except (NotViewable, BrokenPixels, FrameNotThere):
            continue  # another instance of the series may have a picture
    return Response(status_code=204)


@router.get("/{series_id}/archive.zip", response_class=StreamingResponse, responses=answers("application/zip"))
def download_series(request: Request, services: Services, principal: Authenticated, series_id: uuid.UUID) -> Response:
    """Download a series as a ZIP with DICOMDIR, streamed."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.DOWNLOAD).series(series_id)
    found.study.require_clear()
    return zip_response(request, services, principal, found.study, found.instances, series_id=series_id)
