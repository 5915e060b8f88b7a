"""Organisations on one installation: made and named by who runs the machine, each with a region and its AE titles.

Nothing crosses from one to another, and none learns of another: whoever is of one finds it alone. User names are one
space over the installation, so that a name says whose login it is. The AE title that the DICOM port is called by says
which organisation is meant, so a title is one organisation's alone, and who runs the machine gives it out.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, NotFound
from radrelay.identity.countries import REGIONS
from radrelay.identity.models import CalledTitle, Organisation
from radrelay.storage.ids import new_id

LONGEST_NAME = 200
UNNAMED = "Radrelay"  # what `web.organisation_name` is by itself
LONGEST_TITLE = 16


class OrganisationUnknown(NotFound):
    """There is no such organisation."""

    code = "organisation-unknown"


class OrganisationExists(Conflict):
    """There is already an organisation of this name."""

    code = "organisation-exists"


class OrganisationInvalid(Invalid):
    """An organisation cannot be named, or placed, like this."""

    code = "organisation-invalid"


class TitleTaken(Conflict):
    """This AE title already leads to an organisation."""

    code = "title-taken"


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """An organisation. `region`: where its data are kept, ISO 3166-1 or EU; empty if nobody has said it.

    `ae_titles` are those that were given out to it.
    """

    id: uuid.UUID
    name: str
    region: str
    created_at: datetime
    ae_titles: tuple[str, ...] = ()


def ensure_first(session: Session, name: str, now: datetime) -> uuid.UUID:
    """Return the id of this installation's first organisation, made under `name` on the first start.

    It follows the setting `web.organisation_name` at each start; without that it keeps what it is called. Raises
    `OrganisationExists` where another one is called so.
    """
    first = sa.select(Organisation).order_by(Organisation.created_at, Organisation.id).limit(1)
    found = session.scalar(first)
    if found is not None and name not in (found.name, UNNAMED):
        change(session, found.id, name=name)
    if found is not None:
        return found.id
    row_id, clean = new_id(), name[:LONGEST_NAME]
    values = {"id": row_id, "name": clean, "name_folded": _folded(clean), "region": "", "created_at": now}
    session.execute(sa.insert(Organisation), [values])
    return row_id


def every(session: Session) -> list[OrganisationView]:
    """Return all organisations, the first of the installation first: for who runs the machine alone."""
    given: dict[uuid.UUID, list[str]] = {}
    for title, owner in titles(session).items():
        given.setdefault(owner, []).append(title)
    rows = session.scalars(sa.select(Organisation).order_by(Organisation.created_at, Organisation.id))
    return [_view(row, tuple(sorted(given.get(row.id, ())))) for row in rows]


def organisation_of(session: Session, organisation_id: uuid.UUID) -> OrganisationView:
    """Return an organisation; raises `OrganisationUnknown`."""
    of_it = sa.select(CalledTitle.ae_title).where(CalledTitle.organisation_id == organisation_id)
    return _view(_row(session, organisation_id), tuple(session.scalars(of_it.order_by(CalledTitle.ae_title))))


def name_of(session: Session, organisation_id: uuid.UUID) -> str:
    """Return what an organisation is called; raises `OrganisationUnknown`."""
    return _row(session, organisation_id).name


def named(session: Session, name: str) -> OrganisationView:
    """Return the organisation of a name, without regard to case; raises `OrganisationUnknown`, which names all."""
    wanted = _folded(name)
    known = every(session)
    for one in known:
        if _folded(one.name) == wanted:
            return one
    raise OrganisationUnknown(f"there is no organisation {name!r}; there are {', '.join(one.name for one in known)}")


def add(session: Session, name: str, region: str, now: datetime) -> OrganisationView:
    """Make an organisation; raises `OrganisationExists` or `OrganisationInvalid`."""
    row = Organisation(id=new_id(), created_at=now)
    _write(session, row, name, region)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:  # the same at the same time, on PostgreSQL
        raise OrganisationExists from error
    return _view(row, ())


def change(
    session: Session, organisation_id: uuid.UUID, *, name: str | None = None, region: str | None = None
) -> OrganisationView:
    """Rename or place an organisation; raises as `add` does, and `OrganisationUnknown`."""
    row = _row(session, organisation_id)
    _write(session, row, row.name if name is None else name, row.region if region is None else region)
    try:
        session.flush()
    except IntegrityError as error:
        raise OrganisationExists from error
    return organisation_of(session, organisation_id)


def titles(session: Session) -> dict[str, uuid.UUID]:
    """Return the AE titles that were given out, and to whom."""
    rows = session.execute(sa.select(CalledTitle.ae_title, CalledTitle.organisation_id))
    return {title: owner for title, owner in rows}  # noqa: C416 -- rows are tuples to no type checker


def give_title(session: Session, organisation_id: uuid.UUID, ae_title: str, now: datetime) -> None:
    """Let an AE title lead to an organisation; raises `TitleTaken`, or `OrganisationInvalid` for no AE title."""
    title = ae_title.strip(" ")
    if not title or len(title) > LONGEST_TITLE or "\\" in title or any(not 32 <= ord(c) < 127 for c in title):
        message = f"{ae_title!r} is no AE title: 1 to 16 printable ASCII characters without a backslash"
        raise OrganisationInvalid(message, field="ae_title")
    there = session.get(CalledTitle, title)
    if there is not None and there.organisation_id != organisation_id:
        raise TitleTaken(f"the AE title {title} already leads to {name_of(session, there.organisation_id)}")
    if there is None:
        session.add(CalledTitle(ae_title=title, organisation_id=organisation_id, given_at=now))
        try:
            session.flush()
        except IntegrityError as error:
            raise TitleTaken from error


def take_title(session: Session, organisation_id: uuid.UUID, ae_title: str) -> None:
    """Let an AE title lead to an organisation no more; raises `OrganisationUnknown` if it does not."""
    there = session.get(CalledTitle, ae_title.strip(" "))
    if there is None or there.organisation_id != organisation_id:
        raise OrganisationUnknown(f"the AE title {ae_title} does not lead to this organisation")
    session.delete(there)
    session.flush()


def _row(session: Session, organisation_id: uuid.UUID) -> Organisation:
    row = session.get(Organisation, organisation_id)
    if row is None:
        raise OrganisationUnknown
    return row


def _write(session: Session, row: Organisation, name: str, region: str) -> None:
    clean = " ".join(name.split())
    if not clean or len(clean) > LONGEST_NAME or any(unicodedata.category(char)[0] == "C" for char in clean):
        message = f"an organisation's name has 1 to {LONGEST_NAME} characters and no control characters"
        raise OrganisationInvalid(message, field="name")
    if region and region not in REGIONS:
        raise OrganisationInvalid("a region is a country's two letters, as in ISO 3166-1, or EU", field="region")
    with session.no_autoflush:
        other = session.scalar(
            sa.select(Organisation.id).where(Organisation.name_folded == _folded(clean), Organisation.id != row.id)
        )
    if other is not None:
        raise OrganisationExists(f"there is already an organisation {clean!r}", name=clean)
    row.name, row.name_folded, row.region = clean, _folded(clean), region


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())[:LONGEST_NAME]


def _view(row: Organisation, ae_titles: tuple[str, ...]) -> OrganisationView:
    return OrganisationView(row.id, row.name, row.region, row.created_at, ae_titles)
