"""`radrelay promises`: what is promised of people's data, and whether it is kept."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from radrelay import audit
from radrelay.app.commands import WIDE, command_principal, opened
from radrelay.privacy.promises import Report, report
from radrelay.privacy.spans import SourcePromise
from radrelay.settings import Settings

COLOURS = {"good": "green", "look": "yellow", "bad": "red"}
DAY_S, HOUR_S = 86400, 3600


def promises_command(settings: Settings) -> int:
    """Print how every promise stands; returns 1 if one is broken."""
    with opened(settings) as (core, prepared):
        found = report(core, prepared.organisation_id)
        with core.database.write() as session:
            audit.record(session, audit.AuditRecord("promises.view", command_principal(prepared)))
    console = Console(soft_wrap=True, width=max(WIDE, Console().width))
    console.print(_sources(found))
    for one in found.kept:
        console.print(f"[{COLOURS[one.state]}]{one.state:>5}[/]  {one.subject}: ", end="")
        console.print(one.text, markup=False)
    return 1 if found.state == "bad" else 0


def _sources(found: Report) -> Table:
    table = Table("", "source", "kept", "never longer", "studies", "oldest", "held", "longer", "overdue")
    for one in found.sources:
        oldest = "" if one.oldest_at is None else f"{one.oldest_at:%Y-%m-%d %H:%M}"
        numbers = (one.held, one.longer, one.overdue)
        table.add_row(
            f"[{COLOURS[one.state]}]{one.state}[/]", one.name.replace("[", r"\["), _span(one), _time(one.max_age_s),
            str(one.holdings), oldest, *map(str, numbers),
        )  # fmt: skip
    return table


def _span(one: SourcePromise) -> str:
    return "until deleted" if one.retention_s is None else _time(one.retention_s)


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds // DAY_S} days" if seconds % DAY_S == 0 else f"{seconds / HOUR_S:g} hours"
