"""Where studies are sent: anyone who is logged in sees the names, administrators set them up, steer and try them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay.access import GUEST
from radrelay.routing import destinations, steering, windows
from radrelay.routing import models as rows
from radrelay.routing.errors import DestinationInvalid
from radrelay.routing.kinds import Kind
from radrelay.routing.secrets import SecretSeal
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.problems import Trouble
from radrelay.web.services import EchoTarget

router = APIRouter(prefix="/destinations", tags=["destinations"])
HOUR = r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00"


class Window(BaseModel):
    """Hours of some days of the week (0 is Monday) by the site's clock; ending before the beginning passes midnight."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    days: list[Annotated[int, Field(ge=0, le=6)]] = Field(min_length=1, max_length=7)
    begins: str = Field(pattern=f"^({HOUR})$")
    ends: str = Field(pattern=f"^({HOUR})$")

    def window(self) -> windows.Window:
        """Return it as routing knows it."""
        return windows.Window(tuple(sorted(set(self.days))), self.begins, self.ends)


class WantedDestination(BaseModel):
    """What a person enters for a destination; which fields count depends on its kind.

    `address` is a DICOMweb service's URL, a folder, an e-mail address, or APPLICATION|FACILITY of an HL7 receiver.
    `secret` is a password, or without `username` a bearer token. `kib_per_s` 0: as fast as it goes.
    `project_id` names a project of pseudonyms: what goes there are de-identified copies by it.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    kind: Kind = "dicom"
    ae_title: str = Field("", max_length=16)
    host: str = Field("", max_length=255)
    port: int = Field(0, ge=0, le=65535)
    calling_ae_title: str = Field("", max_length=16)
    tls: bool = False
    enabled: bool = True
    address: str = Field("", max_length=1000)
    username: str = Field("", max_length=200)
    secret: str = Field("", max_length=4000)
    commitment: bool = False
    performed_steps: bool = False
    kib_per_s: int = Field(0, ge=0, le=destinations.MOST_KIB_PER_S)
    project_id: uuid.UUID | None = None
    windows: list[Window] = Field(default_factory=list, max_length=windows.MOST)


class DestinationChange(BaseModel):
    """What is to change; what is left out stays. An empty `secret` takes it away; another address does so, too.

    `project_id` null: originals go there again. It stays as it is while deliveries are open.
    """

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=100)
    kind: Kind | None = None
    ae_title: str | None = Field(None, max_length=16)
    host: str | None = Field(None, max_length=255)
    port: int | None = Field(None, ge=0, le=65535)
    calling_ae_title: str | None = Field(None, max_length=16)
    tls: bool | None = None
    enabled: bool | None = None
    address: str | None = Field(None, max_length=1000)
    username: str | None = Field(None, max_length=200)
    secret: str | None = Field(None, max_length=4000)
    commitment: bool | None = None
    performed_steps: bool | None = None
    kib_per_s: int | None = Field(None, ge=0, le=destinations.MOST_KIB_PER_S)
    project_id: uuid.UUID | None = None
    windows: list[Window] | None = Field(None, max_length=windows.MOST)


class Destination(BaseModel):
    """A destination and how it stands: paused, or down since when and why; `waiting` deliveries are on their way.

    `address` and `username` are told to administrators alone, a secret to nobody.
    """

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    kind: str
    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    tls: bool
    enabled: bool
    address: str
    username: str
    has_secret: bool
    commitment: bool
    performed_steps: bool
    kib_per_s: int
    project_id: uuid.UUID | None
    windows: list[Window]
    paused_at: datetime | None
    down_since: datetime | None
    retry_at: datetime | None
    error: Trouble | None
    waiting: int
    created_at: datetime


SHOWN = (
    "id", "name", "kind", "ae_title", "host", "port", "calling_ae_title", "tls", "enabled", "commitment",
    "performed_steps", "kib_per_s", "project_id", "paused_at", "down_since", "retry_at", "created_at",
)  # fmt: skip


class Destinations(BaseModel):
    """All destinations, by name."""

    destinations: list[Destination]


class Echo(BaseModel):
    """What came of a C-ECHO: `ok`, or the error that stands against it."""

    ok: bool
    error: Trouble | None
    ms: float


class WantedTrial(BaseModel):
    """Try a destination; with `probe` a small object of nobody (or a letter) is sent there, too, and stays there."""

    model_config = ConfigDict(extra="forbid")

    probe: bool = False


class TrialStep(BaseModel):
    """One step of a trial: what was looked at, what stands against it, and what was found."""

    name: str
    ok: bool
    error: Trouble | None
    ms: float
    facts: dict[str, str | int | float]


class Trial(BaseModel):
    """What came of a trial, step by step, up to the first that failed."""

    ok: bool
    steps: list[TrialStep]


def _shown(row: rows.Destination, waiting: int, *, whole: bool) -> Destination:
    fields = {name: getattr(row, name) for name in SHOWN}
    return Destination(
        **fields,
        address=row.address if whole else "",
        username=row.username if whole else "",
        has_secret=row.sealed is not None,
        windows=[Window.model_validate(one) for one in windows.read(row.windows)],
        error=Trouble.shown(steering.trouble_of(row)),
        waiting=waiting,
    )


def _one(session: Session, row: rows.Destination) -> Destination:
    return _shown(row, steering.waiting_for(session, row.organisation_id).get(row.id, 0), whole=True)


@router.get("")
def list_destinations(services: Services, principal: Authenticated) -> Destinations:
    """List the destinations; none to who signed up, for they tell of machines inside."""
    if principal.role == GUEST:
        return Destinations(destinations=[])
    with services.database.read() as session:
        found = destinations.list_destinations(session, principal.organisation_id)
        waiting = steering.waiting_for(session, principal.organisation_id)
        whole = principal.role == "admin"
        return Destinations(destinations=[_shown(row, waiting.get(row.id, 0), whole=whole) for row in found])


@router.post("", status_code=201)
def create_destination(
    request: Request, services: Services, principal: Administrator, wanted: WantedDestination
) -> Destination:
    """Add a destination."""
    given = wanted.model_dump(exclude={"secret", "windows"})
    draft = destinations.DestinationDraft(**given, windows=tuple(one.window() for one in wanted.windows))
    folders = services.settings.work.folders
    with services.database.write() as session:
        row = destinations.create_destination(session, services.clock, principal.organisation_id, draft, folders)
        row.sealed = SecretSeal(services.metadata_key).close(row.id, wanted.secret)
        trail.write(session, trail.event(request, principal, "destination.create", ("destination", row.id)))
        return _one(session, row)


@router.patch("/{destination_id}")
def change_destination(
    request: Request,
    services: Services,
    principal: Administrator,
    destination_id: uuid.UUID,
    change: DestinationChange,
) -> Destination:
    """Change a destination; what waits for it looks again whether it may go."""
    organisation_id = principal.organisation_id
    given = change.model_dump(exclude_none=True, exclude={"secret", "windows"})
    if "project_id" in change.model_fields_set:
        given["project_id"] = change.project_id
    if change.windows is not None:
        given["windows"] = tuple(one.window() for one in change.windows)
    with services.database.write() as session:
        present = destinations.draft_of(destinations.get_destination(session, organisation_id, destination_id))
        draft = destinations.DestinationDraft(**(vars(present) | given))
        folders = services.settings.work.folders
        row = destinations.update_destination(session, organisation_id, destination_id, draft, folders)
        if change.secret is not None:
            row.sealed = SecretSeal(services.metadata_key).close(row.id, change.secret)
        row.retry_at = None
        steering.wake(session, row.id, services.clock.now())
        detail = {"changed": sorted({*given, *(("secret",) if change.secret is not None else ())})}
        subject = ("destination", destination_id)
        trail.write(session, trail.event(request, principal, "destination.change", subject, detail=detail))
        return _one(session, row)


@router.delete("/{destination_id}", status_code=204)
def delete_destination(
    request: Request, services: Services, principal: Administrator, destination_id: uuid.UUID
) -> None:
    """Remove a destination that no open delivery goes to."""
    with services.database.write() as session:
        destinations.delete_destination(session, principal.organisation_id, destination_id)
        trail.write(session, trail.event(request, principal, "destination.delete", ("destination", destination_id)))


@router.post("/{destination_id}/pause")
def pause_destination(
    request: Request, services: Services, principal: Administrator, destination_id: uuid.UUID
) -> Destination:
    """Send nothing more there until it is resumed; everything is kept."""
    with services.database.write() as session:
        row = steering.pause(session, principal.organisation_id, destination_id, services.clock.now())
        trail.write(session, trail.event(request, principal, "destination.pause", ("destination", destination_id)))
        return _one(session, row)


@router.post("/{destination_id}/resume")
def resume_destination(
    request: Request, services: Services, principal: Administrator, destination_id: uuid.UUID
) -> Destination:
    """Send there again, at once."""
    with services.database.write() as session:
        row = steering.resume(session, principal.organisation_id, destination_id, services.clock.now())
        trail.write(session, trail.event(request, principal, "destination.resume", ("destination", destination_id)))
        return _one(session, row)


@router.post("/{destination_id}/echo")
def echo(services: Services, principal: Administrator, destination_id: uuid.UUID) -> Echo:
    """Ask a DICOM node whether it is there (C-ECHO)."""
    with services.database.read() as session:
        row = destinations.get_destination(session, principal.organisation_id, destination_id)
        if row.kind != "dicom":
            raise DestinationInvalid("kind: only a DICOM node answers C-ECHO", field="kind")
        target = EchoTarget(row.host, row.port, row.ae_title, row.calling_ae_title, row.tls)
    answer = services.echo(target)
    return Echo(ok=answer.trouble is None, error=Trouble.shown(answer.trouble), ms=answer.ms)


@router.post("/{destination_id}/test")
def test_destination(
    request: Request, services: Services, principal: Administrator, destination_id: uuid.UUID, wanted: WantedTrial
) -> Trial:
    """Try a destination step by step; one that was down and answers is sent to again at once."""
    with services.database.read() as session:
        row = destinations.get_destination(session, principal.organisation_id, destination_id)
        session.expunge(row)
    taken = services.try_destination(row, probe=wanted.probe)
    ok = all(one.trouble is None for one in taken)
    probed = next((str(one.facts.get("study_uid", "")) for one in taken if one.name == "probe"), "")
    with services.database.write() as session:
        if ok:
            steering.came_up(session, row.id, services.clock.now())
        detail = {"study_uid": probed} if probed else {}
        outcome, subject = ("success" if ok else "failure"), ("destination", destination_id)
        trail.write(
            session, trail.event(request, principal, "destination.test", subject, detail=detail, outcome=outcome)
        )
    steps = [
        TrialStep(
            name=one.name, ok=one.trouble is None, error=Trouble.shown(one.trouble), ms=one.ms, facts=dict(one.facts)
        )
        for one in taken
    ]
    return Trial(ok=ok, steps=steps)
