"""What a run would do: the directory as it was read beside the accounts as they are. Pure, so that a preview is true.

A run whose plan leaves a doubt changes nothing until an administrator has confirmed just this plan, by its digest: the
first run of all, one that would shut out many, and one that would empty a group.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from radrelay.identity.accounts import fold_username
from radrelay.identity.directory.mapping import DirectoryGroup, Person, Problem, Snapshot
from radrelay.settings import DirectorySettings

FEW_PEOPLE = 2
FEW_MEMBERS = 10
ADMIN, USER = "admin", "user"

DoubtKind = Literal["first-run", "many-disabled", "group-emptied", "group-shrunk", "group-unknown"]
Reason = Literal["suspended", "removed", "not-allowed"]


@dataclass(frozen=True, slots=True)
class Known:
    """An account as it is; without `entry_id` it is Radrelay's own."""

    id: uuid.UUID
    username: str
    full_name: str
    role: str
    entry_id: str | None = None
    disabled: bool = False
    by_directory: bool = False
    """It was the directory that disabled it."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who gets an account, or whose own account (`adopted`) becomes the directory's."""

    person: Person
    role: str
    adopted: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of an account that is the directory's; none stays as it is."""

    account: Known
    username: str | None = None
    full_name: str | None = None
    role: str | None = None
    enabled: bool | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a run does not go on by itself."""

    kind: DoubtKind
    what: str = ""
    count: int = 0
    of: int = 0


@dataclass(frozen=True)
class Plan:
    """What a run does. `groups` are the ids of entries by the name of the group here."""

    newcomers: Sequence[Newcomer]
    changes: Sequence[Change]
    groups: Mapping[str, frozenset[str]]
    doubts: Sequence[Doubt]
    problems: Sequence[Problem]
    people: int
    digest: str = field(default="")

    @property
    def disabled(self) -> list[Change]:
        """Return who is shut out."""
        return [change for change in self.changes if change.enabled is False]


@dataclass(frozen=True)
class Present:
    """How things are: all accounts, by group here the ids of entries that the directory put there, whether it ran."""

    accounts: Sequence[Known]
    members: Mapping[str, frozenset[str]]
    ran_before: bool


class Planner:
    """Makes one plan."""

    def __init__(self, snapshot: Snapshot, present: Present, settings: DirectorySettings,
                 adopt: Sequence[str] = ()) -> None:  # fmt: skip
        self._snapshot = snapshot
        self._present = present
        self._settings = settings
        self._adopt = {fold_username(name) for name in adopt}
        self._problems = list(snapshot.problems)
        self._doubts: list[Doubt] = []
        self._names = {fold_username(one.username): one for one in present.accounts}

    def plan(self) -> Plan:
        """Return what is to be done."""
        admins = self._members_of(self._settings.admin_groups)
        allowed = self._members_of(self._settings.allowed_groups)
        people = {one.entry_id: one for one in self._snapshot.people}
        welcome = {
            key: one for key, one in people.items() if not self._settings.allowed_groups or one.entry_id in allowed
        }
        newcomers, changes = [], []
        known = {one.entry_id: one for one in self._present.accounts if one.entry_id is not None}
        for entry_id, person in welcome.items():
            role = None if not self._settings.admin_groups else ADMIN if entry_id in admins else USER
            if entry_id in known:
                changes.append(self._kept(known[entry_id], person, role))
            elif not person.suspended and (newcomer := self._newcomer(person, role or USER)) is not None:
                newcomers.append(newcomer)
        for entry_id, account in known.items():
            if entry_id not in welcome and entry_id not in self._snapshot.unclear and not account.disabled:
                reason: Reason = "not-allowed" if entry_id in people else "removed"
                changes.append(Change(account, enabled=False, reason=reason))
        changes = self._with_an_admin([one for one in changes if _does(one)], newcomers)
        groups = self._groups({key for key, one in welcome.items() if not one.suspended})
        self._doubt_disabling(changes)
        if not self._present.ran_before:
            self._doubts.insert(0, Doubt("first-run", count=len(newcomers)))
        digest = self._digest(newcomers, changes, groups) if self._doubts else ""
        return Plan(newcomers, changes, groups, self._doubts, self._problems, len(people), digest)

    def _kept(self, account: Known, person: Person, role: str | None) -> Change:
        enabled, reason = None, None
        if person.suspended and not account.disabled:
            enabled, reason = False, "suspended"
        elif not person.suspended and account.disabled and account.by_directory:
            enabled = True
        return Change(
            account,
            username=self._renamed(account, person),
            full_name=None if person.name == account.full_name else person.name,
            role=None if role == account.role else role,
            enabled=enabled,
            reason="suspended" if reason else None,
        )

    def _renamed(self, account: Known, person: Person) -> str | None:
        if person.login == account.username:
            return None
        other = self._names.get(fold_username(person.login))
        if other is not None and other.id != account.id:
            self._problems.append(Problem("name-taken", person.login))
            return None
        return person.login

    def _newcomer(self, person: Person, role: str) -> Newcomer | None:
        folded = fold_username(person.login)
        other = self._names.get(folded)
        if other is None:
            return Newcomer(person, role)
        if folded not in self._adopt:
            self._problems.append(Problem("name-taken", person.login))
            return None
        return Newcomer(person, role if self._settings.admin_groups else other.role, adopted=other.id)

    def _members_of(self, named: Sequence[str]) -> set[str]:
        return set().union(*(self._snapshot.members(group) for name in named if (group := self._group(name))))

    def _group(self, name: str) -> DirectoryGroup | None:
        """Return a group that the settings name; one that is not there leaves a doubt: it may have been renamed."""
        found = self._snapshot.group(name)
        if isinstance(found, DirectoryGroup):
            return found
        self._problems.append(Problem(found, name))
        doubt = Doubt("group-unknown", name)
        if doubt not in self._doubts:
            self._doubts.append(doubt)
        return None

    def _groups(self, present: set[str]) -> dict[str, frozenset[str]]:
        """Return who is to be in which group here; one that the settings no longer name loses its members."""
        before = {here.casefold(): members for here, members in self._present.members.items()}
        groups = {
            here.casefold(): (here, frozenset[str]()) for here, members in self._present.members.items() if members
        }
        for named, wanted in self._settings.groups.items():
            group, here = self._group(named), " ".join(wanted.split())
            _, members = groups.get(here.casefold(), ("", frozenset[str]()))
            found = self._snapshot.members(group) & present if group is not None else set()
            groups[here.casefold()] = here, members | found
        for folded, (here, members) in groups.items():
            self._doubt_leaving(here, before.get(folded, frozenset()), members)
        return dict(groups.values())

    def _doubt_leaving(self, here: str, before: frozenset[str], members: frozenset[str]) -> None:
        left = len(before - members)
        if len(before) >= FEW_PEOPLE and not members:
            self._doubts.append(Doubt("group-emptied", here, left, len(before)))
        elif left > FEW_MEMBERS and 2 * left > len(before):
            self._doubts.append(Doubt("group-shrunk", here, left, len(before)))

    def _doubt_disabling(self, changes: Sequence[Change]) -> None:
        active = sum(one.entry_id is not None and not one.disabled for one in self._present.accounts)
        leaving = sum(change.enabled is False for change in changes)
        many = leaving > FEW_PEOPLE and leaving * 100 > active * self._settings.most_disabled_percent
        if many or (leaving and leaving == active):
            self._doubts.append(Doubt("many-disabled", count=leaving, of=active))

    def _with_an_admin(self, changes: list[Change], newcomers: Sequence[Newcomer]) -> list[Change]:
        """Leave one administrator in: whoever the changes would take the last from stays as they are."""
        goes = {one.account.id for one in changes if one.enabled is False or one.role == USER}
        adopted = {one.adopted for one in newcomers if one.role == USER}
        comes = any(one.role == ADMIN for one in newcomers) or any(one.role == ADMIN for one in changes)
        admins = {one.id for one in self._present.accounts if one.role == ADMIN and not one.disabled}
        if comes or not admins or admins - goes - adopted:
            return changes
        kept = next((one for one in changes if one.account.id in admins), None)
        if kept is None:
            return changes
        self._problems.append(Problem("last-admin", kept.account.username))
        return [one for one in changes if one is not kept]

    def _digest(
        self, newcomers: Sequence[Newcomer], changes: Sequence[Change], groups: Mapping[str, frozenset[str]]
    ) -> str:
        """Return what a confirmation has to name: other people are other doubts."""
        told = {
            "doubts": [[one.kind, one.what] for one in self._doubts],
            "disabled": sorted(str(one.account.id) for one in changes if one.enabled is False),
            "groups": {
                one.what: sorted(groups.get(one.what, ()))
                for one in self._doubts
                if one.kind in ("group-emptied", "group-shrunk")
            },
            "newcomers": []
            if self._present.ran_before
            else sorted([one.person.entry_id, one.role, str(one.adopted or "")] for one in newcomers),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _does(change: Change) -> bool:
    return any(one is not None for one in (change.username, change.full_name, change.role, change.enabled))
