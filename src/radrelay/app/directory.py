"""Runs of the directory: read, planned, and done in one transaction with their record.

`work` does those that wait and those that the schedule wants, on one machine at a time; the command line does its own.
A plan that leaves a doubt changes nothing until it is confirmed; a directory that does not answer, or answers nonsense,
changes nothing either.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Principal
from radrelay.app.core import Core
from radrelay.app.prepare import Prepared
from radrelay.app.threads import loop
from radrelay.clock import Clock
from radrelay.errors import RadrelayError, Trouble
from radrelay.identity.directory import Directory, service
from radrelay.identity.directory.errors import NoDirectory
from radrelay.identity.directory.mapping import Problem, Snapshot
from radrelay.identity.directory.planning import Change, Plan, Planner, Present
from radrelay.identity.directory.service import Run, RunKind, RunState
from radrelay.identity.errors import AccountExists
from radrelay.storage.database import Database
from radrelay.storage.leadership import Leadership
from radrelay.storage.nodes import alone_in

MOST_NAMED = 500  # in a report, of each kind
MARGIN_S, TICK_S = 60.0, 2.0
MEMBERS_AN_EVENT = 100
CHANGES = ("added", "changed", "disabled", "enabled", "joined", "left")
log = structlog.get_logger(__name__)


class Overtaken(RadrelayError):
    """Another run read the directory later and is done; this one changed nothing."""

    code = "directory-overtaken"


@dataclass(frozen=True)
class DirectoryRuns:
    """Does runs for one organisation."""

    database: Database
    clock: Clock
    directory: Directory
    organisation_id: uuid.UUID

    def tick(self, leads: Callable[[], bool]) -> Run | None:
        """Do what waits or is due, if this process leads; returns what was done."""
        settings = self.directory.settings
        with self.database.read() as session:
            found = service.open_runs(session, self.organisation_id)
            every = timedelta(seconds=settings.every_s)
            due = bool(settings.every_s) and service.due(session, self.organisation_id, self.clock.now(), every)
        if not (found or due) or not leads():
            return None
        with self.database.write() as session:
            alone_in(session)
            now = self.clock.now()
            if due and not service.open_runs(session, self.organisation_id):
                service.ask(session, self.organisation_id, "sync", now=now)
            longest = timedelta(seconds=settings.read_timeout_s + MARGIN_S)
            run = service.begin_waiting(session, self.organisation_id, now, longest)
        return None if run is None else self.carry_out(run, access.system_principal(self.organisation_id))

    def at_once(self, kind: RunKind, principal: Principal, confirmed: str = "", adopt: Sequence[str] = ()) -> Run:
        """Do a run here and now; raises `DirectoryRunning` beside another."""
        with self.database.write() as session:
            alone_in(session)
            run = service.ask(
                session, self.organisation_id, kind, now=self.clock.now(), asked_by=principal.name,
                confirmed=confirmed, adopt=adopt, begin=True,
            )  # fmt: skip
        return self.carry_out(run, principal)

    def carry_out(self, run: Run, principal: Principal) -> Run:
        """Read the directory and do what follows; what goes wrong stands in the run's report."""
        try:
            snapshot, server = self.directory.read()
            with self.database.write() as session:
                alone_in(session)
                ended = self._done(session, run, snapshot, server, principal)
        except RadrelayError as error:
            ended = self._failed(run, Trouble.of(error), principal)
        except Exception:  # why: a run that is left open would keep all later ones from beginning
            self._failed(run, Trouble("error", "Something went wrong; see the log."), principal)
            raise
        log.info("directory read", kind=run.kind, state=ended.state, **ended.report.get("counts", {}))
        return ended

    def _done(self, session: Session, run: Run, snapshot: Snapshot, server: str, principal: Principal) -> Run:
        now = self.clock.now()
        if not service.is_open(session, run) or service.overtaken(session, run):
            raise Overtaken
        present = self._present(session)
        plan = Planner(snapshot, present, self.directory.settings, run.adopt).plan()
        report = _report(plan, server)
        state: RunState = "done"
        if run.kind == "sync" and plan.doubts and run.confirmed != plan.digest:
            state = "asks"
        elif run.kind == "sync":
            report["counts"] |= self._apply(session, plan, principal, report)
        detail = {"kind": run.kind, "state": state, **report["counts"]}
        if run.asked_by or state != "done" or any(report["counts"].get(name) for name in CHANGES):
            _record(session, principal, "directory.read", ("directory_run", run.id), detail)
        return service.end(session, run, state, report, now=now, digest=plan.digest)

    def _failed(self, run: Run, trouble: Trouble, principal: Principal) -> Run:
        log.warning("directory not read", kind=run.kind, code=trouble.code, reason=trouble.detail)
        report = {"trouble": {"code": trouble.code, "detail": trouble.detail, "facts": dict(trouble.facts)}}
        with self.database.write() as session:
            if not service.is_open(session, run):  # given up for lost, and told so
                return replace(run, state="failed", report=report)
            detail = {"kind": run.kind, "reason": trouble.code}
            _record(session, principal, "directory.read", ("directory_run", run.id), detail, outcome="failure")
            return service.end(session, run, "failed", report, now=self.clock.now())

    def _present(self, session: Session) -> Present:
        accounts = service.known(session, self.organisation_id)
        entries = {str(one.id): one.entry_id for one in accounts if one.entry_id is not None}
        members: dict[str, frozenset[str]] = {}
        for group in access.groups(session, self.organisation_id):
            found = access.members_of(session, self.organisation_id, group.id)
            members[group.name] = frozenset(
                entries[one.id] for one in found if one.origin == "directory" and one.id in entries
            )
        return Present(accounts, members, service.ran_before(session, self.organisation_id))

    def _apply(
        self, session: Session, plan: Plan, principal: Principal, report: dict[str, Any]
    ) -> dict[str, int]:  # fmt: skip
        now = self.clock.now()
        for change in plan.changes:
            service.change(session, self.organisation_id, change, now)
            action, detail = _told(change)
            _record(session, principal, action, ("account", change.account.id), detail)
        added = 0
        for newcomer in plan.newcomers:
            try:
                account_id = service.add(session, self.organisation_id, newcomer, now)
            except AccountExists:  # of another organisation: names are one space
                report["problems"].append({"kind": "name-taken", "what": newcomer.person.login})
                continue
            added += 1
            action = "account.create" if newcomer.adopted is None else "account.adopt"
            _record(session, principal, action, ("account", account_id), {"role": newcomer.role, "by": "directory"})
        joined, left = self._follow(session, plan, principal)
        return {"added": added, "joined": joined, "left": left}

    def _follow(self, session: Session, plan: Plan, principal: Principal) -> tuple[int, int]:
        """Make groups here follow those of the directory; one that is not here is made."""
        accounts = service.accounts_of(session, self.organisation_id)
        here = {group.name.casefold(): group.id for group in access.groups(session, self.organisation_id)}
        joined = left = 0
        for name, entries in plan.groups.items():
            if name.casefold() not in here:
                made = access.create_group(session, self.organisation_id, name, now=self.clock.now())
                here[name.casefold()] = made.id
                _record(session, principal, "group.create", ("group", made.id), {"name": made.name, "by": "directory"})
            group_id = here[name.casefold()]
            members = {str(accounts[entry]) for entry in entries if entry in accounts}
            came, went = access.follow_directory(session, self.organisation_id, group_id, members)
            for action, who in (("group.join", came), ("group.leave", went)):
                for start in range(0, len(who), MEMBERS_AN_EVENT):
                    told = [f"account {member}" for member in who[start : start + MEMBERS_AN_EVENT]]
                    detail = {"members": told, "by": "directory"}
                    _record(session, principal, action, ("group", group_id), detail)
            joined, left = joined + len(came), left + len(went)
        return joined, left


