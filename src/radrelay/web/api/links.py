"""Links to studies and series: made by who may share them, listed with every access, revoked at once.

A link's own address is seen when it is made and never again: what is kept of it is a hash.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import segno
import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import LinkView, Principal, Right, Target
from radrelay.archive.models import Series as SeriesTable
from radrelay.archive.models import Study as StudyTable
from radrelay.errors import Invalid, NotFound
from radrelay.identity import organisations
from radrelay.mail import masked
from radrelay.mail.errors import MailNotSet
from radrelay.web import trail
from radrelay.web.api.studies import Patient, shown_patient
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.connection import own_address
from radrelay.web.downloads import disposition
from radrelay.web.link_sheet import LinkSheet, link_sheet
from radrelay.web.problems import answers
from radrelay.web.program_links import addresses_for_programs
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices
from radrelay.web.sharing import NoMaker, Sharing, address_in, made_events, share, told

router = APIRouter(prefix="/links", tags=["links"])


class SharedRow(BaseModel):
    """What of a study a link shows: all of it, or the series named. Null where its maker may not see it any more."""

    study_id: uuid.UUID
    series_ids: list[uuid.UUID]
    patient: Patient
    study_date: date | None
    description: str
    modalities: list[str]


class Link(BaseModel):
    """A link without its address. `state` says whether it opens; `closed_until` how long wrong answers keep it shut.

    `ended` is one whose maker may not act any more, `gone` one of which nothing is left that its maker may share.
    """

    id: uuid.UUID
    label: str
    maker: str
    own: bool
    state: Literal["open", "closed", "used-up", "expired", "revoked", "ended", "suspended", "gone"]
    protection: access.Protection
    may_download: bool
    max_uses: int | None
    uses: int
    created_at: datetime
    ends_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    closed_until: datetime | None
    email: str = ""
    """Where codes are sent, of a link that asks for one."""
    shows: list[SharedRow]


class Access(BaseModel):
    """Something that happened with a link, from which address and with which browser.

    `email` is where codes of this link are sent; empty for one that asks for none.
    """

    link_id: uuid.UUID
    at: datetime
    kind: access.AccessKind
    peer: str
    user_agent: str
    email: str = ""


class Links(BaseModel):
    """Links, the newest first; `notices` are what closed one's own since one last read of it.

    `by_email` says whether a link can ask for a code by e-mail: whether a mail server is set.
    """

    links: list[Link]
    by_email: bool
    notices: list[Access]


class LinkDetail(Link):
    """A link with what happened with it, the newest first."""

    accesses: list[Access]


class NewLink(BaseModel):
    """A link to be made, to whole studies and to series. Without `max_uses` it opens as often as one likes.

    With `pin` as protection and none given, one of six digits is made. The date of birth is the patient's; with `email`
    a code is sent to that address each time.
    """

    model_config = ConfigDict(extra="forbid")

    studies: Annotated[list[uuid.UUID], Field(max_length=access.MOST_TARGETS)] = []
    series: Annotated[list[uuid.UUID], Field(max_length=access.MOST_TARGETS)] = []
    ends_at: AwareDatetime
    max_uses: int | None = None
    protection: access.Protection = "none"
    pin: str = Field("", max_length=20)
    email: str = Field("", max_length=254)
    may_download: bool = False
    label: str = Field("", max_length=200)


class LinkMade(BaseModel):
    """A new link. Its address, the same as a QR code (SVG), and a PIN that was made are seen here and never again.

    Of one that hands images out to programs there is an address for DICOM Link Exchange (`exchange`) and a SMART Health
    Link (`health`), each as a QR code, too; they are empty of others. `address_told` says whether settings name where
    this installation is reached (`web.address`); else the addresses are those that the maker's browser used.
    """

    link: Link
    address: str
    address_told: bool
    qr: str
    pin: str
    exchange: str
    exchange_qr: str
    health: str
    health_qr: str


class SheetWanted(BaseModel):
    """A sheet to hand out with a link: its address, as it was given when the link was made, and the language.

    `zone` is the time zone that its end is told in, such as Europe/Berlin; the server's own if it is not known here.
    """

    model_config = ConfigDict(extra="forbid")

    address: str = Field(max_length=400)
    language: Literal["de", "en"] = "en"
    zone: str = Field("", max_length=64)


@router.post("", status_code=201)
def make_link(request: Request, services: Services, principal: Authenticated, wanted: NewLink) -> LinkMade:
    """Make a link to what one may share; to download only with the right to it."""
    if principal.kind not in ("account", "token"):
        raise NoMaker
    if wanted.protection == "email" and not services.password_links.post.is_set:
        raise MailNotSet
    asked = Sharing(
        wanted.studies, wanted.series, wanted.ends_at, wanted.max_uses, wanted.protection, wanted.pin,
        wanted.may_download, wanted.label, wanted.email,
    )  # fmt: skip
    with services.database.write() as session:
        made, studies = share(session, services.link_keys, principal, asked, services.clock.now())

        def event(detail: dict[str, object], patient: trail.Patient) -> audit.AuditRecord:
            return trail.event(
                request, principal, "link.make", ("link", made.link.id), detail=detail, patient=patient
            )  # fmt: skip

        audit.record_many(session, made_events(event, made.link, studies))
        shown = _shown(services, session, principal, [made.link])[0]
    site = site_of(services, request)
    address = address_in(site, made.token)
    exchange, health = addresses_for_programs(services.link_keys, site, made.link, made.token)
    return LinkMade(
        link=shown,
        address=address,
        address_told=bool(services.settings.web.address),
        qr=qr_code(address),
        pin=made.pin,
        exchange=exchange,
        exchange_qr=qr_code(exchange) if exchange else "",
        health=health,
        health_qr=qr_code(health) if health else "",
    )


def site_of(services: WebServices, request: Request) -> str:
    """Return the address of the site, under which links are made."""
    web = services.settings.web
    return web.address or own_address(request.scope, web.behind_proxy)


def qr_code(address: str) -> str:
    """Return an address as a QR code (ISO/IEC 18004), as SVG with a quiet zone."""
    drawn = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(drawn, kind="svg", border=4, omitsize=True, light="#fff", xmldecl=False)
    return drawn.getvalue().decode()


@router.get("")
def list_links(services: Services, principal: Authenticated, study: uuid.UUID | None = None) -> Links:
    """List one's own links, or all links to a study that one may share, whoever made them."""
    now = services.clock.now()
    if principal.kind not in ("account", "token"):
        raise NoMaker
    with services.database.read() as session:
        if study is None:
            found = access.listed_links(session, principal.organisation_id, now, maker=principal)
            notices = access.closings(session, principal)
        else:
            Reach.of(services, session, principal, Right.SHARE).study(study)
            series = session.scalars(sa.select(SeriesTable.id).where(SeriesTable.study_id == study))
            found = access.listed_links(session, principal.organisation_id, now, study=[study, *series])
            notices = []
        shown = _shown(services, session, principal, found)
    return Links(links=shown, by_email=services.password_links.post.is_set, notices=[_access(one) for one in notices])


