"""`radrelay request …`: the register of data subjects' requests at the command line, on record as the page's is.

Exports, erasures and corrections are for the officer at the page: they want a person who is logged in by name.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Column, Table

from radrelay import audit
from radrelay.app.audit_commands import moment_given
from radrelay.app.commands import WIDE, account_of, command_principal, opened
from radrelay.app.plain import cells, plain
from radrelay.errors import NotFound
from radrelay.privacy import erasure, requests
from radrelay.privacy.holdings_of import Held, held
from radrelay.privacy.requests import RequestDraft, RequestView, Right, Subject
from radrelay.settings import Settings


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request as it was typed: about the patient of an ID, or about somebody with an account."""

    kind: Right
    patient: str
    issuer: str
    account: str
    requester: str
    contact: str
    note: str
    received: str


def list_command(settings: Settings) -> int:
    """Print the register, open requests by when they are due; returns 1 if one is late and open."""
    with opened(settings) as (core, prepared):
        now = core.clock.now()
        with core.database.write() as session:
            audit.record(session, audit.AuditRecord("request.list", command_principal(prepared)))
            found = requests.requests(session, prepared.organisation_id)
    table = Table(
        Column("id", no_wrap=True, min_width=36), "kind", "about", "who asks", "received", "due", "clock", "state"
    )
    for one in found:
        table.add_row(
            str(one.id), one.kind, *cells(_about(one.subject), one.requester), f"{one.received_at:%Y-%m-%d}",
            f"{one.due_at:%Y-%m-%d}", one.clock(now), one.state,
        )  # fmt: skip
    Console(width=max(WIDE, Console().width)).print(table)
    return int(any(one.closed_at is None and one.clock(now) == "late" for one in found))


def add_command(settings: Settings, asked: AskedFor) -> int:
    """Enter a request and print its id and when it is due."""
    received = moment_given("received", asked.received)
    with opened(settings) as (core, prepared):
        who, now = command_principal(prepared), core.clock.now()
        account = account_of(prepared, asked.account).id if asked.account else None
        subject = Subject("account" if asked.account else "patient", asked.issuer, asked.patient, account)
        draft = RequestDraft(asked.kind, subject, asked.requester, asked.contact, asked.note, received or now)
        with core.database.write() as session:
            made = requests.enter(session, prepared.organisation_id, draft, by=who.name, now=now)
            event = audit.AuditRecord(
                "request.enter", who, "request", made.id, {"kind": made.kind}, patient=_patient(made)
            )  # fmt: skip
            audit.record(session, event)
    print(f"{made.id}  due {made.due_at:%Y-%m-%d}")  # noqa: T201 -- the answer of a command
    return 0


def show_command(settings: Settings, named: str) -> int:
    """Print a request, and what is held of whom it is about."""
    with opened(settings) as (core, prepared):
        with core.database.write() as session:
            one = requests.request_of(session, prepared.organisation_id, _id(named))
            event = audit.AuditRecord(
                "request.find", command_principal(prepared), "request", one.id, {"kind": one.kind},
                patient=_patient(one),
            )  # fmt: skip
            audit.record(session, event)
        with core.database.read() as session:
            found = held(session, prepared.organisation_id, one.subject)
        now = core.clock.now()
    for line in (*_lines(one, now), *_held_lines(found)):
        print(plain(line))  # noqa: T201
    return 0


def _id(named: str) -> uuid.UUID:
    try:
        return uuid.UUID(named)
    except ValueError as error:
        raise NotFound(f"{named!r} is no request's id; `radrelay request list` has them") from error


def _patient(one: RequestView) -> tuple[str, str, str] | None:
    return (one.subject.issuer, one.subject.patient_id, "") if one.subject.kind == "patient" else None


def _about(subject: Subject) -> str:
    if subject.kind == "account":
        return f"account {subject.account_id}"
    return f"{subject.patient_id} {subject.issuer}".strip()


def _lines(one: RequestView, now: datetime) -> Iterator[str]:
    yield f"{one.kind}, {one.state}, {one.clock(now)}: about {_about(one.subject)}"
    yield f"asked by {one.requester}{f' ({one.contact})' if one.contact else ''}, entered by {one.created_by}"
    yield f"received {one.received_at:%Y-%m-%d %H:%M} UTC, due {one.due_at:%Y-%m-%d}"
    if one.verified_at is None:
        yield "nobody has noted yet how the requester proved who they are"
    else:
        yield f"verified by {one.verified_by} at {one.verified_at:%Y-%m-%d %H:%M} UTC: {one.verified_how}"
    told = {
        "note": one.note, "longer because": one.extended_why, "answer": one.answer, "told": one.told_how,
        "stops": one.stops,
    }  # fmt: skip
    yield from (f"{name}: {text}" for name, text in told.items() if text)
    proof = erasure.decoded(one.proof)
    if proof is not None:
        when = "to be destroyed" if proof.destroyed_at is None else f"destroyed by {proof.destroyed_at:%Y-%m-%d %H:%M}"
        counted = f"studies {len(proof.studies)}, kept {len(proof.kept)}"
        yield f"erased at {proof.at:%Y-%m-%d %H:%M} UTC: {counted}; keys {when}"


def _held_lines(found: Held) -> Iterator[str]:
    if found.account is not None:
        account = found.account
        counted = f"logins {account.logins}, links {account.links}, marks {account.marks}"
        yield f"held of the account {account.username}: {counted}, groups {', '.join(account.groups) or '-'}"
        return
    beside = f"kept aside {len(found.aside)}, imports {len(found.imports)}"
    yield f"held: studies {len(found.studies)}, of people {found.people}, {beside}"
    for study in found.studies:
        sources = ", ".join(
            f"{by.source} {'until deleted' if by.ends_at is None else f'until {by.ends_at:%Y-%m-%d %H:%M}'}"
            for by in study.held_by
        )
        day = study.study_date or "-"
        yield f"  {study.study_uid}  {day}  {study.modalities}  objects {study.objects}, links {study.links}; {sources}"
    if found.other_issuers:
        others = ", ".join(issuer or "none" for issuer in found.other_issuers)
        yield f"the same patient ID is there of other issuers, too: {others}"
