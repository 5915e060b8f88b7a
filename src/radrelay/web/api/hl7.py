"""HL7 for administrators: messages found, shown and worked on again, a mapping tried, ports and receivers looked at."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from radrelay import errors
from radrelay.access import Principal, Right
from radrelay.archive.errors import IdentityHidden
from radrelay.hl7 import Inbox, ListedMessage, MessageQuery, Seal, connections, replay, search_messages
from radrelay.hl7.mapping import read_mapping, shipped
from radrelay.hl7.service import listed_message, message_bytes
from radrelay.hl7.trying import Trial, try_bytes, try_text
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.problems import Trouble
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices

router = APIRouter(prefix="/hl7", tags=["hl7"])
LONGEST_TRIED = 1 << 20
LONGEST_SHOWN = 256 << 10


class Connection(BaseModel):
    """A port that messages come by, or a receiver that they go to, and how it goes: of the last day, and what waits."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    host: str
    port: int
    tls: bool
    last_at: datetime | None
    of_day: int
    waiting: int
    failed: int
    coerce: list[str] = []
    error: Trouble | None = None


class Connections(BaseModel):
    """All ports and receivers of the organisation."""

    ports: list[Connection]
    receivers: list[Connection]


class Message(BaseModel):
    """A message without what it says."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    direction: str
    port: str
    sender: str
    control_id: str
    type: str
    patient_id: str
    patient_issuer: str
    accession_number: str
    state: str
    answer: str
    peer: str
    size: int
    received_at: datetime
    processed_at: datetime | None
    next_attempt_at: datetime | None
    attempts: int
    repeats: int
    replays: int
    trouble: Trouble | None = None


class Messages(BaseModel):
    """Messages, newest first."""

    messages: list[Message]


class Found(BaseModel):
    """An attribute, the place that it came from, and what it says."""

    model_config = ConfigDict(from_attributes=True)

    attribute: str
    place: str
    text: str


class Tried(BaseModel):
    """What would come of a message: what it is about, what was read from where, and what it would be answered."""

    kind: str
    change: str
    found: list[Found]
    answers: list[str]
    trouble: Trouble | None
    at: str


class MessageShown(BaseModel):
    """A message with what it says, a segment a line; `shortened`: it is longer. `read`: as it would be taken today."""

    message: Message
    text: str
    shortened: bool
    read: Tried | None


class Replay(BaseModel):
    """Which messages are to be worked on, or sent, again."""

    model_config = ConfigDict(extra="forbid")

    ids: list[uuid.UUID] = Field(min_length=1, max_length=200)


class Trying(BaseModel):
    """Pasted messages, and the mapping to read them by: that of a port, changed by a file's text if there is one."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=LONGEST_TRIED)
    port: str = Field("", max_length=64)
    mapping: str = Field("", max_length=LONGEST_TRIED)


class Trials(BaseModel):
    """What would come of each message."""

    trials: list[Tried]


@router.get("")
def list_connections(services: Services, principal: Administrator) -> Connections:
    """List ports and receivers, and how it goes with each."""
    settings, now = services.settings.hl7, services.clock.now()
    with services.database.read() as session:
        mine = _inboxes(services, session, principal)
        ports = [one for one in settings.ports if one.name in mine]
        there = connections.receivers(session, settings, services.organisation_id, principal.organisation_id)
        owner = principal.organisation_id
        return Connections(
            ports=[
                Connection(
                    **_health(session, owner, "in", one.name, now), host=one.host, port=one.port, tls=one.tls,
                    coerce=list(one.coerce),
                )
                for one in ports
            ],
            receivers=[
                Connection(**_health(session, owner, "out", one.name, now), host=one.host, port=one.port, tls=one.tls)
                for one in there
            ],
        )  # fmt: skip


