"""The directory as the rest of identity uses it: read whole, or asked whether a password is right."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from radrelay.clock import Clock
from radrelay.errors import Trouble
from radrelay.identity.directory.errors import BonsaiMissing, DirectoryUnavailable, DirectoryUnreadable
from radrelay.identity.directory.ldap import Question, Search
from radrelay.identity.directory.mapping import DirectoryMapping, Snapshot
from radrelay.identity.directory.names import domains_of, value_in_dn, without_domain
from radrelay.identity.directory.processes import DirectoryProcesses
from radrelay.settings import DirectorySettings

NO_ENTRY = "-"  # no entry has this id
NOTHING = "(&(objectClass=*)(!(objectClass=*)))"


@dataclass(frozen=True, slots=True)
class ServerState:
    """One of the directory's servers: what stands against it, nothing if it can be read."""

    url: str
    trouble: Trouble | None


class Directory:
    """One site's directory. `open_directory` makes it where one is set."""

    def __init__(self, settings: DirectorySettings, clock: Clock) -> None:
        self.settings = settings
        self.processes = DirectoryProcesses(settings)
        self._clock = clock
        self._mapping = DirectoryMapping(settings)

    def require_ready(self) -> None:
        """Raise `BonsaiMissing`, or `Misconfigured` for files that are not there, before somebody needs them."""
        if importlib.util.find_spec("bonsai") is None:
            raise BonsaiMissing
        self.processes.target()

    def read(self) -> tuple[Snapshot, str]:
        """Return all people and groups, and which server gave them.

        Raises `DirectoryUnavailable` or one of its kinds; `DirectoryUnreadable` where nobody is found, too: more likely
        than a site without people is a reading account without rights.
        """
        wanted: list[Search] = [self._mapping.people()]
        suspended, groups = self._mapping.suspended(), self._mapping.groups()
        wanted += [search for search in (suspended, groups) if search is not None]
        question = Question("look", self.processes.target(), tuple(wanted))
        answer = self.processes.ask(question, self.settings.read_timeout_s)
        if len(answer.found) != len(wanted):
            raise DirectoryUnreadable
        found = list(answer.found)
        snapshot = self._mapping.snapshot(
            found[0],
            found[1] if suspended is not None else (),
            found[-1] if groups is not None else (),
            self._clock.now(),
        )
        if not snapshot.people:
            raise DirectoryUnreadable(
                f"Nobody was found below {wanted[0].base!r} by {wanted[0].filter}; nothing was changed."
            )
        return snapshot, answer.server

    def reach(self) -> Sequence[ServerState]:
        """Ask each server whether it is there, its certificate holds, and the bases can be read; reads nobody."""
        settings, target = self.settings, self.processes.target()
        bases = (settings.user_base, settings.group_base)
        searches = tuple(
            Search(base, NOTHING, ("1.1",)) for base in dict.fromkeys(base or settings.base for base in bases)
        )
        states = []
        for url in target.urls:
            question = Question("look", msgspec.structs.replace(target, urls=(url,)), searches)
            try:
                self.processes.ask(question, self.longest_login_s)
            except DirectoryUnavailable as error:
                states.append(ServerState(url, Trouble.of(error)))
            else:
                states.append(ServerState(url, None))
        return states

    def plain_name(self, typed: str) -> str | None:
        r"""Return the login name in DOMAIN\name or name@domain, of this directory's domains alone; None for others."""
        if self.settings.kind != "active-directory":
            return None
        return without_domain(typed, domains_of(self.settings.base) | {one.casefold() for one in self.settings.domains})

    def try_password(self, entry_id: str | None, password: str) -> Literal["right", "wrong", "expired"]:
        """Say whether a password is that of an entry whose owner may come in; none (nobody) is asked for alike.

        Raises `DirectoryUnavailable` or one of its kinds.
        """
        search = self._mapping.one(entry_id or f"{NO_ENTRY}{secrets.token_hex(15)}")
        try:
            password.encode()
        except UnicodeEncodeError:
            password = ""  # half of a character; no bind is made with it
        stand_in = f"cn={value_in_dn(secrets.token_hex(8))},{search.base}"
        target = self.processes.target()
        answer = self.processes.ask(Question("login", target, (search,), password, stand_in), self.longest_login_s)
        if not answer.outcome or (answer.outcome == "right" and [len(found) for found in answer.found] != [1]):
            raise DirectoryUnreadable
        if answer.outcome == "right" and self._mapping.is_shut(answer.found[0][0], self._clock.now()):
            return "wrong"
        return answer.outcome

    @property
    def longest_login_s(self) -> float:
        """Return how long a login may take: it is two connections."""
        return 2 * self.settings.timeout_s


def open_directory(settings: DirectorySettings, clock: Clock) -> Directory | None:
    """Return the directory, none if none is set."""
    return Directory(settings, clock) if settings.urls else None
