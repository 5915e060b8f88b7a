"""The other studies of a study's patient, to compare with."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from radrelay.access import Right
from radrelay.archive.models import Study
from radrelay.archive.persons import likeness
from radrelay.archive.regions import regions_of, words_of
from radrelay.archive.tables import STUDY
from radrelay.web import study_rows, trail
from radrelay.web.answering import json_answer
from radrelay.web.api.studies import LocalTime
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import Reach

router = APIRouter(prefix="/studies", tags=["studies"])
MOST_PRIORS = 200
Reason = Literal["region", "description", "modality"]


class Prior(BaseModel):
    """Another study of the patient. `earlier` says that it is older than the one that is looked at.

    `relevant` says whether it is likely of use beside it, `because` of what they share: the region of the body, words
    of their descriptions, a modality. `thumbnail_series` is the series whose thumbnail shows it, if any can.
    """

    id: uuid.UUID
    study_date: date | None
    study_time: LocalTime | None
    description: str
    accession_number: str
    modalities: list[str]
    body_parts: list[str]
    series_count: int
    instance_count: int
    thumbnail_series: uuid.UUID | None
    earlier: bool
    relevant: bool
    because: list[Reason]


class Priors(BaseModel):
    """A patient's other studies within reach, the newest first; `more` says that not all are listed."""

    study_id: uuid.UUID
    priors: list[Prior]
    more: bool


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a study is about."""

    regions: frozenset[str]
    words: frozenset[str]
    modalities: frozenset[str]

    @classmethod
    def of(cls, study: Any, series: Sequence[Any]) -> _Kind:
        parts = [one.body_part for one in series]
        modalities = frozenset(part for part in study.modalities.split("\\") if part)
        described = [study.description, *(one.description for one in series)]
        regions = regions_of(parts) or regions_of([study.description]) or regions_of(described)
        words = words_of([study.description]) - {modality.lower() for modality in modalities}
        return cls(regions, words, modalities)

    def shared(self, other: _Kind) -> list[Reason]:
        reasons: list[tuple[Reason, frozenset[str]]] = [
            ("region", self.regions & other.regions),
            ("description", self.words & other.words),
            ("modality", self.modalities & other.modalities),
        ]
        return [name for name, common in reasons if common]


@router.get("/{study_id}/priors", response_model=Priors)
def priors(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Response:
    """List the other studies of the same patient: one issuer's patient ID, and nothing that contradicts.

    Devices without an issuer give the same ID to different people: what tells another name, birth date or sex is left
    out.
    """
    with services.database.read() as session:
        reach = Reach.of(services, session, principal, Right.SEE)
        found = reach.study(study_id)
        own = study_rows.study_row(session, study_id)
        rows = _others(reach, own)
        series = study_rows.series_of_studies(session, [study_id, *(row.id for row in rows)], reach.scope)
    record = trail.event(request, principal, "study.priors", ("study", study_id), patient=found.patient)
    trail.seen(services.database, principal, record)
    clear = found.identity == "clear"
    kind = _Kind.of(own, series.get(study_id, []))
    listed = [_shown(row, series.get(row.id, []), own, kind, clear=clear) for row in rows[:MOST_PRIORS]]
    return json_answer({"study_id": study_id, "priors": listed, "more": len(rows) > MOST_PRIORS})


def _others(reach: Reach, own: Any) -> list[Study]:
    if not own.patient_id_value:
        return []  # of a study without any patient ID nobody knows whose the others are
    conditions: list[sa.ColumnElement[bool]] = [STUDY.c.patient_id == own.patient_id, STUDY.c.id != own.id]
    return [row for row in reach.newest_studies(conditions, MOST_PRIORS + 1) if likeness(own, row) != "other"]


def _shown(row: Study, series: Sequence[Any], own: Any, kind: _Kind, *, clear: bool) -> dict[str, object]:
    other = _Kind.of(row, series)
    because = kind.shared(other)
    vague = not (kind.regions and other.regions)  # then the modality is all there is to go by
    pictured = [one for one in series if one.pictured]
    return {
        "id": row.id,
        "study_date": row.study_date,
        "study_time": row.study_time if clear else None,
        "description": row.description,
        "accession_number": row.accession_number if clear else "",
        "modalities": [part for part in row.modalities.split("\\") if part],
        "body_parts": sorted({one.body_part for one in series if one.body_part}),
        "series_count": row.series_count,
        "instance_count": row.instance_count,
        "thumbnail_series": pictured[0].id if pictured else None,
        "earlier": bool(row.study_date and own.study_date) and row.sort_key < own.sort_key,
        "relevant": "region" in because or (vague and bool(because)),
        "because": because,
    }
