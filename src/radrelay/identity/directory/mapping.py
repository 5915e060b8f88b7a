"""Entries of the directory as people and groups: pure, and distrustful of every value.

In: entries as the server gave them, and the names of the attributes. Out: people and groups, and what was left out and
why. Who is a member of a group through others is found here, too; groups may hold one another in a ring.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from radrelay.identity.accounts import LONGEST_NAME, fold_username
from radrelay.identity.directory.ldap import Entry, Search, Value
from radrelay.identity.directory.names import filter_value, same_form
from radrelay.settings import DirectorySettings

LONGEST_ID = 64
DISABLED_BIT = 0x2  # ADS_UF_ACCOUNTDISABLE (MS-ADTS 2.2.16)
NEVER = (0, 0x7FFFFFFFFFFFFFFF)  # accountExpires (MS-ADA1 2.1)
FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
LOCKED_FOR_GOOD = "000001010000Z"  # pwdAccountLockedTime (draft-behera-ldap-password-policy-11 5.3.3)
MEMBERS = ("member", "uniquemember", "memberuid")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of directory calls things."""

    id_attribute: str
    login_attribute: str
    user_filter: str
    group_filter: str
    status: tuple[str, ...]


KINDS = {
    "active-directory": Kind(
        "objectGUID", "sAMAccountName", "(sAMAccountType=805306368)", "(objectClass=group)",
        ("userAccountControl", "accountExpires"),
    ),
    "ldap": Kind(
        "entryUUID", "uid", "(objectClass=inetOrgPerson)",
        "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
        ("pwdAccountLockedTime", "nsAccountLock"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the directory. `entry_id` stays when they are renamed or moved."""

    entry_id: str
    login: str
    name: str
    dn: str
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class DirectoryGroup:
    """A group: who and which groups are in it, by compared names, and by login names (posixGroup)."""

    dn: str
    name: str
    members: frozenset[str]
    logins: frozenset[str]


ProblemKind = Literal[
    "no-id", "no-login", "same-id", "same-login", "name-taken", "last-admin", "group-unknown", "group-ambiguous"
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Somebody or something that was left as it is, and why."""

    kind: ProblemKind
    what: str


@dataclass(frozen=True)
class Snapshot:
    """The directory as it was read at one moment. `unclear` are ids of people who are there, but of no use as read."""

    people: Sequence[Person]
    groups: Sequence[DirectoryGroup]
    problems: Sequence[Problem] = ()
    unclear: frozenset[str] = frozenset()

    @cached_property
    def _people_by_dn(self) -> dict[str, Person]:
        return {same_form(person.dn): person for person in self.people}

    @cached_property
    def _people_by_login(self) -> dict[str, Person]:
        return {person.login.casefold(): person for person in self.people}

    @cached_property
    def _groups_by_dn(self) -> dict[str, DirectoryGroup]:
        return {same_form(group.dn): group for group in self.groups}

    def group(self, named: str) -> DirectoryGroup | ProblemKind:
        """Return the group of a DN or a name, or why there is none."""
        if "=" in named:
            return self._groups_by_dn.get(same_form(named), "group-unknown")
        found = [group for group in self.groups if group.name.casefold() == named.strip().casefold()]
        return found[0] if len(found) == 1 else "group-ambiguous" if found else "group-unknown"

    def members(self, group: DirectoryGroup) -> set[str]:
        """Return the ids of who is in a group, through others as well."""
        found: set[str] = set()
        seen, open_groups = {same_form(group.dn)}, [group]
        while open_groups:
            here = open_groups.pop()
            found |= {self._people_by_login[one].entry_id for one in here.logins if one in self._people_by_login}
            for member in here.members:
                if member in self._people_by_dn:
                    found.add(self._people_by_dn[member].entry_id)
                elif member in self._groups_by_dn and member not in seen:
                    seen.add(member)
                    open_groups.append(self._groups_by_dn[member])
        return found


@dataclass(frozen=True)
class DirectoryMapping:
    """How entries become people and groups, by the settings."""

    settings: DirectorySettings

    @property
    def kind(self) -> Kind:
        """Return what the directory's kind calls things."""
        return KINDS[self.settings.kind]

    @property
    def id_attribute(self) -> str:
        """Return what tells an entry from all others, for good."""
        return self.settings.id_attribute or self.kind.id_attribute

    @property
    def login_attribute(self) -> str:
        """Return what somebody types to log in."""
        return self.settings.login_attribute or self.kind.login_attribute

    @property
    def _binary_id(self) -> bool:
        return self.id_attribute.lower() == "objectguid"

    def people(self, narrower: str = "") -> Search:
        """Return the search for people; `narrower` is a further filter."""
        settings = self.settings
        wanted = settings.user_filter or self.kind.user_filter
        names = (settings.name_attribute, "displayName", "givenName", "sn", "cn")
        attributes = dict.fromkeys((self.id_attribute, self.login_attribute, *names, *self.kind.status))
        return Search(
            base=settings.base if settings.user_base is None else settings.user_base,
            filter=f"(&{wanted}{narrower})" if narrower else wanted,
            attributes=tuple(attributes),
            raw=(self.id_attribute,) if self._binary_id else (),
            page_size=settings.page_size,
            most=settings.most_entries,
        )

    def suspended(self) -> Search | None:
        """Return the search for people who count as suspended by the site's own filter."""
        if not self.settings.suspended_filter:
            return None
        found = self.people(self.settings.suspended_filter)
        return Search(found.base, found.filter, (self.id_attribute,), found.raw, found.page_size, found.most)

    def groups(self) -> Search | None:
        """Return the search for groups; none where no group decides anything."""
        settings = self.settings
        if not (settings.groups or settings.admin_groups or settings.allowed_groups):
            return None
        return Search(
            base=settings.base if settings.group_base is None else settings.group_base,
            filter=settings.group_filter or self.kind.group_filter,
            attributes=("cn", "member", "uniqueMember", "memberUid"),
            page_size=settings.page_size,
            most=settings.most_entries,
        )

    def one(self, entry_id: str) -> Search:
        """Return the search for one person who may come in, by the id of their entry."""
        value: Value = entry_id
        if self._binary_id:
            try:
                value = uuid.UUID(entry_id).bytes_le
            except ValueError:
                value = entry_id
        gone = f"(!{self.settings.suspended_filter})" if self.settings.suspended_filter else ""
        found = self.people(f"({self.id_attribute}={filter_value(value)}){gone}")
        return Search(found.base, found.filter, (self.id_attribute, *self.kind.status), found.raw, 2, 2)

    @staticmethod
    def is_shut(entry: Entry, now: datetime) -> bool:
        """Say whether an entry's owner is switched off: not every server refuses their password."""
        return _is_shut(entry.values, now)

    def snapshot(
        self, people: Iterable[Entry], suspended: Iterable[Entry], groups: Iterable[Entry], now: datetime
    ) -> Snapshot:
        """Return what was read as people and groups."""
        shut = {self._id(entry) for entry in suspended}
        read, problems, unclear = [], [], set()
        for entry in people:
            person = self._person(entry, now)
            if isinstance(person, Problem):
                problems.append(person)
                unclear.add(self._id(entry))
            elif person.entry_id in shut:
                read.append(Person(person.entry_id, person.login, person.name, person.dn, suspended=True))
            else:
                read.append(person)
        kept, doubled = _unique(read)
        unclear |= {person.entry_id for person in read} - {person.entry_id for person in kept}
        return Snapshot(kept, [_group(entry) for entry in groups], [*problems, *doubled], frozenset(unclear))

    def _person(self, entry: Entry, now: datetime) -> Person | Problem:
        entry_id, login = self._id(entry), text(entry.values, self.login_attribute)
        if not entry_id:
            return Problem("no-id", entry.dn)
        if not login or len(login) > LONGEST_NAME or any(unicodedata.category(char) == "Cc" for char in login):
            return Problem("no-login", entry.dn)
        return Person(entry_id, login, self._name(entry) or login, entry.dn, _is_shut(entry.values, now))

    def _id(self, entry: Entry) -> str:
        values = entry.values.get(self.id_attribute.lower(), [])
        if len(values) != 1:
            return ""
        value = values[0]
        if isinstance(value, bytes):
            return str(uuid.UUID(bytes_le=value)) if len(value) == 16 else ""
        value = value.strip() if isinstance(value, str) else ""
        return value.casefold() if 0 < len(value) <= LONGEST_ID else ""

    def _name(self, entry: Entry) -> str:
        given, family = text(entry.values, "givenName"), text(entry.values, "sn")
        name = text(entry.values, self.settings.name_attribute) or text(entry.values, "displayName")
        name = name or " ".join(part for part in (given, family) if part and given) or text(entry.values, "cn")
        return "".join(char for char in name if unicodedata.category(char) != "Cc")[:LONGEST_NAME]


def text(values: Mapping[str, Sequence[Value]], attribute: str) -> str:
    """Return the first value of an attribute that is text, without outer space; empty if there is none."""
    return next((one.strip() for one in values.get(attribute.lower(), ()) if isinstance(one, str)), "")


def _group(entry: Entry) -> DirectoryGroup:
    values = entry.values
    members = {same_form(one) for name in MEMBERS[:2] for one in values.get(name, ()) if isinstance(one, str)}
    logins = {one.strip().casefold() for one in values.get("memberuid", ()) if isinstance(one, str)}
    return DirectoryGroup(entry.dn, text(values, "cn"), frozenset(members), frozenset(logins))


def _is_shut(values: Mapping[str, Sequence[Value]], now: datetime) -> bool:
    """Say whether the directory has switched an account off, for good or since a day that has come.

    A lock after wrong guesses is none: a stranger could throw a doctor out with it.
    """
    control, expires = _number(values, "userAccountControl"), _number(values, "accountExpires")
    if control & DISABLED_BIT:
        return True
    if expires not in NEVER and expires > 0:
        try:
            if FILETIME_EPOCH + timedelta(microseconds=expires // 10) <= now:
                return True
        except OverflowError:
            pass
    locked = text(values, "pwdAccountLockedTime") == LOCKED_FOR_GOOD
    return locked or text(values, "nsAccountLock").casefold() == "true"


def _number(values: Mapping[str, Sequence[Value]], attribute: str) -> int:
    try:
        return int(text(values, attribute) or 0)
    except ValueError:
        return 0


def _unique(people: Sequence[Person]) -> tuple[list[Person], list[Problem]]:
    """Leave out people who share an id or a login name: which of them is meant cannot be known."""
    ids: dict[str, int] = {}
    logins: dict[str, int] = {}
    for person in people:
        ids[person.entry_id] = ids.get(person.entry_id, 0) + 1
        logins[fold_username(person.login)] = logins.get(fold_username(person.login), 0) + 1
    kept, problems = [], []
    for person in people:
        if ids[person.entry_id] > 1:
            problems.append(Problem("same-id", person.dn))
        elif logins[fold_username(person.login)] > 1:
            problems.append(Problem("same-login", person.dn))
        else:
            kept.append(person)
    return kept, problems
