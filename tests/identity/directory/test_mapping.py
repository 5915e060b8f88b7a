"""Entries as people and groups: what each kind of directory says of somebody, and what is rubbish."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from radrelay.identity.directory.ldap import Entry
from radrelay.identity.directory.mapping import FILETIME_EPOCH, DirectoryGroup, DirectoryMapping, Snapshot
from radrelay.settings import DirectorySettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _mapping(kind: str = "active-directory", **more: Any) -> DirectoryMapping:
    return DirectoryMapping(DirectorySettings(urls=("ldaps://dc",), base="dc=x", kind=kind, **more))


def _entry(login: str = "anna", guid: bytes | None = None, **more: Any) -> Entry:
    values: dict[str, list[Any]] = {"samaccountname": [login], "objectguid": [guid or uuid.uuid4().bytes_le]}
    return Entry(f"cn={login},dc=x", values | {name.lower(): held for name, held in more.items()})


def _read(*entries: Entry) -> Snapshot:
    return _mapping().snapshot(entries, (), (), NOW)


def _ticks(at: datetime) -> str:
    return str(int((at - FILETIME_EPOCH) / timedelta(microseconds=1)) * 10)


@pytest.mark.parametrize(
    ("values", "suspended"),
    [
        ({"userAccountControl": ["512"]}, False),
        ({"userAccountControl": ["514"]}, True),
        ({"userAccountControl": ["66050"]}, True),
        ({"userAccountControl": ["-2147483646"]}, True),
        ({"userAccountControl": ["rubbish"]}, False),
        ({"accountExpires": ["0"]}, False),
        ({"accountExpires": ["9223372036854775807"]}, False),
        ({"accountExpires": [_ticks(NOW - timedelta(hours=1))]}, True),
        ({"accountExpires": [_ticks(NOW + timedelta(hours=1))]}, False),
        ({"accountExpires": ["9" * 30]}, False),
        ({"pwdAccountLockedTime": ["000001010000Z"]}, True),
        ({"pwdAccountLockedTime": ["20260301110000Z"]}, False),  # after wrong guesses: a stranger can cause that
        ({"nsAccountLock": ["TRUE"]}, True),
    ],
)
def test_who_is_switched_off_in_the_directory(values: dict[str, Any], suspended: bool) -> None:
    assert _read(_entry(**values)).people[0].suspended is suspended


def test_a_guid_is_read_in_microsofts_order() -> None:
    guid = uuid.UUID("d08c7006-7dd1-1041-9295-dbfb075b12f9")
    assert _read(_entry(guid=guid.bytes_le)).people[0].entry_id == str(guid)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"displayName": ["Dr. Anna Müller"], "cn": ["x"]}, "Dr. Anna Müller"),
        ({"givenName": ["Иван"], "sn": ["Иванов"], "cn": ["ivan"]}, "Иван Иванов"),
        ({"sn": ["Müller"], "cn": ["Anna M"]}, "Anna M"),
        ({"displayName": ["田中 太郎"]}, "田中 太郎"),
        ({"displayName": ["a\x00b\r\nc"]}, "abc"),
        ({"displayName": [b"\xff\xfe"], "cn": ["anna m"]}, "anna m"),
        ({"displayName": ["x" * 5000]}, "x" * 200),
        ({}, "anna"),
    ],
)
def test_the_name_that_is_shown(values: dict[str, Any], name: str) -> None:
    assert _read(_entry(**values)).people[0].name == name


def test_rubbish_is_left_out_by_name_and_the_others_are_read() -> None:
    snapshot = _read(
        _entry("anna"),
        _entry("nobody", objectGUID=[]),
        _entry("short", guid=b"\x01"),
        _entry("", displayName=["no login"]),
        _entry("l" * 300),
        _entry("with\ttab"),
        _entry("twice", objectGUID=[b"0" * 16, b"1" * 16]),
        Entry("not a dn", {"samaccountname": [b"\xff"], "objectguid": [uuid.uuid4().bytes_le]}),
    )
    assert [person.login for person in snapshot.people] == ["anna"]
    assert sorted(problem.kind for problem in snapshot.problems) == ["no-id"] * 3 + ["no-login"] * 4


def test_who_shares_a_login_or_an_id_is_not_taken_and_not_taken_for_gone() -> None:
    same = uuid.uuid4()
    snapshot = _read(_entry("Anna"), _entry("ANNA"), _entry("b", guid=same.bytes_le), _entry("c", guid=same.bytes_le))
    assert snapshot.people == []
    assert len(snapshot.unclear) == 3
    assert sorted(problem.kind for problem in snapshot.problems) == ["same-id"] * 2 + ["same-login"] * 2


def _group(name: str, *members: str, **more: Any) -> Entry:
    return Entry(f"cn={name},dc=x", {"cn": [name], "member": list(members)} | more)


def _with_groups(*groups: Entry) -> Snapshot:
    return _mapping().snapshot([_entry("anna"), _entry("ben"), _entry('o"neil, tim')], (), groups, NOW)


def _logins(snapshot: Snapshot, name: str) -> set[str]:
    group = snapshot.group(name)
    assert isinstance(group, DirectoryGroup)
    by_id = {person.entry_id: person.login for person in snapshot.people}
    return {by_id[entry] for entry in snapshot.members(group)}


def test_groups_in_groups_count_and_a_ring_of_them_ends() -> None:
    snapshot = _with_groups(
        _group("a", "cn=anna,dc=x", "CN=B,DC=x"), _group("b", "cn=c,dc=x"), _group("c", "cn=ben,dc=x", "cn=a,dc=x")
    )
    assert [_logins(snapshot, name) for name in "abc"] == [{"anna", "ben"}] * 3


def test_members_are_found_by_login_as_well() -> None:
    snapshot = _with_groups(_group("posix", memberuid=["ANNA", "nobody"]))
    assert _logins(snapshot, "posix") == {"anna"}


def test_a_group_is_named_by_its_name_or_its_place() -> None:
    snapshot = _with_groups(_group("a"), Entry("cn=A,ou=other,dc=x", {"cn": ["A"]}))
    assert snapshot.group("a") == "group-ambiguous"
    assert isinstance(snapshot.group("CN=a, DC=x"), DirectoryGroup)
    assert snapshot.group("none") == snapshot.group("cn=none,dc=x") == "group-unknown"


def test_a_login_asks_for_nobody_but_the_entry() -> None:
    guid = uuid.UUID("d08c7006-7dd1-1041-9295-dbfb075b12f9")
    search = _mapping(suspended_filter="(employeeStatus=left)").one(str(guid))
    assert search.filter == (
        r"(&(sAMAccountType=805306368)(objectGUID=\06p\8c\d0\d1\7dA\10\92\95\db\fb\07\5b\12\f9)"
        "(!(employeeStatus=left)))"
    )
    assert _mapping("ldap").one("*)(uid=*").filter.endswith(r"(entryUUID=\2a\29\28uid\3d\2a))")
