"""A whole slide's levels, so that a viewer fetches the tiles that are looked at and no more."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from radrelay.access import Right
from radrelay.dicom.errors import Malformed
from radrelay.dicom.slides import SLIDE, Level, read_level
from radrelay.errors import NotFound
from radrelay.web import trail
from radrelay.web.answering import encoded
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.dicomweb.answering import compressed
from radrelay.web.reach import Reach, ReachedSeries
from radrelay.web.services import WebServices

router = APIRouter(prefix="/series", tags=["contents"])
MOST_OBJECTS = 200


class NoSlide(NotFound):
    """This series holds no whole slide."""

    code = "no-slide"


class SlideLevel(BaseModel):
    """A level: its matrix and tiles in pixels; `tiles` is frame, column and row of each where not every one is there.

    Without `tiles`, frames go row by row from 1. `pixel_mm` is a pixel's width and height, empty if unknown.
    """

    instance_id: uuid.UUID
    columns: int
    rows: int
    tile_columns: int
    tile_rows: int
    pixel_mm: list[float]
    tiles: list[int] | None


class SlideImage(BaseModel):
    """A picture of the slide as a whole, its label or its overview."""

    instance_id: uuid.UUID
    kind: str


class Slide(BaseModel):
    """The levels of the largest pyramid, the finest first; pictures of the label only where patients may be shown."""

    levels: list[SlideLevel]
    images: list[SlideImage]


@router.get("/{series_id}/slide", response_model=Slide)
def slide(request: Request, services: Services, principal: Authenticated, series_id: uuid.UUID) -> Response:
    """Say which levels a slide has, and which frame is which tile."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).series(series_id)
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    levels = _levels(services, found)
    if not levels:
        raise NoSlide
    headers: dict[str, str] = {}
    body = encoded(_described(levels, clear=found.study.identity == "clear"))
    return Response(compressed(request, body, headers), media_type="application/json", headers=headers)


def _levels(services: WebServices, found: ReachedSeries) -> list[tuple[uuid.UUID, Level]]:
    levels = []
    for ref in [one for one in found.instances if one.sop_class_uid == SLIDE][:MOST_OBJECTS]:
        try:
            level = read_level(services.renditions.header(ref), ref.frames)
        except Malformed:
            continue  # its neighbours are shown all the same
        if level is not None:
            levels.append((ref.id, level))
    return levels


def _described(levels: list[tuple[uuid.UUID, Level]], *, clear: bool) -> dict[str, object]:
    whole = ("LABEL", "OVERVIEW")
    fine = [one for one in levels if one[1].kind not in whole and not one[1].labelled] or [
        one for one in levels if clear or not one[1].labelled
    ]
    pyramid = max(fine, key=lambda one: one[1].columns)[1].pyramid if fine else ""
    chosen: dict[tuple[int, int], tuple[uuid.UUID, Level]] = {}
    for instance_id, level in fine:
        if level.pyramid == pyramid:
            chosen.setdefault((level.columns, level.rows), (instance_id, level))
    return {
        "levels": [
            {
                "instance_id": instance_id,
                "columns": level.columns,
                "rows": level.rows,
                "tile_columns": level.tile_columns,
                "tile_rows": level.tile_rows,
                "pixel_mm": level.pixel_mm,
                "tiles": level.tiles,
            }
            for _, (instance_id, level) in sorted(chosen.items(), reverse=True)
        ],
        "images": [
            {"instance_id": instance_id, "kind": level.kind.lower()}
            for instance_id, level in levels
            if level.kind in whole and (clear or not level.labelled)
        ],
    }
