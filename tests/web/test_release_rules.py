"""Release rules as administrators make them: tried first, counting for what arrives, ended with or without traces."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.archive import rule_facts
from radrelay.audit.models import AuditEvent
from tests.web.conftest import Login, WebSite
from tests.web.test_grants import made, own_id, root, studies_of
from tests.web.test_studies import CT, upload

__all__ = ["root"]
MR = "MR_small.dcm"


@pytest.fixture
def ward(site: WebSite, root: Login) -> dict[str, Any]:
    """A group with anna in it."""
    found = made(root, "groups", name="Ward 3")
    anna = own_id(site.login("anna"))
    root.http.put(f"/api/groups/{found['id']}/members/account/{anna}", headers=root.headers)
    return found


def catch_up(site: WebSite) -> None:
    more = True
    while more:
        with site.database.write() as session:
            more = rule_facts.catch_up(session, site.clock.now())


def preview(login: Login, **asked: str) -> Any:
    return login.http.post("/api/release-rules/preview", json=asked, headers=login.headers)


def test_a_rule_is_tried_then_counts_for_what_arrives_and_for_what_is_here_if_wanted(
    site: WebSite, root: Login, ward: dict[str, Any]
) -> None:
    anna = site.login("anna")
    tried = preview(root, modality="ct").json()
    assert (tried["looked_at"], tried["matched"], tried["studies"]) == (1, 1, []), "an administrator without a grant"
    made(root, "grants", grantee_kind="role", grantee_id="admin", target_kind="organisation", rights=["see"])
    assert [one["modalities"] for one in preview(root, modality="ct").json()["studies"]] == [["CT"]]
    assert preview(root, modality="MR").json()["matched"] == 0
    for asked, field in (({}, "conditions"), ({"description": "--"}, "description")):
        answer = preview(root, **asked)
        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
    rule = made(root, "release-rules", name="all CT", group_id=ward["id"], conditions={"modality": "CT, MR"})
    assert (rule["applying"], rule["releases"], studies_of(anna)) == (False, 0, 0)
    upload(site, root, MR)
    assert studies_of(anna) == 1
    body = {key: rule[key] for key in ("name", "group_id", "conditions", "may_download", "identity", "days", "enabled")}
    change = body | {"name": "CT and MR", "apply": True, "revision": 1}
    path = f"/api/release-rules/{rule['id']}"
    unsaid = root.http.put(path, json=change, headers=root.headers)
    assert (unsaid.status_code, unsaid.json()["code"]) == (409, "rule-has-releases")
    changed = root.http.put(path, json=change | {"releases": "keep"}, headers=root.headers)
    assert changed.json()["applying"], changed.text
    late = root.http.put(path, json=change | {"releases": "keep"}, headers=root.headers)
    assert (late.status_code, late.json()["code"]) == (409, "rule-changed")
    catch_up(site)
    assert studies_of(anna) == 2
    [listed] = root.http.get("/api/release-rules").json()["rules"]
    assert (listed["name"], listed["releases"], listed["applying"]) == ("CT and MR", 2, False)


def test_releases_of_a_rule_stand_in_the_study_are_taken_back_and_end_with_it(
    site: WebSite, root: Login, ward: dict[str, Any]
) -> None:
    anna = site.login("anna")
    made(root, "grants", grantee_kind="account", grantee_id=own_id(root), target_kind="organisation",
         rights=["see", "share", "download"])  # fmt: skip
    conditions = {"referring": "", "modality": "CT"}
    rule = made(root, "release-rules", name="all CT", group_id=ward["id"], conditions=conditions, apply=True, days=3)
    catch_up(site)
    [study] = anna.http.get("/api/studies").json()["studies"]
    where = f"/api/studies/{study['id']}/releases"
    [release] = root.http.get(where).json()["releases"]
    assert (release["origin"], release["rule"], release["to"]["name"]) == ("rule", "all CT", "Ward 3")
    assert root.http.delete(f"{where}/{release['id']}", headers=root.headers).status_code == 204
    assert studies_of(anna) == 0
    upload(site, root, CT)
    assert studies_of(anna) == 0, "the same again does not bring back what was taken back"
    upload(site, root, MR)
    also = made(root, "release-rules", name="MR", group_id=ward["id"], conditions={"modality": "MR"}, apply=True)
    catch_up(site)
    assert studies_of(anna) == 1
    for status in (409, 204):
        params = {} if status == 409 else {"releases": "end"}
        gone = root.http.delete(f"/api/release-rules/{also['id']}", params=params, headers=root.headers)
        assert gone.status_code == status, gone.text
    assert studies_of(anna) == 0
    assert root.http.delete(f"/api/release-rules/{rule['id']}", headers=root.headers).status_code == 204
    with site.database.read() as session:
        events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action.like("release%"))).all()
    told = [(one.action, json.loads(one.detail).get("by", "")) for one in events]
    assert told.count(("release.give", "rule")) == 2
    assert told.count(("release.end", "rule")) == 1
    assert {action for action, _ in told} >= {"release-rule.make", "release-rule.delete"}


def test_a_restricted_study_is_counted_in_a_preview_and_shown_to_nobody_by_a_rule(
    site: WebSite, root: Login, ward: dict[str, Any]
) -> None:
    anna = site.login("anna")
    with site.database.read() as session:
        uid = session.execute(sa.text("SELECT study_uid FROM study")).scalar_one()
    made(root, "restrictions", kind="study", value=uid)
    made(root, "release-rules", name="CT", group_id=ward["id"], conditions={"modality": "CT"}, apply=True)
    catch_up(site)
    tried = preview(root, modality="CT").json()
    assert (tried["matched"], tried["restricted"], tried["studies"]) == (1, 1, [])
    assert studies_of(anna) == 0
    gone = root.http.delete(f"/api/groups/{ward['id']}", params={"confirmed": True}, headers=root.headers)
    assert gone.status_code == 204, gone.text
    with site.database.read() as session:
        assert access.release_rules(session, site.organisation_id, site.clock.now()) == []
