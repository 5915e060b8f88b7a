"""What a run would do, of people and accounts made up here: who comes, changes, goes, and when it asks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from radrelay.identity.directory.mapping import DirectoryGroup, Person, Snapshot
from radrelay.identity.directory.planning import Known, Plan, Planner, Present
from radrelay.settings import DirectorySettings


def _person(login: str, entry_id: str = "", *, suspended: bool = False) -> Person:
    return Person(entry_id or f"id-{login}", login, login.title(), f"cn={login},dc=x", suspended)


def _known(login: str, entry_id: str | None = "", role: str = "user", **more: Any) -> Known:
    own = f"id-{login}" if entry_id == "" else entry_id
    return Known(uuid.uuid4(), login, login.title(), role, own, **more)


ROOT = _known("root", None, "admin")


def _plan(
    people: Sequence[Person], accounts: Sequence[Known], there: Sequence[DirectoryGroup] = (), *,
    ran: bool = True, members: dict[str, frozenset[str]] | None = None, adopt: Sequence[str] = (),
    unclear: frozenset[str] = frozenset(), **settings: Any,
) -> Plan:  # fmt: skip
    snapshot = Snapshot(people, there, unclear=unclear)
    given = DirectorySettings(urls=("ldaps://dc",), base="dc=x", **settings)
    return Planner(snapshot, Present([ROOT, *accounts], members or {}, ran), given, adopt).plan()


def _group(name: str, *logins: str) -> DirectoryGroup:
    return DirectoryGroup(f"cn={name},dc=x", name, frozenset(f"cn={login},dc=x" for login in logins), frozenset())


def _doubts(plan: Plan) -> list[str]:
    return [doubt.kind for doubt in plan.doubts]


def test_the_first_run_of_all_asks_and_says_whom_it_would_add() -> None:
    plan = _plan([_person("anna"), _person("gone", suspended=True)], [], ran=False)
    assert _doubts(plan) == ["first-run"]
    assert [one.person.login for one in plan.newcomers] == ["anna"], "whom the directory shut out gets no account"
    again = _plan([_person("anna"), _person("ben")], [], ran=False)
    assert again.digest != plan.digest, "others are confirmed than those that were shown"


def test_later_runs_go_on_by_themselves() -> None:
    plan = _plan([_person("anna"), _person("ben")], [_known("anna")])
    assert (plan.doubts, plan.digest) == ([], "")
    assert [one.person.login for one in plan.newcomers] == ["ben"]
    assert plan.changes == []


def test_a_name_that_is_an_own_accounts_is_not_handed_to_a_stranger() -> None:
    own = _known("anna", None, "admin")
    plan = _plan([_person("Anna")], [own])
    assert (plan.newcomers, [(one.kind, one.what) for one in plan.problems]) == ([], [("name-taken", "Anna")])
    adopted = _plan([_person("Anna")], [own], adopt=["ANNA"])
    assert (adopted.newcomers[0].adopted, adopted.newcomers[0].role) == (own.id, "admin")


def test_whoever_was_renamed_is_known_by_the_entry() -> None:
    plan = _plan([_person("anna.meier", "id-anna")], [_known("anna")])
    assert [(one.account.username, one.username) for one in plan.changes] == [("anna", "anna.meier")]
    taken = _plan([_person("root", "id-anna")], [_known("anna")])
    assert [problem.kind for problem in taken.problems] == ["name-taken"]
    assert [one.username for one in taken.changes] == [None], "the shown name alone is changed"


def test_somebody_new_under_an_old_name_is_not_taken_for_who_had_it() -> None:
    plan = _plan([_person("anna", "id-other"), _person("ben")], [_known("anna"), _known("ben")])
    assert [(one.account.username, one.reason) for one in plan.disabled] == [("anna", "removed")]
    assert plan.newcomers == []


def test_suspended_people_are_shut_out_and_let_in_again_but_not_whom_an_administrator_shut_out() -> None:
    accounts = [_known("anna"), _known("ben", disabled=True, by_directory=True), _known("cara", disabled=True)]
    accounts += [_known(f"other{number}") for number in range(9)]
    people = [_person("anna", suspended=True), _person("ben"), _person("cara")]
    people += [_person(f"other{number}") for number in range(9)]
    plan = _plan(people, accounts)
    assert [(one.account.username, one.enabled) for one in plan.changes] == [("anna", False), ("ben", True)]
    assert plan.doubts == []


def test_a_run_that_would_shut_out_many_asks() -> None:
    accounts = [_known(f"p{number}") for number in range(30)]
    people = [_person(f"p{number}") for number in range(30)]
    assert _doubts(_plan(people[3:], accounts)) == []
    many = _plan(people[4:], accounts)
    assert [(one.kind, one.count, one.of) for one in many.doubts] == [("many-disabled", 4, 30)]
    assert _doubts(_plan(people[4:], accounts, most_disabled_percent=50)) == []
    others = _plan([*people[:3], *people[7:]], accounts)
    assert others.digest not in ("", many.digest), "who is confirmed is who was shown"


def test_few_may_go_from_a_small_practice_but_not_all() -> None:
    accounts = [_known("anna"), _known("ben"), _known("cara")]
    assert _doubts(_plan([_person("anna")], accounts)) == []
    assert _doubts(_plan([_person("stranger")], accounts[:2])) == ["many-disabled"]


def test_who_is_there_but_unclear_is_not_taken_for_gone() -> None:
    plan = _plan([_person("ben")], [_known("anna"), _known("ben")], unclear=frozenset({"id-anna"}))
    assert plan.changes == []


def test_only_members_of_the_allowed_groups_come_in() -> None:
    groups = [_group("doctors", "anna", "cara")]
    people = [_person("anna"), _person("ben"), _person("cara")]
    plan = _plan(people, [_known("ben"), _known("cara")], groups, allowed_groups=("doctors",))
    assert [one.person.login for one in plan.newcomers] == ["anna"]
    assert [(one.account.username, one.reason) for one in plan.disabled] == [("ben", "not-allowed")]


def test_roles_follow_the_admin_groups_where_there_are_any() -> None:
    people = [_person("anna"), _person("ben"), _person("cara")]
    accounts = [_known("anna"), _known("ben", role="admin")]
    groups = [_group("admins", "anna", "cara")]
    plan = _plan(people, accounts, groups, admin_groups=("admins",))
    assert [(one.account.username, one.role) for one in plan.changes] == [("anna", "admin"), ("ben", "user")]
    assert [(one.person.login, one.role) for one in plan.newcomers] == [("cara", "admin")]
    assert _plan(people, accounts).changes == [], "without admin groups, roles are given here"


def test_the_last_administrator_is_neither_shut_out_nor_made_a_user() -> None:
    admin = _known("anna", role="admin")
    for people in ([_person("anna", suspended=True), _person("ben")], [_person("anna"), _person("ben")]):
        snapshot = Snapshot(people, [_group("admins")])
        settings = DirectorySettings(urls=("ldaps://dc",), base="dc=x", admin_groups=("admins",))
        plan = Planner(snapshot, Present([admin, _known("ben")], {}, True), settings).plan()
        assert plan.changes == []
        assert [problem.kind for problem in plan.problems] == ["last-admin"]


def test_groups_here_follow_those_of_the_directory_without_the_suspended() -> None:
    people = [_person("anna"), _person("ben"), _person("gone", suspended=True)]
    groups = [_group("CT", "anna", "gone"), _group("MR", "ben", "anna")]
    plan = _plan(people, [], groups, groups={"ct": "Radiology", "MR": "Radiology", "cn=mr,dc=x": "MR ward"})
    assert plan.groups == {"Radiology": {"id-anna", "id-ben"}, "MR ward": {"id-anna", "id-ben"}}


def test_a_group_that_is_emptied_shrunk_renamed_or_no_longer_named_asks() -> None:
    people = [_person(f"p{number}") for number in range(30)]
    accounts = [_known(person.login) for person in people]
    before = {"Ward": frozenset(person.entry_id for person in people)}
    named: dict[str, Any] = {"groups": {"ward": "Ward"}}
    assert _doubts(_plan(people, accounts, [_group("ward")], members=before, **named)) == ["group-emptied"]
    few = [_group("ward", *(person.login for person in people[:9]))]
    assert _doubts(_plan(people, accounts, few, members=before, **named)) == ["group-shrunk"]
    assert _doubts(_plan(people, accounts, [], members=before, **named)) == ["group-unknown", "group-emptied"]
    assert _doubts(_plan(people, accounts, few, members=before)) == ["group-emptied"]
    most = [_group("ward", *(person.login for person in people[:25]))]
    assert _doubts(_plan(people, accounts, most, members=before, **named)) == []
    assert _doubts(_plan(people, accounts, [_group("ward")], members={"Ward": frozenset({"id-p1"})}, **named)) == []
