"""Terms and privacy notice: drafted and published by administrators, read and accepted by everybody."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.audit.export import Form
from radrelay.errors import Invalid, NotFound, RadrelayError
from radrelay.privacy import texts
from radrelay.privacy.notice import NAMES, Language
from radrelay.privacy.texts import KINDS, LONGEST, Acceptor, Kind
from radrelay.web import trail
from radrelay.web.api.audit_events import FILES, as_file
from radrelay.web.authentication import Administrator, AnyCaller, Auditor, Services, entering_caller_of
from radrelay.web.services import WebServices
from radrelay.web.visitors import LINK_COOKIE

router = APIRouter(prefix="/privacy", tags=["privacy"])
Words = Annotated[str, Field(max_length=LONGEST)]


class Version(BaseModel):
    """A published version in both languages; `sha256` is over the JSON array of kind, version, English and German."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Kind
    version: int
    english: str
    german: str
    sha256: str
    changed_at: datetime
    changed_by: str


class PublicVersion(BaseModel):
    """A version as everybody may read it."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    kind: Kind
    version: int
    english: str
    german: str
    sha256: str
    changed_at: datetime


class Draft(BaseModel):
    """What is written and not published. Revision 0 was never written."""

    model_config = ConfigDict(from_attributes=True)

    english: str
    german: str
    revision: int
    changed_at: datetime | None
    changed_by: str


class DraftWanted(BaseModel):
    """A new draft instead of that of `revision`."""

    model_config = ConfigDict(extra="forbid")

    english: Words
    german: Words
    revision: Annotated[int, Field(ge=0)]


class PublishWanted(BaseModel):
    """The draft of this revision is published."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1)]


class VersionLine(BaseModel):
    """A version in a list: how many accounts have accepted it."""

    id: uuid.UUID
    version: int
    sha256: str
    changed_at: datetime
    changed_by: str
    accepted: int


class TextShown(BaseModel):
    """A text: its draft, its versions newest first; `stale` says that the settings it names have changed since."""

    kind: Kind
    draft: Draft
    versions: list[VersionLine]
    stale: bool


class Texts(BaseModel):
    """All texts; `placeholders` are what a text may name in braces."""

    texts: list[TextShown]
    placeholders: list[str]


class Owed(BaseModel):
    """What the caller has to accept before anything else."""

    texts: list[PublicVersion]


class AcceptedOne(BaseModel):
    """A version by its id and hash."""

    model_config = ConfigDict(extra="forbid")

    id: uuid.UUID
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class AcceptWanted(BaseModel):
    """What the caller accepts, and the language that it was read in."""

    model_config = ConfigDict(extra="forbid")

    texts: Annotated[list[AcceptedOne], Field(min_length=1, max_length=4)]
    language: Language


@router.get("/texts")
def list_texts(services: Services, principal: Auditor) -> Texts:
    """Show drafts and versions of terms and privacy notice."""
    shown = []
    with services.database.read() as session:
        for kind in KINDS:
            draft = texts.draft_of(session, principal.organisation_id, kind)
            known = texts.versions(session, principal.organisation_id, kind)
            lines = [
                VersionLine(
                    id=one.id, version=one.version, sha256=one.sha256, changed_at=one.changed_at,
                    changed_by=one.changed_by, accepted=texts.accepted_count(session, one.id),
                )
                for one in known
                if one.id is not None and one.changed_at is not None
            ]  # fmt: skip
            stale = bool(known) and texts.is_stale(
                session, principal.organisation_id, known[0], services.settings.statistics
            )
            shown.append(TextShown(kind=kind, draft=Draft.model_validate(draft), versions=lines, stale=stale))
    return Texts(texts=shown, placeholders=list(NAMES))


