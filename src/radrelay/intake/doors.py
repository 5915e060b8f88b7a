"""Whose door it is, where several organisations share one machine: AE titles of the one DICOM port, and folders.

The called AE title alone says which organisation is meant (PS3.8 9.3.2). A title that leads to none, or to more than
one, is refused: nothing is ever filed to a guess. Titles and folders are given out by who runs the machine, or one
organisation's administrator could take what is sent to another.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Source
from radrelay.identity import organisations
from radrelay.identity.models import Organisation
from radrelay.intake.errors import SourceInvalid, SourceUnknown
from radrelay.settings import DicomSettings


class TitleNotGiven(SourceInvalid):
    """This AE title was not given to your organisation; whoever runs Radrelay gives titles out."""

    code = "title-not-given"


class FolderNotGiven(SourceInvalid):
    """Whoever runs Radrelay says which folder is watched for your organisation."""

    code = "folder-not-given"


class TitleAmbiguous(SourceUnknown):
    """This AE title leads to more than one organisation, so nothing is taken by it."""

    code = "title-ambiguous"


@dataclass(frozen=True, slots=True)
class Doors:
    """Which organisations there are, the first of the installation first, and which AE titles were given to whom."""

    organisations: tuple[uuid.UUID, ...] = ()
    titles: Mapping[str, uuid.UUID] = field(default_factory=dict)
    of_sources: Mapping[str, frozenset[uuid.UUID]] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session) -> Doors:
        """Return them as they are now; who has a source counts, whatever else is missing of them."""
        found = session.scalars(sa.select(Organisation.id).order_by(Organisation.created_at, Organisation.id))
        every = dict.fromkeys(found)
        named: dict[str, set[uuid.UUID]] = {}
        rows = session.execute(sa.select(Source.kind, Source.ae_title, Source.organisation_id).order_by(Source.id))
        for kind, title, owner in rows:
            every.setdefault(owner)
            if kind == "dicom" and title is not None:
                named.setdefault(title, set()).add(owner)
        fixed = {title: frozenset(owners) for title, owners in named.items()}
        return cls(tuple(every), organisations.titles(session), fixed)

    @property
    def several(self) -> bool:
        """Say whether more than one organisation shares this installation."""
        return len(self.organisations) > 1

    @property
    def first(self) -> uuid.UUID:
        """The organisation that the installation began with; raises `SourceUnknown` before there is one."""
        if not self.organisations:
            raise SourceUnknown("there is no organisation yet")
        return self.organisations[0]

    def organisation_of(self, called_ae: str, own: DicomSettings) -> uuid.UUID:
        """Return whom somebody means who calls `called_ae`; raises `SourceUnknown`, or `TitleAmbiguous`.

        The listener's own title is the first organisation's. Any other title leads somewhere only where there is one
        organisation alone, and `dicom.accept_any_called` allows it.
        """
        if not self.several:
            return self.first
        given = self.titles.get(called_ae)
        owners = self.of_sources.get(called_ae, frozenset()) | ({given} if given is not None else set())
        if called_ae == own.ae_title:
            owners |= {self.first}
        if len(owners) > 1:
            raise TitleAmbiguous(f"the AE title {called_ae} leads to {len(owners)} organisations; see `organisation`")
        if not owners:
            raise SourceUnknown(f"the AE title {called_ae} leads to no organisation")
        return next(iter(owners))

    def require_title(self, organisation_id: uuid.UUID, ae_title: str) -> None:
        """Raise `TitleNotGiven` unless an organisation may have a source of this AE title."""
        if self.several and self.titles.get(ae_title) != organisation_id:
            raise TitleNotGiven(ae_title=ae_title, field="ae_title")


def require_folder(session: Session, organisation_id: uuid.UUID, folder: str, doors: Doors, *, operator: bool) -> None:
    """Raise `FolderNotGiven` unless an organisation may watch a folder: it holds nothing of another's."""
    if not doors.several:
        return
    if not operator or folder_of_another(session, organisation_id, folder):
        raise FolderNotGiven(field="folder")


def folder_of_another(session: Session, organisation_id: uuid.UUID, folder: str) -> bool:
    """Say whether a folder is, holds or lies in one that another organisation watches."""
    watched: Iterable[str | None] = session.scalars(
        sa.select(Source.folder).where(Source.kind == "folder", Source.organisation_id != organisation_id)
    )
    wanted = Path(os.path.realpath(folder))
    for other in (Path(os.path.realpath(one)) for one in watched if one):
        if wanted == other or wanted in other.parents or other in wanted.parents:
            return True
    return False
