"""Releasing a study by hand to groups and people: who may share it gives what they have themselves, and no more.

A release is a grant on the one study, to see it and perhaps to download it. Whoever may share the study sees who has
it by a release, and may take that back; other grants are the administrators'.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import GUEST, Grantee, GrantView, Principal, Right, Target
from radrelay.access.errors import BeyondOwn
from radrelay.errors import NotFound
from radrelay.routing.rules import meetings
from radrelay.web import trail
from radrelay.web.api.grants import names_for, require_future, require_grantee, told
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.reach import PartOnly, Reach, ReachedStudy
from radrelay.web.services import WebServices

router = APIRouter(prefix="/studies/{study_id}/releases", tags=["releases"])
RELEASED = frozenset({Right.SEE, Right.DOWNLOAD})
MOST_FOUND = 12
ReceiverKind = Literal["account", "group"]


class Receiver(BaseModel):
    """A person or a group that a study can be released to."""

    kind: ReceiverKind
    id: str
    name: str


class Receivers(BaseModel):
    """Groups and people whose name holds what was looked for, groups first; `more`: not all are listed."""

    receivers: list[Receiver]
    more: bool


class Release(BaseModel):
    """Who has the study by a release, and until when; `rule` names the rule that gave it, empty if it is no more."""

    id: uuid.UUID
    to: Receiver
    may_download: bool
    identity: Literal["clear", "alias"]
    ends_at: datetime | None
    created_at: datetime
    origin: str
    rule: str | None


class OpenedByGlass(BaseModel):
    """Who opened the restricted study to themselves for a reason: nobody released it, and it ends by itself."""

    id: uuid.UUID
    name: str
    at: datetime
    ends_at: datetime | None


class Releases(BaseModel):
    """The releases of a study that count, and beside them who broke glass.

    What the caller may give: `may_download`, and until when (null: no end).
    """

    releases: list[Release]
    opened: list[OpenedByGlass]
    may_download: bool
    latest_end: datetime | None


class NewRelease(BaseModel):
    """A release to be made."""

    model_config = ConfigDict(extra="forbid")

    kind: ReceiverKind
    id: uuid.UUID
    may_download: bool = False
    ends_at: AwareDatetime | None = None


@router.get("")
def list_releases(request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID) -> Releases:
    """List who has a study by a release, for who may share it."""
    with services.database.read() as session:
        study, latest_end = reach_to_share(services, session, principal, study_id, download=False)
        views = _released(services, session, principal, study_id)
        glass = _opened(services, session, principal, study_id)
        names = names_for(services, session, principal, [*views, *glass])
        rules = access.rules_behind(session, [view.id for view in views])
        rules |= meetings.rules_behind(session, principal.organisation_id, study_id)
        opened = [
            OpenedByGlass(id=one.id, name=names.of("account", one.grantee.id), at=one.created_at, ends_at=one.ends_at)
            for one in glass
        ]
        releases = [_shown(view, names.of(view.grantee.kind, view.grantee.id), rules.get(view.id)) for view in views]
        may_download = _may_download(services, session, principal, study_id)
    record = trail.event(request, principal, "release.list", ("study", study_id), patient=study.patient)
    trail.seen(services.database, principal, record)
    return Releases(releases=releases, opened=opened, may_download=may_download, latest_end=latest_end)


@router.get("/receivers")
def find_receivers(
    services: Services, principal: Authenticated, study_id: uuid.UUID,
    text: Annotated[str, Query(max_length=200)] = "",
) -> Receivers:  # fmt: skip
    """Look for groups and people to release a study to; who signed up finds groups alone."""
    wanted = text.casefold().split()
    with services.database.read() as session:
        reach_to_share(services, session, principal, study_id, download=False)
        groups = access.groups(session, principal.organisation_id)
        accounts = services.identity.accounts(session, principal.organisation_id)
    everybody = [Receiver(kind="group", id=str(one.id), name=one.name) for one in groups]
    everybody += [
        Receiver(kind="account", id=str(one.id), name=one.full_name or one.username)
        for one in accounts
        if one.disabled_at is None and str(one.id) != principal.id and principal.role != GUEST
    ]
    found = [one for one in everybody if all(word in one.name.casefold() for word in wanted)]
    return Receivers(receivers=found[:MOST_FOUND], more=len(found) > MOST_FOUND)


@router.post("", status_code=201)
def release(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, wanted: NewRelease
) -> Release:
    """Release a study; the same twice is one. 403 `beyond-own` for more, or for longer, than one has oneself."""
    now, organisation = services.clock.now(), principal.organisation_id
    to = Grantee(wanted.kind, str(wanted.id))
    rights = (Right.SEE, Right.DOWNLOAD) if wanted.may_download else (Right.SEE,)
    require_future(wanted.ends_at, now)
    with services.database.write() as session:
        study, latest_end = reach_to_share(services, session, principal, study_id, download=wanted.may_download)
        if latest_end is not None and (wanted.ends_at is None or wanted.ends_at > latest_end):
            raise BeyondOwn
        require_grantee(services, session, principal, to)
        view = _same(services, session, principal, study_id, to, rights, study.identity, wanted.ends_at)
        if view is None:
            made = access.grant(
                session, organisation, to, Target("study", study_id), rights, now=now, identity=study.identity,
                ends_at=wanted.ends_at,
            )  # fmt: skip
            view = access.grant_of(session, organisation, made)
            _record(session, request, principal, "release.give", study, view)
        names = names_for(services, session, principal, [view])
    return _shown(view, names.of(to.kind, to.id))


@router.delete("/{release_id}", status_code=204)
def take_back(
    request: Request, services: Services, principal: Authenticated, study_id: uuid.UUID, release_id: uuid.UUID
) -> None:
    """Take a release back: whoever had the study by it alone has it no more, from now on."""
    with services.database.write() as session:
        study, _ = reach_to_share(services, session, principal, study_id, download=False)
        view = next((one for one in _released(services, session, principal, study_id) if one.id == release_id), None)
        if view is None:
            raise NotFound("there is no such release")
        access.revoke(session, principal.organisation_id, release_id)
        _record(session, request, principal, "release.end", study, view)


def reach_to_share(
    services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID, *, download: bool
) -> tuple[ReachedStudy, datetime | None]:
    """Return a study as the least of the rights that a release takes lets see it, and until when all of them last.

    Raises `StudyNotFound` for who may not share and see it, `PartOnly` for who may so with some series of it alone, and
    `BeyondOwn` for who may not download it though that is to be given.
    """
    now = services.clock.now()
    reached = [Reach(session, principal, right, now).study(study_id, whole=True) for right in (Right.SHARE, Right.SEE)]
    rights = [Right.SHARE, Right.SEE]
    if download:
        if not _may_download(services, session, principal, study_id):
            raise BeyondOwn
        reached.append(Reach(session, principal, Right.DOWNLOAD, now).study(study_id, whole=True))
        rights.append(Right.DOWNLOAD)
    ends = [access.own_end(session, principal, right, study_id, now) for right in rights]
    least = next((one for one in reached if one.identity == "alias"), reached[0])
    return least, min((end for end in ends if end is not None), default=None)


def _may_download(services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID) -> bool:
    try:
        Reach.of(services, session, principal, Right.DOWNLOAD).study(study_id, whole=True)
    except (NotFound, PartOnly):
        return False
    return True


def _released(services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID) -> list[GrantView]:
    """Return the grants on a study that are releases and count now, the newest first."""
    return [
        view
        for view in _counting(services, session, principal, study_id)
        if view.origin != access.BROKEN_GLASS
        and view.grantee.kind in ("account", "group")
        and Right.SEE in view.rights
        and RELEASED.issuperset(view.rights)
    ]


def _opened(services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID) -> list[GrantView]:
    """Return the grants on a study by which somebody broke glass and still sees it."""
    found = _counting(services, session, principal, study_id)
    return [view for view in found if view.origin == access.BROKEN_GLASS]


def _counting(services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID) -> list[GrantView]:
    now = services.clock.now()
    found = access.granted(session, principal.organisation_id, target=Target("study", study_id))
    return [view for view in found if view.ends_at is None or view.ends_at > now]


def _same(
    services: WebServices, session: Session, principal: Principal, study_id: uuid.UUID, to: Grantee,
    rights: tuple[Right, ...], identity: str, ends_at: datetime | None,
) -> GrantView | None:  # fmt: skip
    """Return the release that says just the same already: a second click is no second release."""
    wanted = (to, set(rights), identity, ends_at)
    for view in _released(services, session, principal, study_id):
        if (view.grantee, set(view.rights), view.identity, view.ends_at) == wanted:
            return view
    return None


def _record(
    session: Session, request: Request, principal: Principal, action: str, study: ReachedStudy, view: GrantView
) -> None:
    detail = told(view) | {"grant": str(view.id)}
    trail.write(
        session,
        trail.event(request, principal, action, ("study", study.id), detail=detail, patient=study.patient),
    )


def _shown(view: GrantView, name: str, rule: str | None = None) -> Release:
    kind: ReceiverKind = "group" if view.grantee.kind == "group" else "account"
    return Release(
        id=view.id,
        to=Receiver(kind=kind, id=view.grantee.id, name=name),
        may_download=Right.DOWNLOAD in view.rights,
        identity=view.identity,
        ends_at=view.ends_at,
        created_at=view.created_at,
        origin=view.origin,
        rule=rule,
    )
