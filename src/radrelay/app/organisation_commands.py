"""`radrelay organisation`: organisations made, named and placed by who runs the machine, and agreements on record.

What is done to an organisation stands on its own record, so that its people see that the operator did it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.access import SYSTEM_NAME, Principal, ensure_default_grants
from radrelay.app.commands import WIDE, command_principal, opened
from radrelay.app.core import Core
from radrelay.archive.models import Study
from radrelay.errors import NotFound
from radrelay.identity import organisations
from radrelay.identity.models import Account
from radrelay.identity.organisations import OrganisationInvalid, OrganisationView, TitleTaken
from radrelay.intake.doors import Doors
from radrelay.intake.sources import add_source, default_spec, ensure_organisation_defaults, free_name, list_sources
from radrelay.privacy import agreements
from radrelay.privacy.agreements import Agreement
from radrelay.settings import Settings
from radrelay.storage.nodes import alone_in


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be different; none of `name` and `region` leaves it as it is."""

    name: str | None
    region: str | None
    ae_titles: Sequence[str]
    taken_titles: Sequence[str]
    folders: Sequence[str]


def add_command(settings: Settings, name: str, asked: Asked, admin: str) -> int:
    """Make an organisation, its first sources and grants, and an administrator; prints the one-time password."""
    with opened(settings) as (core, prepared):
        identity = prepared.identity
        shown, encoded = identity.new_one_time_password(admin) if admin else ("", "")
        with core.database.write() as session:
            alone_in(session)
            now = core.clock.now()
            _keep_titles(session, prepared.first_id, core)
            made = organisations.add(session, name, asked.region or "", now)
            ensure_default_grants(session, made.id, (), now)
            ensure_organisation_defaults(session, made.id, settings, now)
            _doors(session, core, prepared.first_id, made.id, asked)
            made = organisations.organisation_of(session, made.id)
            _record(session, made.id, "organisation.create", _told(made, asked))
            if admin:
                account = identity.create_account(
                    session, made.id, username=admin, full_name="", role="admin", encoded=encoded
                )
                by = _operator(made.id)
                audit.record(session, audit.AuditRecord("account.create", by, "account", account.id))
        console = Console(soft_wrap=True, highlight=False)
        console.print(f"{made.name} is there.", markup=False)
        _warn(console, settings, made)
        if admin:
            console.print(f"first login  {admin}\npassword     {shown}   (valid once)", markup=False)
        else:
            console.print(f"its first administrator: radrelay user add NAME --role admin --organisation '{made.name}'")
        return 0


def change_command(settings: Settings, name: str, asked: Asked) -> int:
    """Change an organisation."""
    with opened(settings) as (core, prepared):
        with core.database.write() as session:
            alone_in(session)
            found = organisations.named(session, name)
            if asked.name is not None and found.id == prepared.first_id:
                _require_unset(settings)
            changed = organisations.change(session, found.id, name=asked.name, region=asked.region)
            _doors(session, core, prepared.first_id, found.id, asked)
            changed = organisations.organisation_of(session, found.id)
            _record(session, found.id, "organisation.change", _told(changed, asked))
        Console(highlight=False).print(f"{changed.name} is changed.", markup=False)
        return 0


def list_command(settings: Settings) -> int:
    """Print all organisations."""
    with opened(settings) as (core, _):
        table = Table("name", "region", "AE titles", "people", "studies")
        with core.database.read() as session:
            known = organisations.every(session)
            for number, one in enumerate(known):
                called = (*(() if number else (settings.dicom.ae_title,)), *one.ae_titles)
                people, studies = (_count(session, table_of, one.id) for table_of in (Account, Study))
                cells = (one.name, one.region or "-", ", ".join(called) or "-")
                table.add_row(*(cell.replace("[", r"\[") for cell in cells), str(people), str(studies))
        Console(soft_wrap=True).print(table)
        return 0


def agreement_add_command(settings: Settings, wanted: Agreement) -> int:
    """Put an agreement on record."""
    with opened(settings) as (core, prepared):
        with core.database.write() as session:
            by = command_principal(prepared)
            made = agreements.enter(session, prepared.organisation_id, wanted, by.name, core.clock.now())
            detail = {"kind": wanted.kind, "party": wanted.party, "signed_on": wanted.signed_on}
            audit.record(session, audit.AuditRecord("agreement.add", by, "agreement", made.id, detail))
        print(made.id)  # noqa: T201 -- the answer of a command
        return 0