@router.put("/notices/read", status_code=204)
def read_notices(services: Services, principal: Authenticated) -> None:
    """Note that one has read of what closed one's links."""
    if principal.kind not in ("account", "token"):
        raise NoMaker
    with services.database.write() as session:
        access.note_told(session, principal, services.clock.now())


@router.get("/{link_id}")
def show_link(services: Services, principal: Authenticated, link_id: uuid.UUID) -> LinkDetail:
    """Show a link with every access: to its maker, and to who may share all that it shows."""
    with services.database.read() as session:
        link = _reached(services, session, principal, link_id)
        shown = _shown(services, session, principal, [link])[0]
        happened = access.accesses(session, principal.organisation_id, link_id)
    return LinkDetail(**shown.model_dump(), accesses=[_access(one, link.email) for one in happened])


@router.delete("/{link_id}", status_code=204)
def revoke_link(request: Request, services: Services, principal: Authenticated, link_id: uuid.UUID) -> None:
    """Revoke a link: what it opened is closed from now on, in every browser."""
    with services.database.write() as session:
        link = _reached(services, session, principal, link_id)
        access.revoke_link(session, principal.organisation_id, link_id, services.clock.now())
        if link.revoked_at is None:
            trail.write(session, trail.event(request, principal, "link.revoke", ("link", link_id), detail=told(link)))