@router.get("/texts/{kind}/versions/{version}")
def read_version(
    services: Services, principal: Auditor, kind: Kind, version: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> Version:
    """Show a published version, also one that is not in force any more."""
    with services.database.read() as session:
        return Version.model_validate(texts.named(session, principal.organisation_id, kind, version))


@router.put("/texts/{kind}/draft")
def save_draft(
    request: Request, services: Services, principal: Administrator, kind: Kind, wanted: DraftWanted
) -> Draft:
    """Write the draft of a text; nobody is asked to accept it before it is published."""
    with services.database.write() as session:
        draft = texts.save_draft(
            session, principal.organisation_id, kind, wanted.english, wanted.german,
            statistics=services.settings.statistics, revision=wanted.revision, by=principal.name,
            now=services.clock.now(),
        )  # fmt: skip
        detail = {"text": kind, "revision": draft.revision}
        trail.write(session, trail.event(request, principal, "privacy.draft", ("privacy_text", kind), detail=detail))
    return Draft.model_validate(draft)


@router.post("/texts/{kind}/versions", status_code=201)
def publish(
    request: Request, services: Services, principal: Administrator, kind: Kind, wanted: PublishWanted
) -> Version:
    """Publish the draft, filled from the settings as they are; everybody is asked to accept it from now on."""
    with services.database.write() as session:
        made = texts.publish(
            session, principal.organisation_id, kind, statistics=services.settings.statistics,
            revision=wanted.revision, by=principal.name, now=services.clock.now(),
        )  # fmt: skip
        detail = {"text": kind, "version": made.version, "sha256": made.sha256}
        trail.write(
            session, trail.event(request, principal, "privacy.publish", ("privacy_text", str(made.id)), detail=detail)
        )
    services.acceptances.look_again()
    return Version.model_validate(made)


@router.get("/acceptances", response_class=StreamingResponse, responses=FILES)
def export_acceptances(
    request: Request, services: Services, principal: Auditor, form: Form = "csv"
) -> StreamingResponse:
    """Return who accepted which version when, as CSV or JSON lines."""
    with services.database.write() as session:
        event = trail.event(request, principal, "privacy.acceptances", detail={"form": form})
        trail.write(session, event)
    with services.database.read() as session:
        rows = [one.row() for one in texts.acceptances(session, principal.organisation_id)]
    return as_file(rows, form, texts.COLUMNS, "acceptances")


@router.get("/owed")
def owed(services: Services, caller: AnyCaller) -> Owed:
    """Return what the caller has to accept before anything else; nothing for who has no account."""
    if caller.login is None:
        return Owed(texts=[])
    account = caller.login.account
    with services.database.read() as session:
        wanted = texts.required(session, account.organisation_id)
        known = texts.accepted_by(session, account.id, [one.id for one in wanted if one.id is not None])
    return Owed(texts=[PublicVersion.model_validate(one) for one in wanted if one.id not in known])


@router.post("/acceptances")
def accept(request: Request, services: Services, caller: AnyCaller, wanted: AcceptWanted) -> Owed:
    """Accept versions, each named by its id and hash; returns what is still owed."""
    if caller.login is None:
        raise Invalid("only who has an account accepts a text")
    account = caller.login.account
    acceptor = Acceptor(
        account.organisation_id, account.id, account.username, wanted.language, caller.principal.peer
    )  # fmt: skip
    with services.database.write() as session:
        given = [(one.id, one.sha256) for one in wanted.texts]
        for text in texts.accept(session, acceptor, given, services.clock.now()):
            detail = {"text": text.kind, "version": text.version, "sha256": text.sha256, "language": wanted.language}
            event = trail.event(
                request, caller.principal, "privacy.accept", ("privacy_text", str(text.id)), detail=detail
            )
            trail.write(session, event)
    return owed(services, caller)


@router.get("/notice")
def notice(
    request: Request, services: Services, kind: Kind = "notice", organisation: uuid.UUID | None = None
) -> PublicVersion:
    """Return the privacy notice (or the terms) in force, for everybody, before any login; 404 where there is none.

    It is that of the organisation whose people, or whose link, somebody comes or came by; before that, of
    `organisation`, by its id as POST /api/shared tells it to who has a link, or of the first.
    """
    with services.database.read() as session:
        found = texts.current(session, _organisation_of(request, services, session, organisation), kind)
    if found is None:
        raise NotFound("nothing is published")
    return PublicVersion.model_validate(found)


def _organisation_of(request: Request, services: WebServices, session: Session, named: uuid.UUID | None) -> uuid.UUID:
    """Return whose notice somebody reads; who is not known reads the one they name, or the first organisation's."""
    with suppress(RadrelayError):  # why: the notice is for everybody, however their login or link stands
        return entering_caller_of(request).principal.organisation_id
    came_by = access.organisation_of(session, request.cookies.get(LINK_COOKIE, ""))  # what is over was of somebody, too
    return came_by or named or services.organisation_id