def agreement_list_command(settings: Settings) -> int:
    """Print the agreements on record."""
    with opened(settings) as (core, prepared):
        with core.database.read() as session:
            found = agreements.agreements(session, prepared.organisation_id)
        today = core.clock.now().date()
        table = Table(
            "", "kind", "with", "purpose", "signed", "last day", "document", Column("id", no_wrap=True, min_width=36)
        )
        for one in found:
            agreed = one.agreement
            last = min((day for day in (agreed.ends_on, one.ended_on) if day is not None), default=None)
            cells = (agreed.kind, agreed.party, agreed.purpose, f"{agreed.signed_on}", f"{last or '-'}",
                     agreed.document)  # fmt: skip
            state = "holds" if one.counts(today) else "over"
            table.add_row(state, *(cell.replace("[", r"\[") for cell in cells), str(one.id))
        Console(width=max(WIDE, Console().width)).print(table)
        return 0


def agreement_end_command(settings: Settings, agreement_id: str, on: date | None, why: str) -> int:
    """Note that an agreement has ended."""
    try:
        wanted = uuid.UUID(agreement_id)
    except ValueError as error:
        raise NotFound(f"{agreement_id!r} is no agreement's id") from error
    with opened(settings) as (core, prepared):
        with core.database.write() as session:
            day = on or core.clock.now().date()
            ended = agreements.end(session, prepared.organisation_id, wanted, day, why)
            detail = {"party": ended.agreement.party, "ended_on": day}
            by = command_principal(prepared)
            audit.record(session, audit.AuditRecord("agreement.end", by, "agreement", ended.id, detail))
        print(f"the agreement with {ended.agreement.party} ended on {day}")  # noqa: T201
        return 0


def _require_unset(settings: Settings) -> None:
    if settings.web.organisation_name != organisations.UNNAMED:
        raise OrganisationInvalid("the first organisation is called as the setting web.organisation_name says")


def _keep_titles(session: Session, first_id: uuid.UUID, core: Core) -> None:
    """Give the first organisation the titles of its sources, which nobody had to give out while it was alone."""
    doors = Doors.read(session)
    if doors.several:
        return
    for title in sorted(doors.of_sources):
        organisations.give_title(session, first_id, title, core.clock.now())


def _doors(session: Session, core: Core, first_id: uuid.UUID, organisation_id: uuid.UUID, asked: Asked) -> None:
    """Give AE titles to an organisation, take others, and let folders be watched for it."""
    own, now = core.settings.dicom.ae_title, core.clock.now()
    held = {source.ae_title: source.name for source in list_sources(session, organisation_id)}
    for title in asked.taken_titles:
        if title.strip(" ") in held:
            raise TitleTaken(f"the source {held[title.strip(' ')]!r} still has the AE title {title}; change it first")
        organisations.take_title(session, organisation_id, title)
    for title in asked.ae_titles:
        if title.strip(" ") == own and organisation_id != first_id:
            first = organisations.name_of(session, first_id)
            raise TitleTaken(f"{own} is this listener's own AE title and leads to {first}")
        organisations.give_title(session, organisation_id, title, now)
    for folder in asked.folders:
        path = Path(folder)
        if not path.is_absolute():
            raise OrganisationInvalid(f"{folder!r}: a watched folder is named by its full path", field="folder")
        name = free_name(session, organisation_id, f"Folder {path.name or folder}"[:90])
        spec = default_spec(name, "folder", core.settings, folder=folder)
        add_source(session, organisation_id, spec, now, operator=True)


def _warn(console: Console, settings: Settings, made: OrganisationView) -> None:
    own = settings.dicom.ae_title
    if not made.ae_titles:
        console.print("No AE title leads to it, so DICOM reaches it not yet: see organisation change --ae-title.")
    if settings.dicom.accept_any_called:
        console.print(
            f"From now on the DICOM port takes only {own} and AE titles that were given out: what is called otherwise "
            "is refused, for nobody could say whose it is."
        )


def _told(view: OrganisationView, asked: Asked) -> dict[str, object]:
    told: dict[str, object] = {"name": view.name, "region": view.region, "ae_titles": list(view.ae_titles)}
    return told | ({"folders": list(asked.folders)} if asked.folders else {})


def _operator(organisation_id: uuid.UUID) -> Principal:
    return Principal("system", "command", f"{SYSTEM_NAME} command", organisation_id, role="system")


def _record(session: Session, organisation_id: uuid.UUID, action: str, detail: dict[str, object]) -> None:
    record = audit.AuditRecord(action, _operator(organisation_id), "organisation", organisation_id, detail)
    audit.record(session, record)


def _count(session: Session, table: type[Account] | type[Study], organisation_id: uuid.UUID) -> int:
    counted = sa.select(sa.func.count()).select_from(table).where(table.organisation_id == organisation_id)
    return session.scalar(counted) or 0
