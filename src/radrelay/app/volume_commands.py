"""`radrelay unusual`: who fetched far more than usual, and letting in again whom an alarm has shut out."""

from __future__ import annotations

import uuid

from rich.console import Console
from rich.table import Column, Table

from radrelay import audit
from radrelay.app.commands import WIDE, command_principal, opened
from radrelay.privacy.volume import alarms
from radrelay.privacy.volume.alarms import AlarmUnknown, AlarmView
from radrelay.settings import GIB, Settings


def list_alarms(settings: Settings) -> int:
    """Print the alarms, open ones first; returns 1 if one is open."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        audit.record(session, audit.AuditRecord("volume.list", command_principal(prepared)))
        found = alarms.listed(session, prepared.organisation_id)
    table = Table(
        Column("id", no_wrap=True, min_width=36), "who", "since", "studies", "patients", "fetches", "GiB", "state"
    )
    for one in found:
        counted = (one.studies, one.patients, one.fetches)
        table.add_row(
            str(one.id), f"{one.kind} {one.name}".replace("[", r"\["), f"{one.began_at:%Y-%m-%d %H:%M}",
            *map(str, counted), f"{one.bytes / GIB:.1f}", _state(one),
        )  # fmt: skip
    Console(width=max(WIDE, Console().width)).print(table)
    return int(any(one.settled_at is None for one in found))


def settle_alarm(settings: Settings, named: str, note: str, *, let_in: bool) -> int:
    """Note what came of an alarm, and let in whom it shut out if that is wanted; returns the exit code."""
    try:
        alarm_id = uuid.UUID(named)
    except ValueError as error:
        raise AlarmUnknown from error
    with opened(settings) as (core, prepared), core.database.write() as session:
        now, who = core.clock.now(), command_principal(prepared)
        settled = alarms.settle(session, prepared.identity, who, alarm_id, note, now, let_in=let_in)
    print(f"{settled.name}: {_state(settled)}")  # noqa: T201
    return 0


def _state(one: AlarmView) -> str:
    parts = ["suspended"] if one.suspended_at is not None else []
    parts += ["looked into"] if one.settled_at is not None else ["open"]
    return ", ".join(parts)
