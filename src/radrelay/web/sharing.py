"""Making a link: what is asked for becomes what its maker may share, with what the record tells of it.

For the pages and for the command line alike: both say who makes it, and write the event in the same transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import LinkKeys, LinkView, MadeLink, Principal, Protection, Right, Target, WantedLink
from radrelay.access.errors import BirthDateUnknown
from radrelay.archive.models import Study
from radrelay.errors import Forbidden, Invalid
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.trail import Patient

PAGE = "/s"


class NoMaker(Forbidden):
    """A link is made by a person or a machine of the house."""

    code = "link-maker"


@dataclass(frozen=True, slots=True)
class Sharing:
    """What is asked for: whole studies and series by id, and what the link is to be like."""

    studies: Sequence[uuid.UUID]
    series: Sequence[uuid.UUID]
    ends_at: datetime
    max_uses: int | None = None
    protection: Protection = "none"
    pin: str = ""
    may_download: bool = False
    label: str = ""
    email: str = ""


def share(
    session: Session, keys: LinkKeys, maker: Principal, asked: Sharing, now: datetime
) -> tuple[MadeLink, list[ReachedStudy]]:
    """Make a link and return it with the studies that it shows, in whole or in part.

    Raises `StudyNotFound` or `SeriesNotFound` for what the maker may not share, `LinkWanted` for what makes no sense.
    """
    studies = _shareable(session, maker, asked, now)
    link = WantedLink(
        targets=[
            *(Target("study", one) for one in dict.fromkeys(asked.studies)),
            *(Target("series", one) for one in dict.fromkeys(asked.series)),
        ],
        ends_at=asked.ends_at,
        max_uses=asked.max_uses,
        protection=asked.protection,
        pin=asked.pin,
        birth_date=_birth_date(session, studies) if asked.protection == "birth-date" else None,
        email=asked.email,
        may_download=asked.may_download,
        identity="clear" if all(study.identity == "clear" for study in studies) else "alias",
        label=asked.label,
    )
    return access.make_link(session, keys, maker, link, now), studies


def _shareable(session: Session, maker: Principal, asked: Sharing, now: datetime) -> list[ReachedStudy]:
    """Return the studies of what is to be shared, as the least of the rights that it takes lets see them."""
    rights = (Right.SHARE, Right.SEE, *((Right.DOWNLOAD,) if asked.may_download else ()))
    found: dict[uuid.UUID, ReachedStudy] = {}
    for right in rights:
        reach = Reach(session, maker, right, now)
        reached = [
            *(reach.study(one, whole=True) for one in asked.studies),
            *(reach.series_study(one) for one in asked.series),
        ]
        for one in reached:
            known = found.get(one.id)
            found[one.id] = one if known is None or one.identity == "alias" else known
    if not found:
        raise Invalid("a link shows at least one study or series", field="studies")
    return list(found.values())


def _birth_date(session: Session, studies: Sequence[ReachedStudy]) -> date:
    """Return the date of birth that all studies name; raises `BirthDateUnknown` for none or several."""
    for study in studies:
        study.require_clear()
    ids = [study.id for study in studies]
    dates = set(session.scalars(sa.select(Study.patient_birth_date).where(Study.id.in_(ids))))
    if len(dates) != 1 or (born := dates.pop()) is None:
        raise BirthDateUnknown
    return born


def told(link: LinkView, studies: Sequence[ReachedStudy] = ()) -> dict[str, object]:
    """Return what the record tells of a link: it may be all that is left of it."""
    return {
        "until": link.ends_at.isoformat(),
        "uses": link.max_uses or "",
        "protection": link.protection,
        **({"email": link.email} if link.email else {}),
        "download": link.may_download,
        "targets": [f"{target.kind} {target.id}" for target in link.targets],
        **({"studies": [study.id for study in studies]} if studies else {}),
    }


def made_events(
    event: Callable[[dict[str, object], Patient], audit.AuditRecord], link: LinkView, studies: Sequence[ReachedStudy]
) -> list[audit.AuditRecord]:  # fmt: skip
    """Return that a link was made, once for each study that it shows: each patient's data are told of as shared."""
    whole = told(link, studies)
    return [event(whole | {"study": study.id}, study.patient) for study in studies]


def address_in(site: str, token: str) -> str:
    """Return the address of a link on a site. Its token is a fragment, which browsers send to nobody."""
    return f"{site}{PAGE}#{token}"
