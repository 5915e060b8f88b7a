"""What a viewer opens with, in one answer each: the study with its first series, and a coarse first picture.

Both may be asked for at once, before any of the viewer's code is there; which series and which object come first is
therefore said here. A series that is asked for by name comes first if it is the study's.
"""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from radrelay.access import Principal, Right
from radrelay.archive.instances import InstanceRef
from radrelay.dicom.pixels import NotViewable
from radrelay.errors import NotFound
from radrelay.web import placements, study_rows, trail
from radrelay.web.answering import encoded, packed
from radrelay.web.api import series as series_api
from radrelay.web.api import studies as studies_api
from radrelay.web.api.instances import FRAME_HEADER, facts_header
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.labels import names_patient
from radrelay.web.problems import answers
from radrelay.web.reach import Reach, ReachedSeries
from radrelay.web.services import WebServices

router = APIRouter(prefix="/studies", tags=["studies"])
NOTHING = 204
WHOSE_HEADER = "X-Radrelay-Instance"


class NothingPictured(NotFound):
    """This study opens on no picture."""

    code = "nothing-pictured"


class Opening(BaseModel):
    """A study and the series that is shown first; none where it has none."""

    study: studies_api.StudyDetail
    series: series_api.SeriesDetail | None


@router.get("/{study_id}/opening", response_model=Opening)
def opening(
    request: Request,
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID,
    series: uuid.UUID | None = None,
) -> Response:
    """Show a study with the instances of its first series, or of `series`."""
    study = studies_api.detail(request, services, principal, study_id)
    first = _first([(one["id"], one["pictured"]) for one in study["series"]], series)
    shown = series_api.detail(request, services, principal, first) if first else b"null"
    return packed(request, b'{"study":%b,"series":%b}' % (encoded(study), shown))


@router.get("/{study_id}/glimpse", response_class=Response, responses=answers("application/octet-stream"))
def glimpse(
    request: Request,
    services: Services,
    principal: Authenticated,
    study_id: uuid.UUID,
    series: uuid.UUID | None = None,
) -> Response:
    """Give a coarse picture of the first object of what `opening` shows; X-Radrelay-Instance says of which.

    204 where that is no picture, such as of a report or an ECG: this is asked before anybody knows.
    """
    try:
        ref = _first_instance(request, services, principal, study_id, series)
        frame = services.renditions.glimpse(ref, 1)
    except (NothingPictured, NotViewable):
        return Response(status_code=NOTHING)
    headers = {FRAME_HEADER: facts_header(frame.info), WHOSE_HEADER: str(ref.id)}
    return packed(request, frame.data, "application/octet-stream", headers)


def _first(listed: list[tuple[uuid.UUID, bool]], asked: uuid.UUID | None) -> uuid.UUID | None:
    """Return the series to begin with: the one asked for, else the first that has pictures, else the first."""
    ids = [one for one, _ in listed]
    if asked in ids:
        return asked
    return next((one for one, pictured in listed if pictured), ids[0] if ids else None)


def _first_instance(
    request: Request, services: WebServices, principal: Principal, study_id: uuid.UUID, asked: uuid.UUID | None
) -> InstanceRef:
    """Find the object that comes first, in the order in which the series shows its objects."""
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        reach.study(study_id)
        rows = study_rows.series_rows(session, study_id, reach.scope)
        first = _first([(one.id, one.pictured) for one in rows], asked)
        if first is None:
            raise NothingPictured
        found = reach.series(first)
        mark = (first, found.found.version(), "first")
        kept = services.listings.get(mark)  # for the same instances in the same places
        ref = reach.instance(uuid.UUID(bytes=kept)).ref if kept is not None else None
    record = trail.event(request, principal, "study.view", ("study", study_id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    if ref is None:
        ref = _first_shown(services, found)
        services.listings.put(mark, ref.id.bytes)
    if names_patient(services, found.study, ref):
        raise NothingPictured
    return ref


def _first_shown(services: WebServices, found: ReachedSeries) -> InstanceRef:
    if not found.instances:
        raise NothingPictured
    placed = placements.placements(services.metadata, found.instances)
    return found.instances[placements.in_display_order(found.instances, placed)[0]]
