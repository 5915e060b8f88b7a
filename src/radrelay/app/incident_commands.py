"""`radrelay incident …`: the register of incidents and their reports at the command line, on record as the page's are.

The register is the officer's alone, since an incident may be about an administrator: whoever may read this machine's
keys can read it here, and that they did stands on record.
"""

from __future__ import annotations

import sys
import uuid
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.app.audit_commands import moment_given, write_rows
from radrelay.app.commands import WIDE, account_of, command_principal, opened
from radrelay.app.plain import cells, plain
from radrelay.app.prepare import Prepared
from radrelay.audit.export import Form
from radrelay.errors import Invalid, NotFound
from radrelay.privacy import incidents, suspects
from radrelay.privacy.exposure import REACHED_COLUMNS, TOUCHED_COLUMNS, Exposure, exposure, reached
from radrelay.privacy.incidents import IncidentDraft
from radrelay.privacy.suspects import Suspect, SuspectKind, SuspectUnknown
from radrelay.settings import Settings

Part = Literal["touched", "reached"]


@dataclass(frozen=True, slots=True)
class Noticed:
    """An incident as it was typed; `subject` is a user name, a token's name, an id, or a device's title or address."""

    title: str
    kind: SuspectKind
    subject: str
    began: str
    ended: str
    noticed: str
    description: str


def list_command(settings: Settings) -> int:
    """Print the register, newest first; returns 1 if a clock of an open incident has run out."""
    with opened(settings) as (core, prepared):
        now = core.clock.now()
        with core.database.write() as session:
            audit.record(session, audit.AuditRecord("incident.list", command_principal(prepared)))
            found = incidents.incidents(session, prepared.organisation_id)
            names = [_name(session, prepared, one.suspect) for one in found]
    table = Table(Column("id", no_wrap=True, min_width=36), "title", "access", "noticed", "authority", "patients")
    for one, name in zip(found, names, strict=True):
        clocks = (
            f"{state}, {due:%Y-%m-%d %H:%M}" if one.closed_at is None else "closed"
            for state, due in ((one.authority(now), one.authority_due_at), (one.patients(now), one.patients_due_at))
        )
        table.add_row(
            str(one.id), *cells(one.title, f"{one.suspect.kind} {name}"), f"{one.noticed_at:%Y-%m-%d %H:%M}", *clocks
        )
    Console(width=max(WIDE, Console().width)).print(table)
    still = [one for one in found if one.closed_at is None]
    return int(any("late" in (one.authority(now), one.patients(now)) for one in still))


def add_command(settings: Settings, noticed: Noticed) -> int:
    """Enter an incident and print its id and by when the authority is to be told."""
    began = moment_given("from", noticed.began)
    if began is None:
        raise Invalid("--from says since when the access may have been in wrong hands", field="began_at")
    with opened(settings) as (core, prepared):
        now = core.clock.now()
        with core.database.write() as session:
            suspect = _suspect(session, prepared, noticed)
            suspects.known(session, prepared.organisation_id, suspect)
            draft = IncidentDraft(
                noticed.title, noticed.description, suspect, began, moment_given("until", noticed.ended) or now,
                moment_given("noticed", noticed.noticed) or now,
            )  # fmt: skip
            who = command_principal(prepared)
            made = incidents.open_incident(session, prepared.organisation_id, draft, by=who.name, now=now)
            audit.record(session, audit.AuditRecord("incident.open", who, "incident", made.id))
    print(f"{made.id}  authority by {made.authority_due_at:%Y-%m-%d %H:%M} UTC")  # noqa: T201 -- a command's answer
    return 0


def report_command(settings: Settings, named: str, part: Part, form: Form) -> int:
    """Write the patients whom the record names, or whom the access reaches, and on standard error what else is."""
    with opened(settings) as (core, prepared):
        with core.database.write() as session:
            one = incidents.incident_of(session, prepared.organisation_id, _id(named))
            detail = {"form": f"{form} {part}"}
            event = audit.AuditRecord("incident.report", command_principal(prepared), "incident", one.id, detail)
            audit.record(session, event)
        now = core.clock.now()
        found = exposure(core.database, prepared.organisation_id, one, now)
        if part == "touched":
            write_rows((each.row() for each in found.touched), form, TOUCHED_COLUMNS)
        else:
            write_rows(reached(core.database, prepared.organisation_id, one, now), form, REACHED_COLUMNS)
    print(plain(_counted(found)), file=sys.stderr)  # noqa: T201 -- beside the table
    return 0


def _counted(found: Exposure) -> str:
    return (
        f"{found.suspect.suspect.kind} {found.suspect.name}, {found.began_at:%Y-%m-%d %H:%M} to"
        f" {found.ended_at:%Y-%m-%d %H:%M} UTC: patients touched {len(found.touched)}, within reach"
        f" {found.reached_patients} (studies {found.reached_studies}); looks at lists {found.searches}, links made"
        f" {len(found.links)}, changes of the reach {len(found.changes)}, events that name nobody {found.unnamed}"
    )


def _id(named: str) -> uuid.UUID:
    try:
        return uuid.UUID(named)
    except ValueError as error:
        raise NotFound(f"{named!r} is no incident's id; `radrelay incident list` has them") from error


def _name(session: Session, prepared: Prepared, suspect: Suspect) -> str:
    try:
        return suspects.known(session, prepared.organisation_id, suspect).name
    except SuspectUnknown:
        return suspect.id


def _suspect(session: Session, prepared: Prepared, noticed: Noticed) -> Suspect:
    """Return whose access is meant: an account or a token by its name, too. Raises `NotFound` or `Invalid`."""
    given = noticed.subject.strip()
    if noticed.kind == "device" or _is_id(given):
        return Suspect(noticed.kind, given)
    if noticed.kind == "account":
        return Suspect("account", str(account_of(prepared, given).id))
    if noticed.kind == "token":
        known = [one.id for one in prepared.identity.tokens(session, prepared.organisation_id) if one.name == given]
        if len(known) > 1:
            raise Invalid(f"{len(known)} tokens are called {given!r}: give the id of the one that is meant")
        if known:
            return Suspect("token", str(known[0]))
    raise SuspectUnknown


def _is_id(given: str) -> bool:
    try:
        uuid.UUID(given)
    except ValueError:
        return False
    return True
