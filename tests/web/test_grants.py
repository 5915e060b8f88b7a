"""Groups and grants as an administrator gives them, and what they change for those they are for."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.access.models import Grant
from radrelay.archive.models import Holding
from radrelay.audit.models import AuditEvent
from radrelay.web.live import signatures
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, upload


@pytest.fixture
def root(site: WebSite) -> Login:
    """An administrator of an installation with a study, in which nobody sees anything by role."""
    login = site.login("root")
    upload(site, login, CT)
    with site.database.write() as session:
        session.execute(sa.delete(Grant))
    return login


def made(login: Login, path: str, **body: object) -> dict[str, Any]:
    answer = login.http.post(f"/api/{path}", json=body, headers=login.headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def own_id(login: Login) -> str:
    return str(login.http.get("/api/session").json()["account"]["id"])


def studies_of(login: Login) -> int:
    return len(login.http.get("/api/studies").json()["studies"])


def test_a_ward_sees_what_its_source_brings_from_the_grant_until_its_end(site: WebSite, root: Login) -> None:
    anna = site.login("anna")
    assert (studies_of(anna), studies_of(root)) == (0, 0), "an administrator does not see studies by being one"
    ward = made(root, "groups", name="Ward 3")
    put = root.http.put(f"/api/groups/{ward['id']}/members/account/{own_id(anna)}", headers=root.headers)
    assert put.status_code == 204
    [source] = [one for one in root.http.get("/api/sources").json()["sources"] if one["id"] == source_of(site)]
    ends = (site.clock.now() + timedelta(hours=2)).isoformat()
    given = made(
        root, "grants", grantee_kind="group", grantee_id=ward["id"], target_kind="source", target_id=source["id"],
        rights=["see"], ends_at=ends,
    )  # fmt: skip
    assert (studies_of(anna), studies_of(root)) == (1, 0)
    site.clock.advance(timedelta(hours=2))
    assert studies_of(anna) == 0
    assert [one["id"] for one in root.http.get("/api/grants").json()["grants"]] == [given["id"]]
    with site.database.read() as session:
        actions = set(session.scalars(sa.select(AuditEvent.action)))
    assert {"group.create", "group.join", "grant.give"} <= actions


def test_a_revoked_token_is_in_no_group_any_more(site: WebSite, root: Login) -> None:
    ward = made(root, "groups", name="Ward 3")
    token = made(root, "tokens", name="a machine")["token"]["id"]
    member = f"/api/groups/{ward['id']}/members/token/{token}"
    assert root.http.put(member, headers=root.headers).status_code == 204
    assert [one["members"] for one in root.http.get("/api/groups").json()["groups"]] == [1]
    for _ in range(2):
        assert root.http.delete(f"/api/tokens/{token}", headers=root.headers).status_code == 204
        assert [one["members"] for one in root.http.get("/api/groups").json()["groups"]] == [0]
        assert root.http.get(f"/api/groups/{ward['id']}/members").json()["members"] == []


def test_who_leaves_a_group_or_whose_grant_is_taken_back_sees_nothing_more_at_once(site: WebSite, root: Login) -> None:
    anna, ward = site.login("anna"), made(root, "groups", name="Ward 3")
    member = f"/api/groups/{ward['id']}/members/account/{own_id(anna)}"
    given = made(
        root, "grants", grantee_kind="group", grantee_id=ward["id"], target_kind="organisation", rights=["see"]
    )
    for undo, path in (("group", member), ("grant", f"/api/grants/{given['id']}?confirmed=true")):
        root.http.put(member, headers=root.headers)
        assert studies_of(anna) == 1, undo
        assert root.http.delete(path, headers=root.headers).status_code == 204
        assert studies_of(anna) == 0, undo


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"grantee_kind": "account", "grantee_id": str(uuid.uuid4())}, 404),
        ({"grantee_kind": "group", "grantee_id": "*"}, 404),
        ({"grantee_kind": "role", "grantee_id": "king"}, 404),
        ({"grantee_kind": "ae", "grantee_id": "A" * 17}, 404),
        ({"target_kind": "study"}, 400),
        ({"target_kind": "study", "target_id": str(uuid.uuid4())}, 404),
        ({"target_kind": "source", "target_id": str(uuid.uuid4())}, 404),
        ({"target_id": str(uuid.uuid4())}, 400),
        ({"rights": []}, 422),
        ({"rights": ["rule"]}, 422),
        ({"ends_at": "2020-01-01T00:00:00Z"}, 400),
        ({"ends_at": "2030-01-01T00:00:00"}, 422),
    ],
)
def test_a_grant_to_nobody_or_on_nothing_is_refused(root: Login, change: dict[str, object], status: int) -> None:
    wanted = {"grantee_kind": "role", "grantee_id": "user", "target_kind": "organisation", "rights": ["see"]}
    answer = root.http.post("/api/grants", json={**wanted, **change}, headers=root.headers)
    assert answer.status_code == status, answer.text
    assert root.http.get("/api/grants").json()["grants"] == []


def test_nobody_but_an_administrator_gives_or_takes(site: WebSite, root: Login) -> None:
    ward, anna = made(root, "groups", name="Ward 3"), site.login("anna")
    for method, path in (("GET", "groups"), ("GET", "grants"), ("DELETE", f"groups/{ward['id']}")):
        assert anna.http.request(method, f"/api/{path}", headers=anna.headers).status_code == 403


def source_of(site: WebSite) -> str:
    with site.database.read() as session:
        return str(session.execute(sa.select(Holding.source_id)).scalar_one())


def test_open_lists_hear_when_a_grant_is_given_changed_taken_or_over(site: WebSite, root: Login) -> None:
    def heard() -> str:
        with site.database.read() as session:
            return signatures(session, site.organisation_id, site.clock.now())["studies"]

    def ends_in(hours: int) -> str:
        return (site.clock.now() + timedelta(hours=hours)).isoformat()

    told = [heard()]
    body = {"grantee_kind": "account", "grantee_id": own_id(site.login("anna")), "target_kind": "organisation"}
    one = made(root, "grants", **body, rights=["see"], ends_at=ends_in(2))
    told.append(heard())
    change = {"rights": ["see", "share"], "identity": "clear", "ends_at": ends_in(2), "revision": one["revision"]}
    assert root.http.patch(f"/api/grants/{one['id']}", json=change, headers=root.headers).status_code == 200
    told.append(heard())
    site.clock.advance(timedelta(hours=1))
    assert heard() == told[-1], "nothing has happened"
    site.clock.advance(timedelta(hours=1))
    told.append(heard())
    two = made(root, "grants", **body, rights=["see"])
    told.append(heard())
    path = f"/api/grants/{two['id']}"
    assert root.http.delete(path, params={"confirmed": True}, headers=root.headers).status_code == 204
    told.append(heard())
    assert len(set(told)) == len(told)
