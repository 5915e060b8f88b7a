"""The commands about the directory: whether it answers, what a run would do, and a run now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from radrelay.app.commands import command_principal, opened
from radrelay.app.directory import MOST_NAMED, runs_of
from radrelay.identity.directory.service import Run, RunKind
from radrelay.settings import Settings


def preview_command(settings: Settings, adopt: Sequence[str]) -> int:
    """Print what a sync would do; returns the exit code."""
    return _command(settings, "preview", "", adopt)


def sync_command(settings: Settings, confirmed: str, adopt: Sequence[str]) -> int:
    """Make the accounts follow the directory now, and print what was done. Returns 1 if it asks or fails."""
    return _command(settings, "sync", confirmed, adopt)


def check_command(settings: Settings) -> int:
    """Print whether the directory answers, and what is found in it; nothing is kept."""
    with opened(settings) as (core, prepared):
        runs = runs_of(core, prepared.identity.directory, prepared.first_id)
        snapshot, server = runs.directory.read()
        told = Console(soft_wrap=True, highlight=False)
        told.print(f"{server} answers, its certificate holds, and the reading account is let in.")
        suspended = sum(person.suspended for person in snapshot.people)
        told.print(f"{len(snapshot.people)} people ({suspended} suspended), {len(snapshot.groups)} groups")
        named = (*settings.directory.groups, *settings.directory.admin_groups, *settings.directory.allowed_groups)
        for name in dict.fromkeys(named):
            group = snapshot.group(name)
            found = group if isinstance(group, str) else f"{len(snapshot.members(group))} people"
            told.print(f"group {name}: {found}", markup=False)
        for problem in snapshot.problems[:MOST_NAMED]:
            told.print(f"{problem.kind}: {problem.what}", markup=False)
        return 0


def _command(settings: Settings, kind: RunKind, confirmed: str, adopt: Sequence[str]) -> int:
    with opened(settings) as (core, prepared):
        runs = runs_of(core, prepared.identity.directory, prepared.first_id)
        run = runs.at_once(kind, command_principal(prepared), confirmed, adopt)
        told = Console(soft_wrap=True, highlight=False)
        for line in _lines(run):
            told.print(line, markup=False)
        return 0 if run.state == "done" else 1


def _lines(run: Run) -> Iterator[str]:
    report = run.report
    if "trouble" in report:
        yield report["trouble"]["detail"]
        return
    would = "" if run.kind == "sync" and run.state == "done" else "would be "
    for name in ("added", "changed", "disabled", "enabled"):
        yield f"{report['counts'][name]} accounts {would}{name}"
        for one in report[name]:
            more = ", ".join(str(value) for key, value in one.items() if key != "name" and value not in ("", False))
            yield f"    {one['name']}{f' ({more})' if more else ''}"
    yield from (f"group {one['name']}: {one['members']} members" for one in report["groups"])
    yield from (f"left as it is, {one['kind']}: {one['what']}" for one in report["problems"])
    if not would:  # somebody has confirmed what was doubted
        return
    for doubt in report["doubts"]:
        count = f"{doubt['count']} of {doubt['of']}" if doubt["of"] else str(doubt["count"] or "")
        yield " ".join(part for part in ("doubt:", doubt["kind"], doubt["what"], count) if part)
    if run.digest:
        yield f"If this is meant: radrelay directory sync --confirm {run.digest}"
