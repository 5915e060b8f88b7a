"""Destinations: where studies are sent. By the AE title of a DICOM node among them C-MOVE finds its way."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.routing import kinds
from radrelay.routing.errors import DestinationExists, DestinationInUse, DestinationInvalid, DestinationNotFound
from radrelay.routing.models import Delivery, Destination
from radrelay.routing.pacing import LEAST_KIB_PER_S
from radrelay.routing.windows import Window, read, written
from radrelay.storage.ids import new_id

OPEN_STATES = ("waiting", "sending", "confirming", "held")


DRAFTED = (
    "name", "ae_title", "host", "port", "calling_ae_title", "tls", "enabled", "kind", "address", "username",
    "commitment", "performed_steps", "kib_per_s", "project_id",
)  # fmt: skip
MOST_KIB_PER_S = 10_000_000


@dataclass(frozen=True)
class DestinationDraft:
    """What a person enters for a destination."""

    name: str
    ae_title: str = ""
    host: str = ""
    port: int = 0
    calling_ae_title: str = ""
    tls: bool = False
    enabled: bool = True
    kind: str = "dicom"
    address: str = ""
    username: str = ""
    commitment: bool = False
    performed_steps: bool = False
    """Whether it is told what modalities say that they perform (MPPS)."""
    kib_per_s: int = 0
    windows: tuple[Window, ...] = ()
    project_id: uuid.UUID | None = None
    """A project of pseudonyms: what goes there are de-identified copies by it."""

    def check(self, folders: Sequence[Path] = ()) -> None:
        """Raise `DestinationInvalid`, naming the field, unless every field can be right."""
        if not self.name.strip() or len(self.name) > 100:
            raise DestinationInvalid("name: 1 to 100 characters", field="name")
        if self.kib_per_s and not LEAST_KIB_PER_S <= self.kib_per_s <= MOST_KIB_PER_S:
            words = f"kib_per_s: {LEAST_KIB_PER_S} to {MOST_KIB_PER_S}, or 0 for as fast as it goes"
            raise DestinationInvalid(words, field="kib_per_s")
        written(self.windows)
        kinds.check(self, folders)


def list_destinations(session: Session, organisation_id: uuid.UUID) -> list[Destination]:
    """Return the organisation's destinations by name."""
    return list(
        session.scalars(
            sa.select(Destination).where(Destination.organisation_id == organisation_id).order_by(Destination.name)
        )
    )


def get_destination(session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID) -> Destination:
    """Return one destination; raises `DestinationNotFound`."""
    found = session.get(Destination, destination_id)
    if found is None or found.organisation_id != organisation_id:
        raise DestinationNotFound
    return found


def find_by_ae_title(session: Session, organisation_id: uuid.UUID, ae_title: str) -> Destination | None:
    """Return the enabled destination with this AE title, the oldest if there are several."""
    return session.scalars(
        sa.select(Destination)
        .where(
            Destination.organisation_id == organisation_id,
            Destination.kind == "dicom",
            Destination.ae_title == ae_title,
            Destination.enabled.is_(True),
        )
        .order_by(Destination.id)
    ).first()


def takes_copies_alone(session: Session, organisation_id: uuid.UUID, ae_title: str) -> bool:
    """Say whether a DICOM node of this AE title is to have no originals."""
    found = sa.select(Destination.id).where(
        Destination.organisation_id == organisation_id,
        Destination.kind == "dicom",
        Destination.ae_title == ae_title,
        Destination.project_id.is_not(None),
    )
    return session.scalar(found.limit(1)) is not None


def create_destination(
    session: Session,
    clock: Clock,
    organisation_id: uuid.UUID,
    draft: DestinationDraft,
    folders: Sequence[Path] = (),
) -> Destination:
    """Add a destination; raises `DestinationInvalid` for a bad field or a name that is taken.

    `folders` are those below which objects may be written (`work.folders`).
    """
    draft.check(folders)
    _require_project(session, organisation_id, draft)
    row = Destination(id=new_id(), organisation_id=organisation_id, created_at=clock.now())
    session.add(row)
    return _write(session, row, draft)


def update_destination(
    session: Session,
    organisation_id: uuid.UUID,
    destination_id: uuid.UUID,
    draft: DestinationDraft,
    folders: Sequence[Path] = (),
) -> Destination:
    """Replace a destination's fields; its kind stays, and its secret where it is not sent elsewhere.

    Raises `DestinationInvalid`.
    """
    row = get_destination(session, organisation_id, destination_id)
    if draft.kind != row.kind:
        raise DestinationInvalid("kind: stays as it is; add another destination", field="kind")
    draft.check(folders)
    if draft.project_id != row.project_id:
        _require_project(session, organisation_id, draft)
        if _has_open(session, row.id):
            raise DestinationInUse
    if (draft.address, draft.username) != (row.address, row.username):
        row.sealed = None  # who changes where it goes enters it anew, so that nobody learns it by that
    return _write(session, row, draft)


def draft_of(row: Destination) -> DestinationDraft:
    """Return a destination's fields as a person entered them."""
    fields = {name: getattr(row, name) for name in DRAFTED}
    return DestinationDraft(**fields, windows=read(row.windows))


def delete_destination(session: Session, organisation_id: uuid.UUID, destination_id: uuid.UUID) -> None:
    """Remove a destination that no open delivery goes to."""
    row = get_destination(session, organisation_id, destination_id)
    if _has_open(session, row.id):
        raise DestinationInUse
    session.delete(row)


def uses_project(session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID) -> bool:
    """Say whether copies go somewhere by a project, or still shall."""
    for model, more in ((Destination, ()), (Delivery, (Delivery.state.in_(OPEN_STATES),))):
        mine = sa.select(model.id).where(
            model.organisation_id == organisation_id, model.project_id == project_id, *more
        )
        if session.scalar(mine.limit(1)) is not None:
            return True
    return False


def _has_open(session: Session, destination_id: uuid.UUID) -> bool:
    waiting = sa.select(Delivery.id).where(Delivery.destination_id == destination_id, Delivery.state.in_(OPEN_STATES))
    return session.scalar(waiting.limit(1)) is not None


def _require_project(session: Session, organisation_id: uuid.UUID, draft: DestinationDraft) -> None:
    """Raise `ProjectUnknown` for a project that is not of this organisation."""
    if draft.project_id is not None:
        from radrelay.pseudonyms import get_project  # noqa: PLC0415 -- brings the codecs, for which `listen` has no room

        get_project(session, organisation_id, draft.project_id)


def _write(session: Session, row: Destination, draft: DestinationDraft) -> Destination:
    for field in DRAFTED:
        setattr(row, field, getattr(draft, field))
    row.name = draft.name.strip()
    row.windows = written(draft.windows)
    try:
        session.flush()
    except IntegrityError as error:
        raise DestinationExists("name: another destination has this name", field="name") from error
    return row
