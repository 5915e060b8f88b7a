"""The levels of a series' whole slides, so that a viewer fetches the tiles that are looked at and no more."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from radrelay.access import Right
from radrelay.archive.instances import InstanceRef
from radrelay.dicom.errors import Malformed
from radrelay.dicom.lossiness import Loss
from radrelay.dicom.slides import SLIDE, Level, pyramids, read_level
from radrelay.errors import NotFound
from radrelay.web import trail
from radrelay.web.answering import encoded, packed
from radrelay.web.authentication import Authenticated, Services
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


class SlideWindow(BaseModel):
    """The window that all tiles of a grey slide are seen with, in units of its rescaled values."""

    center: float
    width: float


class SlideLoss(BaseModel):
    """What was lost when its tiles were compressed: how many times smaller each step made it, where that is said."""

    ratios: list[float]


class SlidePyramid(BaseModel):
    """One slide: its levels, the finest first. `window` is none where tiles bring theirs, or are in colour."""

    levels: list[SlideLevel]
    window: SlideWindow | None
    loss: SlideLoss | None


class SlideImage(BaseModel):
    """A picture of the slide as a whole, its label or its overview."""

    instance_id: uuid.UUID
    kind: str


class Slide(BaseModel):
    """The slides of a series, the largest first; pictures of the label only where patients may be shown."""

    pyramids: list[SlidePyramid]
    images: list[SlideImage]


@router.get("/{series_id}/slide", response_model=Slide)
def slide(request: Request, services: Services, principal: Authenticated, series_id: uuid.UUID) -> Response:
    """Say which slides a series has, their levels, and which frame is which tile."""
    with services.database.read() as session:
        found = Reach.of(services, session, principal, Right.SEE).series(series_id)
    record = trail.event(request, principal, "study.view", ("study", found.study.id), patient=found.study.patient)
    trail.seen(services.database, principal, record)
    clear = found.study.identity == "clear"
    mark = (series_id, "slide", found.found.version(), clear)
    listed = services.listings.get(mark)
    if listed is None:
        levels = _levels(services, found)
        if not levels:
            raise NoSlide
        listed = encoded(_described(services, levels, clear=clear))
        services.listings.put(mark, listed)
    return packed(request, listed)


def _levels(services: WebServices, found: ReachedSeries) -> list[tuple[InstanceRef, Level]]:
    levels = []
    for ref in [one for one in found.instances if one.sop_class_uid == SLIDE][:MOST_OBJECTS]:
        try:
            level = read_level(services.renditions.header(ref), ref.frames)
        except Malformed:
            continue  # its neighbours are shown all the same
        if level is not None:
            levels.append((ref, level))
    return levels


def _described(services: WebServices, levels: list[tuple[InstanceRef, Level]], *, clear: bool) -> dict[str, object]:
    whole = ("LABEL", "OVERVIEW")
    fine = [one for one in levels if one[1].kind not in whole and not one[1].labelled] or [
        one for one in levels if clear or not one[1].labelled
    ]
    found = sorted(pyramids(fine), key=lambda one: one[0][1].columns, reverse=True)
    return {
        "pyramids": [_pyramid(services, one) for one in found],
        "images": [
            {"instance_id": ref.id, "kind": level.kind.lower()}
            for ref, level in levels
            if level.kind in whole and (clear or not level.labelled)
        ],
    }


def _pyramid(services: WebServices, levels: list[tuple[InstanceRef, Level]]) -> dict[str, object]:
    coarsest = levels[-1][0]
    window, loss = services.renditions.common_window(coarsest), services.renditions.loss(levels[0][0])
    return {
        "levels": [
            {
                "instance_id": ref.id,
                "columns": level.columns,
                "rows": level.rows,
                "tile_columns": level.tile_columns,
                "tile_rows": level.tile_rows,
                "pixel_mm": level.pixel_mm,
                "tiles": level.tiles,
            }
            for ref, level in levels
        ],
        "window": {"center": window.center, "width": window.width} if window is not None else None,
        "loss": _loss(loss),
    }


def _loss(loss: Loss | None) -> dict[str, object] | None:
    return {"ratios": loss.ratios} if loss is not None else None
