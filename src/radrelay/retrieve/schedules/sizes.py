"""How many bytes studies are: no attribute of a query says so (PS3.4 C.6), so those fetched before tell the mean."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Study
from radrelay.retrieve.models import Fetch
from radrelay.retrieve.ports import FoundStudy

FIRST_GUESS = 500_000
"""Bytes of an image where nothing was fetched yet that could tell."""
IMAGES_GUESS = 200
"""Images of a study whose archive does not tell how many it has, where nothing was fetched yet."""


@dataclass(frozen=True, slots=True)
class Means:
    """What an image, and a study, had in the mean: by modality, and of all."""

    image: float = FIRST_GUESS
    images: float = IMAGES_GUESS
    image_of: Mapping[str, float] = field(default_factory=dict)
    images_of: Mapping[str, float] = field(default_factory=dict)

    def expected(self, study: FoundStudy) -> int:
        """Return how many bytes a study is likely to be."""
        known = [one for one in study.modalities if one in self.image_of]
        image = max((self.image_of[one] for one in known), default=self.image)
        images = max((self.images_of[one] for one in known), default=self.images)
        return round(image * (study.instances if study.instances is not None else images))


class Sizes(Protocol):
    """Says what was fetched before in the mean."""

    def means(self, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> Means:
        """Return the means of studies that were fetched from these archives."""
        ...


class Guesses:
    """Knows nothing."""

    def means(self, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> Means:
        """Return first guesses."""
        return Means()


def means_of(session: Session, organisation_id: uuid.UUID, pacs_ids: Collection[uuid.UUID]) -> Means:
    """Return the means of what was fetched from these archives and is here."""
    fetched = sa.select(Fetch.study_uid).where(
        Fetch.organisation_id == organisation_id, Fetch.pacs_id.in_(pacs_ids), Fetch.state == "done"
    )
    rows = session.execute(
        sa.select(Study.modalities, sa.func.count(), sa.func.sum(Study.instance_count), sa.func.sum(Study.bytes))
        .where(Study.organisation_id == organisation_id, Study.study_uid.in_(fetched), Study.instance_count > 0)
        .group_by(Study.modalities)
    )
    sums: dict[str, tuple[int, int, int]] = {}
    for modalities, studies, images, size in rows:
        for one in ("", *(part for part in modalities.split("\\") if part)):
            before = sums.get(one, (0, 0, 0))
            sums[one] = (before[0] + studies, before[1] + int(images), before[2] + int(size))
    if not sums:
        return Means()
    image_of = {one: size / images for one, (_, images, size) in sums.items()}
    images_of = {one: images / studies for one, (studies, images, _) in sums.items()}
    return Means(image_of.pop(""), images_of.pop(""), image_of, images_of)


def bytes_of(session: Session, organisation_id: uuid.UUID, study_uid: str) -> int:
    """Return how many bytes are here of a study."""
    here = sa.select(Study.bytes).where(Study.organisation_id == organisation_id, Study.study_uid == study_uid)
    return session.scalar(here) or 0
