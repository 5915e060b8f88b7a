"""Releasing a study by hand: who may share it gives what they have themselves, for as long as they have it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.archive.models import Study
from radrelay.audit.models import AuditEvent
from tests.web.conftest import Login, WebSite
from tests.web.test_grants import made, own_id, root, studies_of

__all__ = ["root"]
ALL = (Right.SEE, Right.DOWNLOAD, Right.SHARE)


@pytest.fixture
def study(site: WebSite, root: Login) -> str:
    with site.database.read() as session:
        return str(session.execute(sa.select(Study.id)).scalar_one())


def ben_of(site: WebSite) -> Login:
    site.account("ben")
    return site.login("ben")


def give(site: WebSite, login: Login, *rights: Right, **more: Any) -> None:
    organisation = site.app.state.services.organisation_id
    with site.database.write() as session:
        to = Grantee("account", own_id(login))
        access.grant(session, organisation, to, Target("organisation"), rights, now=site.clock.now(), **more)


def releasing(login: Login, study: str, to: Login, **more: object) -> Any:
    body = {"kind": "account", "id": own_id(to), **more}
    return login.http.post(f"/api/studies/{study}/releases", json=body, headers=login.headers)


def listed(login: Login, study: str) -> dict[str, Any]:
    found: dict[str, Any] = login.http.get(f"/api/studies/{study}/releases").json()
    return found


def test_a_study_is_released_and_taken_back_and_both_are_on_record(site: WebSite, study: str) -> None:
    anna, ben = site.login("anna"), ben_of(site)
    give(site, anna, *ALL)
    assert studies_of(ben) == 0
    first, second = releasing(anna, study, ben), releasing(anna, study, ben)
    assert (first.status_code, second.json()["id"]) == (201, first.json()["id"]), "a second click is no second release"
    assert studies_of(ben) == 1
    assert ben.http.get(f"/api/studies/{study}/archive.zip").status_code == 404
    assert ben.http.get(f"/api/studies/{study}/releases").status_code == 404, "who only sees it may not share it"
    [release] = listed(anna, study)["releases"]
    assert anna.http.delete(f"/api/studies/{study}/releases/{release['id']}", headers=anna.headers).status_code == 204
    assert studies_of(ben) == 0
    gone = anna.http.delete(f"/api/studies/{study}/releases/{release['id']}", headers=anna.headers)
    assert gone.status_code == 404
    with site.database.read() as session:
        events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action.like("release.%"))).all()
        assert sorted(one.action for one in events) == ["release.end", "release.give", "release.list"]
        assert all(str(one.subject_id) == study for one in events)


def test_nobody_gives_more_than_they_have_nor_for_longer(site: WebSite, study: str) -> None:
    anna, ben = site.login("anna"), ben_of(site)
    ends = site.clock.now() + timedelta(hours=2)
    give(site, anna, Right.SEE, Right.SHARE, ends_at=ends)
    own = listed(anna, study)
    assert (own["may_download"], datetime.fromisoformat(own["latest_end"])) == (False, ends)
    refused: list[dict[str, object]] = [
        {"may_download": True, "ends_at": ends.isoformat()}, {}, {"ends_at": (ends + timedelta(minutes=1)).isoformat()},
    ]  # fmt: skip
    for more in refused:
        answer = releasing(anna, study, ben, **more)
        assert (answer.status_code, answer.json()["code"]) == (403, "beyond-own"), more
    past = releasing(anna, study, ben, ends_at=site.clock.now().isoformat())
    assert (past.status_code, past.json()["code"]) == (400, "end-past")
    assert releasing(anna, study, ben, ends_at=ends.isoformat()).status_code == 201
    assert studies_of(ben) == 1
    site.clock.advance(timedelta(hours=2))
    assert studies_of(ben) == 0


def test_who_sees_by_alias_releases_by_alias(site: WebSite, study: str) -> None:
    anna, ben = site.login("anna"), ben_of(site)
    give(site, anna, *ALL, identity="alias")
    assert releasing(anna, study, ben).json()["identity"] == "alias"
    [row] = ben.http.get("/api/studies").json()["studies"]
    assert row["patient"]["name"].startswith("Patient ")


def test_a_group_deleted_meanwhile_is_said_and_what_administrators_gave_stays(
    site: WebSite, root: Login, study: str
) -> None:
    anna = site.login("anna")
    give(site, anna, *ALL)
    ward = made(root, "groups", name="病棟 3")
    made(root, "grants", grantee_kind="group", grantee_id=ward["id"], target_kind="study", target_id=study,
         rights=["see", "delete"])  # fmt: skip
    found = anna.http.get(f"/api/studies/{study}/releases/receivers", params={"text": "病棟"}).json()["receivers"]
    assert found == [{"kind": "group", "id": ward["id"], "name": "病棟 3"}]
    assert listed(anna, study)["releases"] == []
    root.http.delete(f"/api/groups/{ward['id']}", headers=root.headers)
    body = {"kind": "group", "id": ward["id"]}
    answer = anna.http.post(f"/api/studies/{study}/releases", json=body, headers=anna.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "grantee-gone")


def test_of_two_who_change_one_grant_the_later_is_told(site: WebSite, root: Login) -> None:
    given = made(root, "grants", grantee_kind="role", grantee_id="user", target_kind="organisation", rights=["see"])
    path, first = f"/api/grants/{given['id']}", {"revision": 1, "rights": ["see", "download"]}
    assert root.http.patch(path, json=first, headers=root.headers).json()["revision"] == 2
    late = root.http.patch(path, json={"revision": 1, "rights": ["see", "share"]}, headers=root.headers)
    ended = root.http.delete(path, params={"revision": 1}, headers=root.headers)
    for answer in (late, ended):
        assert (answer.status_code, answer.json()["code"]) == (409, "grant-changed")
    [grant] = root.http.get("/api/grants").json()["grants"]
    assert grant["rights"] == ["download", "see"]


def test_the_last_grant_that_lets_people_see_ends_only_when_confirmed(site: WebSite, root: Login) -> None:
    anna = site.login("anna")
    ward = made(root, "groups", name="Ward 3")
    root.http.put(f"/api/groups/{ward['id']}/members/account/{own_id(anna)}", headers=root.headers)
    given = made(root, "grants", grantee_kind="group", grantee_id=ward["id"], target_kind="organisation",
                 rights=["see", "download"])  # fmt: skip
    change = {"revision": 1, "rights": ["download"]}
    for method, path, body in (
        ("DELETE", f"grants/{given['id']}", None),
        ("PATCH", f"grants/{given['id']}", change),
        ("DELETE", f"groups/{ward['id']}", None),
    ):
        answer = root.http.request(method, f"/api/{path}", json=body, headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "last-sight"), path
        assert studies_of(anna) == 1
    assert root.http.delete(f"/api/grants/{given['id']}?confirmed=true", headers=root.headers).status_code == 204
    assert studies_of(anna) == 0


def test_by_what_each_account_sees_is_told(site: WebSite, root: Login) -> None:
    anna, ben = site.login("anna"), ben_of(site)
    ward = made(root, "groups", name="Ward 3")
    root.http.put(f"/api/groups/{ward['id']}/members/account/{own_id(anna)}", headers=root.headers)
    made(root, "grants", grantee_kind="group", grantee_id=ward["id"], target_kind="organisation", rights=["see"])
    people = {one["account_id"]: one["sees_by"] for one in root.http.get("/api/people/sight").json()["people"]}
    assert people[own_id(anna)] == [{"kind": "group", "id": ward["id"], "name": "Ward 3", "whole": True}]
    assert people[own_id(ben)] == []