def _told(change: Change) -> tuple[str, dict[str, object]]:
    """Return the action that a change is on record as, and its detail."""
    if change.enabled is False:
        return "account.disable", {"by": "directory", "reason": str(change.reason)}
    what = {"name": change.username, "role": change.role, "disabled": None if change.enabled is None else False}
    return "account.change", {"by": "directory", **{name: one for name, one in what.items() if one is not None}}


def _report(plan: Plan, server: str) -> dict[str, Any]:
    """Return what an administrator reads: counts, and by name who comes, changes and goes."""
    changed = [one for one in plan.changes if one.enabled is None]
    enabled = [one for one in plan.changes if one.enabled is True]
    return {
        "server": server,
        "counts": {
            "people": plan.people, "added": len(plan.newcomers), "changed": len(changed),
            "disabled": len(plan.disabled), "enabled": len(enabled), "problems": len(plan.problems),
        },
        "added": [
            {
                "name": one.person.login, "full_name": one.person.name, "role": one.role,
                "adopted": one.adopted is not None,
            }
            for one in plan.newcomers[:MOST_NAMED]
        ],
        "changed": [
            {"name": one.account.username, "to": one.username or "", "role": one.role or ""}
            for one in changed[:MOST_NAMED]
        ],
        "disabled": [
            {"name": one.account.username, "reason": one.reason or ""} for one in plan.disabled[:MOST_NAMED]
        ],
        "enabled": [{"name": one.account.username} for one in enabled[:MOST_NAMED]],
        "groups": [{"name": name, "members": len(members)} for name, members in plan.groups.items()],
        "doubts": [{"kind": one.kind, "what": one.what, "count": one.count, "of": one.of} for one in plan.doubts],
        "problems": [_problem(one) for one in plan.problems[:MOST_NAMED]],
    }  # fmt: skip


def _problem(problem: Problem) -> dict[str, str]:
    return {"kind": problem.kind, "what": problem.what}


def _record(
    session: Session, principal: Principal, action: str, subject: tuple[str, uuid.UUID], detail: dict[str, Any],
    outcome: str = "success",
) -> None:  # fmt: skip
    audit.record(session, audit.AuditRecord(action, principal, subject[0], subject[1], detail, outcome=outcome))


def runs_of(core: Core, directory: Directory | None, organisation_id: uuid.UUID) -> DirectoryRuns:
    """Return what does runs; raises `NoDirectory`, or `Misconfigured` for what it lacks."""
    if directory is None:
        raise NoDirectory
    directory.require_ready()
    return DirectoryRuns(core.database, core.clock, directory, organisation_id)


def keep_following(core: Core, prepared: Prepared, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return the thread of `work` that does runs; none where no directory is set."""
    if prepared.identity.directory is None:
        return []
    runs = runs_of(core, prepared.identity.directory, prepared.organisation_id)
    lead = Leadership(core.database, core.clock, "directory", holder)
    return [loop("directory", TICK_S, stop, lambda: runs.tick(lead.held))]
