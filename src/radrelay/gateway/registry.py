"""What the relay knows of its sites: host names, DICOM ports, enrolment codes, certificates. No patient's data.

An SQLite file of the relay's own, written by the commands and read by the relay while it runs. A code is used up in the
transaction that records the certificate, so that it counts once whoever comes first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from radrelay.errors import Invalid
from radrelay.gateway.authority import Issued
from radrelay.gateway.errors import CodeRefused, NameTaken, NoSuchSite

SCHEMA = """
create table if not exists site (name text primary key, added_at text not null);
create table if not exists host (name text primary key, site text not null references site on delete cascade);
create table if not exists port (number integer primary key, site text not null references site on delete cascade);
create table if not exists code (digest blob primary key, site text not null references site on delete cascade,
    ends_at text not null);
create table if not exists certificate (serial text primary key, site text not null references site on delete cascade,
    issued_at text not null, ends_at text not null, revoked_at text);
"""
Write = Callable[[str, tuple[object, ...]], sqlite3.Cursor]
"""Runs a statement within a transaction."""

SITE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Site:
    """One installation that is reached through the relay."""

    name: str
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    certificates: tuple[tuple[str, datetime], ...]
    """Serial and end of those that count."""


@dataclass(frozen=True)
class Routes:
    """Where connections go, and which certificates are still taken."""

    hosts: dict[str, str]
    ports: dict[int, str]
    serials: frozenset[str]


class Registry:
    """The relay's file."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "sites.sqlite", isolation_level=None, check_same_thread=False)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma foreign_keys = on")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def version(self) -> int:
        """Return a number that is another once somebody else has written."""
        return int(self._connection.execute("pragma data_version").fetchone()[0])

    def routes(self) -> Routes:
        """Return where connections go."""
        ask = self._connection.execute
        return Routes(
            dict(ask("select name, site from host").fetchall()),
            dict(ask("select number, site from port").fetchall()),
            frozenset(serial for (serial,) in ask("select serial from certificate where revoked_at is null")),
        )

    def sites(self, now: datetime) -> Sequence[Site]:
        """Return all sites by name."""
        ask = self._connection.execute
        names = [name for (name,) in ask("select name from site order by name")]
        valid = "select serial, ends_at from certificate where site = ? and revoked_at is null and ends_at > ?"
        return [
            Site(
                name,
                tuple(h for (h,) in ask("select name from host where site = ? order by name", (name,))),
                tuple(p for (p,) in ask("select number from port where site = ? order by number", (name,))),
                tuple((s, datetime.fromisoformat(end)) for s, end in ask(valid, (name, _text(now)))),
            )
            for name in names
        ]

    def put_site(self, name: str, hosts: Sequence[str], ports: Sequence[int], now: datetime) -> None:
        """Add a site, or give it these host names and ports; raises `Invalid`, `NameTaken`."""
        hosts = [host.lower().rstrip(".") for host in hosts]
        if not SITE_NAME.fullmatch(name):
            raise Invalid(f"{name!r} is no name of a site: small letters, digits and hyphens, at most 40")
        for host in hosts:
            if not HOST_NAME.fullmatch(host):
                raise Invalid(f"{host!r} is no host name")
        if any(not 0 < port < 65536 for port in ports):
            raise Invalid("a port is a number between 1 and 65535")
        with self._writing() as write:
            write("insert into site values (?, ?) on conflict do nothing", (name, _text(now)))
            write("delete from host where site = ?", (name,))
            write("delete from port where site = ?", (name,))
            try:
                for host in hosts:
                    write("insert into host values (?, ?)", (host, name))
                for port in ports:
                    write("insert into port values (?, ?)", (port, name))
            except sqlite3.IntegrityError as error:
                raise NameTaken from error

    def remove_site(self, name: str) -> None:
        """Forget a site; its certificates count no more."""
        with self._writing() as write:
            if not write("delete from site where name = ?", (name,)).rowcount:
                raise NoSuchSite

    def add_code(self, site: str, digest: bytes, ends_at: datetime) -> None:
        """Keep a code that enrols a site once; it replaces the site's earlier ones."""
        with self._writing() as write:
            if write("select 1 from site where name = ?", (site,)).fetchone() is None:
                raise NoSuchSite
            write("delete from code where site = ?", (site,))
            write("insert into code values (?, ?, ?)", (digest, site, _text(ends_at)))

    def site_of_code(self, digest: bytes, now: datetime) -> str:
        """Return whose code this is; raises `CodeRefused`."""
        row = self._connection.execute("select site, ends_at from code where digest = ?", (digest,)).fetchone()
        if row is None or row[1] <= _text(now):
            raise CodeRefused
        return str(row[0])

    def enrol(self, digest: bytes, issued: Issued, now: datetime) -> None:
        """Use a code up and take a certificate in; raises `CodeRefused` if another was quicker."""
        with self._writing() as write:
            row = write("delete from code where digest = ? and ends_at > ? returning site", (digest, _text(now)))
            found = row.fetchone()
            if found is None:
                raise CodeRefused
            _put_certificate(write, found[0], issued, now)

    def renew(self, site: str, issued: Issued, now: datetime) -> None:
        """Take a further certificate in; those that have ended are forgotten."""
        with self._writing() as write:
            write("delete from certificate where ends_at < ?", (_text(now - timedelta(days=30)),))
            _put_certificate(write, site, issued, now)

    def revoke(self, site: str, now: datetime) -> int:
        """Revoke all certificates and codes of a site; returns how many certificates counted."""
        with self._writing() as write:
            if write("select 1 from site where name = ?", (site,)).fetchone() is None:
                raise NoSuchSite
            write("delete from code where site = ?", (site,))
            where = "site = ? and revoked_at is null"
            return write(f"update certificate set revoked_at = ? where {where}", (_text(now), site)).rowcount  # noqa: S608 -- a constant

    @contextmanager
    def _writing(self) -> Iterator[Write]:
        self._connection.execute("begin immediate")
        try:
            yield self._connection.execute
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")


def _put_certificate(write: Write, site: str, issued: Issued, now: datetime) -> None:
    write(
        "insert into certificate values (?, ?, ?, ?, null)", (issued.serial, site, _text(now), _text(issued.not_after))
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