@router.get("/messages")
def list_messages(
    request: Request, services: Services, principal: Administrator,
    text: Annotated[str, Query(max_length=200)] = "", type: Annotated[str, Query(max_length=16)] = "",  # noqa: A002 -- HL7's own word
    state: Annotated[str, Query(max_length=16)] = "", direction: Literal["", "in", "out"] = "",
    port: Annotated[str, Query(max_length=64)] = "", since: datetime | None = None, until: datetime | None = None,
    after: uuid.UUID | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Messages:  # fmt: skip
    """Find messages, the newest first; `text` begins a patient ID, an accession number or a control ID."""
    asked = MessageQuery(text, type, state, direction, port, since, until)
    with services.database.write() as session:
        rows = search_messages(session, principal.organisation_id, asked, after=after, limit=limit)
        if text:
            detail = {"asks": ["text"], "found": len(rows)}
            trail.write(session, trail.event(request, principal, "hl7.search", ("", ""), detail=detail))
    return Messages(messages=[_shown(one) for one in rows])


@router.get("/messages/{message_id}")
def read_message(request: Request, services: Services, principal: Administrator, message_id: uuid.UUID) -> MessageShown:
    """Show a message with all that it says, to whoever may see every study of the organisation; on record."""
    seal, owner = Seal(services.metadata_key), principal.organisation_id
    with services.database.write() as session:
        scope = Reach.of(services, session, principal, Right.SEE).scope
        if not scope.everything or scope.identity != "clear":
            raise IdentityHidden
        row = listed_message(session, owner, message_id)
        raw = message_bytes(session, seal, owner, message_id)
        inbox = _inboxes(services, session, principal).get(row.port) if row.direction == "in" else None
        patient = (row.patient_issuer, row.patient_id, "") if row.patient_id else None
        record = trail.event(request, principal, "hl7.read", ("hl7", message_id), patient=patient)
        trail.write(session, record)
    trial = _tried(raw, inbox, services.clock.now())
    codec = trial.message.encoding.codec if trial is not None and trial.message is not None else "utf_8"
    whole = raw.decode(codec, "replace").replace("\r\n", "\n").replace("\r", "\n")
    return MessageShown(
        message=_shown(row),
        text=whole[:LONGEST_SHOWN],
        shortened=len(whole) > LONGEST_SHOWN,
        read=None if trial is None else _told(trial),
    )


@router.post("/messages/replay")
def replay_messages(request: Request, services: Services, principal: Administrator, wanted: Replay) -> Messages:
    """Let messages be worked on again, by today's mapping, or be sent again."""
    seal, owner = Seal(services.metadata_key), principal.organisation_id
    with services.database.write() as session:
        replay(session, seal, _inboxes(services, session, principal), owner, wanted.ids)
        rows = [listed_message(session, owner, one) for one in wanted.ids]
        for row in rows:
            patient = (row.patient_issuer, row.patient_id, "") if row.patient_id else None
            trail.write(session, trail.event(request, principal, "hl7.replay", ("hl7", row.id), patient=patient))
        return Messages(messages=[_shown(one) for one in rows])


@router.post("/try")
def try_mapping(services: Services, principal: Administrator, wanted: Trying) -> Trials:
    """Tell what would come of pasted messages; nothing is kept, and nothing follows."""
    with services.database.read() as session:
        inbox = _inboxes(services, session, principal).get(wanted.port)
    mapping = inbox.mapping if inbox is not None else shipped()
    if wanted.mapping.strip():
        mapping = read_mapping(wanted.mapping, mapping)
    mode = inbox.mode if inbox is not None else "auto"
    return Trials(trials=[_told(one) for one in try_text(wanted.text, mapping, services.clock.now(), mode)])


def _inboxes(services: WebServices, session: Session, principal: Principal) -> dict[str, Inbox]:
    """Return the ports of the caller's organisation."""
    every = connections.inboxes(session, services.settings.hl7, services.organisation_id, services.settings.work.zone)
    return {name: one for name, one in every.items() if one.organisation_id == principal.organisation_id}


def _health(session: Session, owner: uuid.UUID, direction: str, name: str, now: datetime) -> dict[str, object]:
    found = connections.health(session, owner, direction, name, now)
    return {
        "name": name, "last_at": found.last_at, "of_day": found.of_day, "waiting": found.waiting,
        "failed": found.failed, "error": _trouble(found.error_code, found.error, found.error_facts),
    }  # fmt: skip


def _trouble(code: str, detail: str, facts: str) -> Trouble | None:
    return Trouble.shown(errors.Trouble(code, detail, json.loads(facts))) if code else None


def _shown(row: ListedMessage) -> Message:
    shown = Message.model_validate(row)
    return shown.model_copy(update={"trouble": _trouble(row.error_code, row.error, row.error_facts)})


def _tried(raw: bytes, inbox: Inbox | None, now: datetime) -> Trial | None:
    return None if inbox is None else try_bytes(raw, inbox.mapping, now, inbox.mode, inbox.reading)


def _told(trial: Trial) -> Tried:
    content = trial.content
    found: Sequence[object] = content.found if content is not None else ()
    return Tried(
        kind=content.header.kind if content is not None else "",
        change=(content.change or "") if content is not None else "",
        found=[Found.model_validate(one) for one in found],
        answers=[one.replace("\r", "\n") for one in trial.answers],
        trouble=Trouble.shown(trial.trouble),
        at=trial.at,
    )