@router.post("/{link_id}/sheet", response_class=Response, responses=answers("application/pdf"))
def sheet(
    request: Request, services: Services, principal: Authenticated, link_id: uuid.UUID, wanted: SheetWanted
) -> Response:
    """Give a sheet (PDF, A4) with the link's QR code to hand out. It names no patient, and no PIN."""
    with services.database.read() as session:
        link = _reached(services, session, principal, link_id)
        token = wanted.address.rpartition("#")[2]
        if not access.is_token_of(session, link_id, token):
            raise Invalid("this is not the address of this link", field="address")
        name = organisations.name_of(session, principal.organisation_id)
    site = site_of(services, request)
    exchange, health = addresses_for_programs(services.link_keys, site, link, token)
    page = LinkSheet(
        address=address_in(site, token),
        organisation=name,
        ends_at=_local(link.ends_at, wanted.zone),
        max_uses=link.max_uses,
        protection=link.protection,
        may_download=link.may_download,
        sends_to=masked(link.email) if link.email else "",
        exchange=exchange,
        health=health,
    )
    headers = {"Content-Disposition": disposition("link.pdf")}
    return Response(link_sheet(page, wanted.language), media_type="application/pdf", headers=headers)


def _local(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, or no name of a zone at all
        return at.astimezone()


def _reached(services: WebServices, session: Session, principal: Principal, link_id: uuid.UUID) -> LinkView:
    """Return a link that one made, or all of whose studies one may share; raises `NotFound`."""
    link = access.link_of(session, principal.organisation_id, link_id, services.clock.now())
    if _is_own(link, principal):
        return link
    reach = Reach.of(services, session, principal, Right.SHARE)
    studies = {target.id for target in link.targets if target.kind == "study" and target.id}
    series = {target.id for target in link.targets if target.kind == "series" and target.id}
    if not link.targets or reach.studies(studies) != studies or set(reach.series_rows(series)) != series:
        raise NotFound("there is no such link")
    return link


def _is_own(link: LinkView, principal: Principal) -> bool:
    return principal.kind in ("account", "token") and str(link.maker_id) == principal.id


def _access(one: access.AccessView, email: str = "") -> Access:
    return Access(link_id=one.link_id, at=one.at, kind=one.kind, peer=one.peer, user_agent=one.user_agent, email=email)


def _shown(services: WebServices, session: Session, principal: Principal, links: Sequence[LinkView]) -> list[Link]:
    reach = Reach.of(services, session, principal, Right.SEE)
    shareable = Reach.of(services, session, principal, Right.SHARE)
    targets = [target for link in links for target in link.targets]
    series = reach.series_rows(_ids(targets, "series"))
    studies = reach.study_rows({*_ids(targets, "study"), *(row.study_id for row in series.values())})
    sharing = shareable.studies(studies)
    return [_link(link, principal, _rows(link, reach, studies, series), sharing) for link in links]


def _ids(targets: Iterable[Target], kind: str) -> set[uuid.UUID]:
    return {target.id for target in targets if target.kind == kind and target.id is not None}


def _rows(
    link: LinkView,
    reach: Reach,
    studies: dict[uuid.UUID, StudyTable],
    series: dict[uuid.UUID, SeriesTable],
) -> list[SharedRow]:
    named: dict[uuid.UUID, list[uuid.UUID]] = {one: [] for one in _ids(link.targets, "study")}
    for target in link.targets:
        row = series.get(target.id) if target.kind == "series" and target.id else None
        if row is not None and row.study_id not in _ids(link.targets, "study"):
            named.setdefault(row.study_id, []).append(row.id)
    return [_row(studies[one], ids, reach) for one, ids in named.items() if one in studies]


def _row(study: StudyTable, series_ids: list[uuid.UUID], reach: Reach) -> SharedRow:
    return SharedRow(
        study_id=study.id,
        series_ids=series_ids,
        patient=shown_patient(study, reach.scope),
        study_date=study.study_date,
        description=study.description,
        modalities=[part for part in study.modalities.split("\\") if part],
    )


def _link(link: LinkView, principal: Principal, rows: list[SharedRow], sharing: set[uuid.UUID]) -> Link:
    own = _is_own(link, principal)
    gone = own and link.state in ("open", "closed", "used-up") and not any(row.study_id in sharing for row in rows)
    return Link(
        id=link.id,
        label=link.label,
        maker=link.maker_name,
        own=own,
        state="gone" if gone else link.state,
        protection=link.protection,
        may_download=link.may_download,
        max_uses=link.max_uses,
        uses=link.uses,
        created_at=link.created_at,
        ends_at=link.ends_at,
        used_at=link.used_at,
        revoked_at=link.revoked_at,
        closed_until=link.closed_until,
        email=link.email,
        shows=rows,
    )
