"""Runs that make accounts and groups follow the directory: from the first preview to people who leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Principal, Right, Target
from radrelay.identity.directory import service
from radrelay.identity.directory.errors import DirectoryRunning
from radrelay.identity.models import Account, DirectoryRun
from tests.identity.directory.conftest import Build, House, Opener
from tests.proving import log_in
from tests.slapd import Branch
from tests.web.conftest import PASSWORD


def _people(branch: Branch, *logins: str) -> dict[str, str]:
    return {login: branch.person(login, displayName=login.title()) for login in logins}


def test_a_preview_changes_nothing_and_the_first_run_wants_it_confirmed(branch: Branch, build: Build) -> None:
    _people(branch, "anna", "ben")
    house = build(branch)
    preview = house.preview()
    assert (preview.state, preview.report["counts"]["added"]) == ("done", 2)
    assert set(house.accounts()) == {"root"}
    asked = house.sync()
    assert (asked.state, [one["kind"] for one in asked.report["doubts"]]) == ("asks", ["first-run"])
    assert house.sync("made-up").state == "asks"
    assert set(house.accounts()) == {"root"}
    done = house.sync(preview.digest)
    assert (done.state, done.report["counts"]["added"]) == ("done", 2)
    accounts = house.accounts()
    assert (accounts["anna"].full_name, accounts["anna"].role) == ("Anna", "user")
    assert len(house.actions("account.create")) == 2
    assert house.sync().state == "done", "later ones go on by themselves"


def test_a_confirmed_preview_is_of_the_people_that_it_showed(branch: Branch, build: Build) -> None:
    _people(branch, "anna")
    house = build(branch)
    preview = house.preview()
    _people(branch, "stranger")
    assert house.sync(preview.digest).state == "asks"
    assert set(house.accounts()) == {"root"}


def test_a_suspended_person_is_out_at_once_and_back_in_later(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben", "cara")
    house = build(branch)
    house.follow()
    anna = house.login("anna")
    branch.set(dns["anna"], pwdAccountLockedTime="000001010000Z")
    run = house.sync()
    assert run.report["disabled"] == [{"name": "anna", "reason": "suspended"}]
    assert anna.http.get("/api/session").status_code == 401
    assert house.enter("anna").json()["code"] == "login-refused"
    branch.set(dns["anna"], pwdAccountLockedTime=None)
    assert house.sync().report["enabled"] == [{"name": "anna"}]
    assert house.login("anna").csrf


def test_whom_an_administrator_shut_out_stays_out(branch: Branch, build: Build) -> None:
    _people(branch, "anna", "ben")
    house = build(branch)
    house.follow()
    root = house.site.login("root")
    anna = house.accounts()["anna"].id
    root.http.patch(f"/api/accounts/{anna}", json={"disabled": True}, headers=root.headers)
    assert house.sync().report["enabled"] == []
    assert house.accounts()["anna"].disabled_at is not None


def test_whoever_is_deleted_renamed_or_moved(branch: Branch, build: Build) -> None:
    branch.add("ou=other", ["organizationalUnit"], {})
    dns = _people(branch, "anna", "ben", "cara", "dora") | {"emil": branch.person("emil", below="ou=other")}
    house = build(branch)
    house.follow()
    before = house.accounts()
    branch.delete(dns["anna"])
    branch.rename(dns["ben"], f"uid=ben.meier,{branch.dn}")
    branch.rename(dns["emil"], f"uid=emil,{branch.dn}")
    run = house.sync()
    assert run.report["disabled"] == [{"name": "anna", "reason": "removed"}]
    after = house.accounts()
    assert after["ben.meier"].id == before["ben"].id
    assert after["emil"].id == before["emil"].id
    assert after["anna"].disabled_at is not None, "the account stays, for the record"
    assert house.login("ben.meier").csrf
    assert house.enter("ben").status_code == 401


def test_a_run_that_would_shut_out_many_asks_and_changes_nothing(branch: Branch, build: Build) -> None:
    dns = _people(branch, *(f"p{number}" for number in range(6)))
    house = build(branch)
    house.follow()
    for number in range(4):
        branch.delete(dns[f"p{number}"])
    run = house.sync()
    assert run.state == "asks"
    assert run.report["doubts"] == [{"kind": "many-disabled", "what": "", "count": 4, "of": 6}]
    assert all(account.disabled_at is None for account in house.accounts().values())
    assert house.sync(run.digest).state == "done"
    assert sum(account.disabled_at is not None for account in house.accounts().values()) == 4


def test_a_directory_that_is_gone_or_wrong_changes_nothing(branch: Branch, build: Build, opened: Opener) -> None:
    _people(branch, "anna", "ben")
    house = build(branch)
    house.follow()
    for more, code in (
        ({"urls": ["ldaps://127.0.0.1:1"]}, "directory-unavailable"),
        ({"base": f"ou=gone,{branch.dn}"}, "directory-unreadable"),
        ({"user_filter": "(uid=none)"}, "directory-unreadable"),
        ({"bind_password": "x"}, "directory-refuses-us"),
    ):
        broken = opened(more.pop("base", branch.dn), **more)
        run = replace(house.runs, directory=broken).at_once("sync", house.principal)
        assert (run.state, run.report["trouble"]["code"]) == ("failed", code)
    assert all(account.disabled_at is None for account in house.accounts().values())
    assert len([one for one in house.actions("directory.read") if one.outcome == "failure"]) == 4


def _members(house: House, name: str) -> dict[str, str]:
    with house.site.database.read() as session:
        groups = {group.name: group.id for group in access.groups(session, house.site.organisation_id)}
        found = access.members_of(session, house.site.organisation_id, groups[name])
    names = {str(account.id): account.username for account in house.accounts().values()}
    return {names[one.id]: one.origin for one in found}


def test_groups_here_follow_and_with_them_what_they_may_see(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben", "cara")
    inner = branch.group("inner", [dns["ben"]])
    ct = branch.group("ct", [dns["anna"], inner])
    house = build(branch, groups={"ct": "Radiology", f"cn=inner,{branch.dn}": "Inner"})
    house.follow()
    assert _members(house, "Radiology") == {"anna": "directory", "ben": "directory"}
    assert _members(house, "Inner") == {"ben": "directory"}
    site = house.site
    with site.database.write() as session:
        for grant in access.granted(session, site.organisation_id, grantee=Grantee("role", "user")):
            access.revoke(session, site.organisation_id, grant.id)
        group = next(one for one in access.groups(session, site.organisation_id) if one.name == "Radiology")
        access.grant(session, site.organisation_id, Grantee("group", str(group.id)), Target("organisation"),
                     [Right.SEE], now=site.clock.now())  # fmt: skip
        cara = str(house.accounts()["cara"].id)
        access.add_member(session, site.organisation_id, group.id, "account", cara)
    branch.set(ct, member=[inner])
    house.sync()
    assert _members(house, "Radiology") == {"ben": "directory", "cara": "hand"}, "who was put in by hand stays"
    with site.database.read() as session:
        seen = {
            name: not access.scope(
                session, Principal("account", str(account.id), name, site.organisation_id, role="user"), Right.SEE
            ).nothing
            for name, account in house.accounts().items()
        }
    assert (seen["anna"], seen["ben"], seen["cara"]) == (False, True, True)


def test_a_group_that_is_emptied_by_mistake_asks(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben", "cara")
    ct = branch.group("ct", list(dns.values()))
    house = build(branch, groups={"ct": "Radiology"})
    house.follow()
    branch.set(ct, member=[f"cn=reader,{branch.suffix}"])
    run = house.sync()
    assert (run.state, run.report["doubts"][0]["kind"]) == ("asks", "group-emptied")
    assert len(_members(house, "Radiology")) == 3
    assert house.sync(run.digest).state == "done"
    assert _members(house, "Radiology") == {}


def test_admin_groups_make_administrators_and_unmake_them(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben")
    admins = branch.group("admins", [dns["anna"]])
    house = build(branch, admin_groups=["admins"])
    house.follow()
    anna = house.login("anna")
    assert anna.http.get("/api/accounts").status_code == 200
    branch.set(admins, member=[dns["ben"]])
    house.sync()
    assert {name: one.role for name, one in house.accounts().items()} == {
        "root": "admin", "anna": "user", "ben": "admin",
    }  # fmt: skip
    assert anna.http.get("/api/accounts").status_code == 403, "at once, in the login that is open"


def test_an_own_account_becomes_the_directorys_only_when_it_is_named(branch: Branch, build: Build) -> None:
    _people(branch, "root", "anna")
    house = build(branch)
    house.site.account("anna")
    run = house.follow()
    assert {one["what"] for one in run.report["problems"]} == {"root", "anna"}
    assert log_in(house.site.client(), "anna", PASSWORD).status_code == 200, "nobody took it over"
    adopted = house.sync("", "Anna")
    assert [(one["name"], one["adopted"]) for one in adopted.report["added"]] == [("anna", True)]
    assert house.login("anna").csrf
    assert log_in(house.site.client(), "root", PASSWORD).status_code == 200


def test_a_new_name_ends_an_own_password_whose_proof_holds_the_old_one(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben")
    house = build(branch)
    house.follow()
    with house.site.database.write() as session:
        row = session.scalars(sa.select(Account).where(Account.username == "anna")).one()
        row.password_hash = house.site.identity.new_verifier("anna", PASSWORD)
    branch.rename(dns["anna"], f"uid=annika,{branch.dn}")
    house.sync()
    assert house.login("annika").csrf


def test_the_schedule_begins_after_the_first_confirmed_run(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben")
    house = build(branch, every_s=600)
    assert house.runs.tick(lambda: True) is None, "nobody has said yes to the first one"
    house.follow()
    assert house.runs.tick(lambda: True) is None, "not before its time"
    house.site.clock.advance(timedelta(seconds=601))
    branch.set(dns["anna"], displayName="Anna Meier")
    assert house.runs.tick(lambda: False) is None, "another process leads"
    run = house.runs.tick(lambda: True)
    assert run is not None
    assert (run.state, run.asked_by, house.accounts()["anna"].full_name) == ("done", "", "Anna Meier")
    assert house.runs.tick(lambda: True) is None
    house.site.clock.advance(timedelta(days=-1))
    assert house.runs.tick(lambda: True) is not None, "a clock that went back is no reason to wait"


def test_a_run_that_was_asked_for_waits_for_work_and_is_done_there(branch: Branch, build: Build) -> None:
    _people(branch, "anna")
    house = build(branch)
    root = house.site.login("root")
    asked = root.http.post("/api/directory/runs", json={"kind": "preview"}, headers=root.headers)
    assert (asked.status_code, asked.json()["state"], asked.json()["asked_by"]) == (202, "waiting", "root")
    again = root.http.post("/api/directory/runs", json={"kind": "preview"}, headers=root.headers)
    assert (again.status_code, again.json()["code"]) == (409, "directory-running")
    with pytest.raises(DirectoryRunning):
        house.preview()
    assert house.runs.tick(lambda: True) is not None
    run = root.http.get(f"/api/directory/runs/{asked.json()['id']}").json()
    assert (run["state"], run["report"]["counts"]["added"]) == ("done", 1)
    body = {"kind": "sync", "confirm": run["digest"]}
    root.http.post("/api/directory/runs", json=body, headers=root.headers)
    house.runs.tick(lambda: True)
    shown = root.http.get("/api/directory").json()
    assert (shown["followed"], [one["state"] for one in shown["runs"]]) == (True, ["done", "done"])
    assert "anna" in house.accounts()
    assert [one.actor_name for one in house.actions("directory.ask")] == ["root", "root"]


def test_a_run_whose_process_was_lost_is_given_up_and_cannot_end_later(branch: Branch, build: Build) -> None:
    _people(branch, "anna")
    house = build(branch)
    house.follow()
    site = house.site
    with site.database.write() as session:
        lost = service.ask(session, site.organisation_id, "sync", now=site.clock.now(), begin=True)
    assert house.runs.tick(lambda: True) is None, "it may still be reading"
    site.clock.advance(timedelta(seconds=361))
    house.runs.tick(lambda: True)
    with site.database.read() as session:
        given_up = service.run_of(session, site.organisation_id, lost.id)
    assert (given_up.state, given_up.report["trouble"]["code"]) == ("failed", "directory-run-lost")
    _people(branch, "late")
    late = house.runs.carry_out(lost, house.principal)
    assert (late.state, late.report["trouble"]["code"]) == ("failed", "directory-overtaken")
    assert "late" not in house.accounts()


def test_what_was_read_before_somebody_elses_run_is_thrown_away(branch: Branch, build: Build) -> None:
    dns = _people(branch, "anna", "ben")
    house = build(branch)
    house.follow()
    with house.site.database.write() as session:
        early = service.ask(session, house.site.organisation_id, "sync", now=house.site.clock.now(), begin=True)
        session.execute(sa.update(DirectoryRun).values(state="done").where(DirectoryRun.id == early.id))
    house.site.clock.advance(timedelta(seconds=1))
    branch.set(dns["anna"], pwdAccountLockedTime="000001010000Z")
    house.sync()
    with house.site.database.write() as session:
        session.execute(sa.update(DirectoryRun).values(state="running").where(DirectoryRun.id == early.id))
    branch.set(dns["anna"], pwdAccountLockedTime=None)
    assert house.runs.carry_out(early, house.principal).report["trouble"]["code"] == "directory-overtaken"
    assert house.accounts()["anna"].disabled_at is not None


def test_old_runs_are_forgotten_but_the_last_that_was_done(branch: Branch, build: Build) -> None:
    _people(branch, "anna")
    house = build(branch)
    house.follow()
    house.preview()
    house.site.clock.advance(timedelta(days=100))
    house.preview()
    with house.site.database.read() as session:
        left = service.runs(session, house.site.organisation_id)
        assert service.ran_before(session, house.site.organisation_id)
    assert left[0].kind == "preview"
    assert any(run.kind == "sync" and run.state == "done" for run in left)
