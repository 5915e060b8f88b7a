"""Rules as administrators make them: tried without effect, in order, switched, and told of with each study."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from radrelay.archive import indexing
from radrelay.routing.rules.models import EVALUATE
from radrelay.routing.rules.work import RuleWork, note_complete
from radrelay.storage import outbox
from tests.web.conftest import Login, WebSite
from tests.web.test_corrections import sent, settled
from tests.web.test_grants import made, root
from tests.web.test_studies import only_study

__all__ = ["root"]
CT = {"field": "Modality", "test": "is", "values": ["CT"]}
DETECTOR = {"field": "GantryDetectorTilt", "test": "at-most", "values": ["100"]}


@pytest.fixture
def sees_all(root: Login) -> Login:
    made(root, "grants", grantee_kind="role", grantee_id="admin", target_kind="organisation",
         rights=["see", "delete", "download"])  # fmt: skip
    return root


def complete(site: WebSite) -> int:
    """Let the quiet time pass, and rules look as the role `work` has them do."""
    services = site.services
    site.clock.advance(timedelta(seconds=60))
    with site.database.write() as session:
        note_complete(session, indexing.complete_quiet(session, site.clock.now()), site.clock.now())
    return look(site, RuleWork(site.database, site.clock, services.reader, services.rule_kinds))


def look(site: WebSite, work: RuleWork) -> int:
    with site.database.write() as session:
        events = outbox.open_events(session, [EVALUATE])
        outbox.mark_taken(session, [event.id for event in events], site.clock.now())
    for event in events:
        work.attempt(event)
    return len(events)


def put(login: Login, path: str, body: dict[str, Any]) -> Any:
    return login.http.put(f"/api/routing-rules/{path}", json=body, headers=login.headers)


def test_a_rule_is_tried_made_and_tells_what_it_did_with_a_study(site: WebSite, sees_all: Login) -> None:
    root = sees_all
    actions = [{"kind": "coerce", "values": {"accession_number": "X-{patient_id}"}}, {"kind": "hold", "days": 3}]
    wanted = {"name": "Theirs", "when": [CT, DETECTOR], "actions": actions}
    tried = root.http.post("/api/routing-rules/try", json=wanted, headers=root.headers).json()
    assert (tried["looked_at"], tried["met"]) == (0, 0), "nothing is complete yet"
    complete(site)
    tried = root.http.post("/api/routing-rules/try", json=wanted, headers=root.headers).json()
    [study] = tried["studies"]
    assert [(one["field"], one["held"]) for one in study["why"]] == [("Modality", True), ("GantryDetectorTilt", True)]
    assert study["effects"][0]["differences"] == [{"name": "accession_number", "before": "", "after": "X-1CT1"}]
    rule = made(root, "routing-rules", **wanted)
    study_id = only_study(root)["id"]
    assert root.http.get(f"/api/studies/{study_id}/rules").json() == {"rules": []}, "a trial does nothing"
    again = root.http.post(f"/api/studies/{study_id}/rules", headers=root.headers)
    assert again.status_code == 202, again.text
    services = site.services
    assert look(site, RuleWork(site.database, site.clock, services.reader, services.rule_kinds)) == 1
    [met] = root.http.get(f"/api/studies/{study_id}/rules").json()["rules"]
    assert (met["rule_id"], met["revision"], met["why"][0]["seen"]) == (rule["id"], 1, ["CT"])
    assert [(one["kind"], one["state"]) for one in met["effects"]] == [("coerce", "done"), ("hold", "done")]
    assert settled(site) == 1
    [item] = sent(root, study_id).OriginalAttributesSequence
    assert (item.ReasonForTheAttributeModification, item.ModifyingSystem) == ("COERCE", "Radrelay, rule Theirs")
    [listed] = root.http.get("/api/routing-rules").json()["rules"]
    assert (listed["met"], listed["failed"]) == (1, 0)
    actions = [one["action"] for one in root.http.get("/api/audit").json()["events"]]
    assert {"routing-rule.make", "routing-rule.try", "study.correct", "study.hold", "study.rules"} <= set(actions)


def test_what_a_rule_shows_stands_among_a_studys_releases_as_given_by_it(site: WebSite, sees_all: Login) -> None:
    root = sees_all
    made(root, "grants", grantee_kind="role", grantee_id="admin", target_kind="organisation", rights=["share"])
    ward = made(root, "groups", name="Ward 3")
    made(root, "routing-rules", name="To the ward", actions=[{"kind": "show", "group_id": ward["id"], "days": 2}])
    complete(site)
    releases = root.http.get(f"/api/studies/{only_study(root)['id']}/releases").json()["releases"]
    assert [(one["to"]["name"], one["origin"], one["rule"]) for one in releases] == [("Ward 3", "rule", "To the ward")]


def test_rules_are_put_in_order_changed_switched_and_deleted_with_all_they_were_kept(
    site: WebSite, root: Login
) -> None:
    hold = [{"kind": "hold"}]
    first, second = (made(root, "routing-rules", name=name, actions=hold) for name in ("First", "Second"))
    ordered = put(root, "order", {"ids": [second["id"], first["id"]]}).json()["rules"]
    assert [one["name"] for one in ordered] == ["Second", "First"]
    stale = put(root, "order", {"ids": [second["id"]]})
    assert (stale.status_code, stale.json()["code"]) == (409, "rule-order-stale")
    change = {"name": "The first", "actions": hold, "when": [CT], "revision": 1}
    changed = put(root, first["id"], change).json()
    assert (changed["revision"], changed["changed_by"]) == (2, "root")
    assert put(root, first["id"], change).json()["code"] == "routing-rule-changed"
    assert put(root, f"{first['id']}/enabled", {"enabled": False}).json()["enabled"] is False
    wrong = put(root, first["id"], change | {"revision": 3, "when": [CT | {"field": "Nonsense"}]})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["field"]) == (400, "rule-invalid", "field")
    root.http.delete(f"/api/routing-rules/{first['id']}", headers=root.headers)
    kept = root.http.get(f"/api/routing-rules/{first['id']}/revisions").json()["revisions"]
    assert [(one["revision"], one["deleted"], one["rule"]["name"]) for one in kept] == [
        (4, True, "The first"), (3, False, "The first"), (2, False, "The first"), (1, False, "First")
    ]  # fmt: skip
    kinds = root.http.get("/api/routing-rules/kinds").json()
    names = [one["name"] for one in kinds["kinds"]]
    all_kinds = ["show", "retain", "hold", "coerce", "forward", "notify", "report", "analyse"]
    assert names == all_kinds == list(site.services.rule_kinds)
