"""Every address, every service of DICOM, links and exports, asked for what is here by those who may not have it.

`test_every_route` asks for what does not exist; here a study, its series, pictures, letter, marks, delivery, parcel,
display and links are there, and found by who has every right. Nobody else gets them: neither a stranger, nor a member
of a group whose grant lacks the right, nor one whose grants have ended, nor somebody who is suspended.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access, audit
from radrelay.access import Grantee, Right, Target
from radrelay.access.models import Grant
from radrelay.app.core import Core
from radrelay.app.query import ArchiveQuery
from radrelay.archive.models import Instance
from radrelay.errors import Forbidden
from radrelay.network.ports import (
    CommitmentPort,
    Key,
    Peer,
    PerformedStepPort,
    Query,
    QueryPort,
    Reference,
    ReportPort,
    Services,
    StepSaid,
    WorklistPort,
)
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_every_route import (
    BODIES,
    OPEN,
    ORGANISATION_WIDE,
    OWN,
    PARAMETERS,
    PROJECT,
    SCOPED,
    Operation,
    operations,
    rest,
)
from tests.web.test_studies import CT, file_bytes, of_another_person, only_study, upload_bytes

NEEDS: dict[Operation, frozenset[Right]] = {  # beyond the right to see, which the rest of SCOPED asks for
    operation: frozenset(rights)
    for rights, found in (
        ((Right.SHARE, Right.SEE), {
            *(one for one in SCOPED if "/releases" in one[1]), ("POST", "/api/links"),
        }),
        ((Right.SHARE,), {one for one in SCOPED if one[1].startswith("/api/links/") or "/restrictions" in one[1]}),
        ((Right.DELETE,), {
            ("DELETE", "/api/studies/{study_id}"), ("POST", "/api/studies/{study_id}/hold"),
            ("DELETE", "/api/studies/{study_id}/hold"), ("GET", "/api/studies/{study_id}/rules"),
        }),
        ((Right.DOWNLOAD,), {
            ("GET", "/api/studies/{study_id}/archive.zip"), ("GET", "/api/series/{series_id}/archive.zip"),
            ("GET", "/api/instances/{instance_id}/file"), ("GET", "/api/instances/{instance_id}/film/file"),
            ("POST", "/api/studies/{study_id}/exports"), ("GET", "/api/attachments/{attachment_id}/file"),
            *(one for one in SCOPED if one[1].endswith(".dcm")), ("GET", "/api/studies/{study_id}/handouts"),
        }),
        ((Right.ANNOTATE,), {
            ("POST", "/api/attachments/{attachment_id}/dicom"), ("PUT", "/api/studies/{study_id}/marks/{mark_id}"),
            ("DELETE", "/api/studies/{study_id}/marks/{mark_id}"), ("POST", "/api/studies/{study_id}/marks/file"),
            *(one for one in SCOPED if one[0] == "POST" and "/analys" in one[1]),
        }),
        ((Right.ADMIT,), {one for one in SCOPED if one[1].startswith("/api/waiting")}),
        ((Right.REIDENTIFY,), {one for one in SCOPED if one[1].startswith("/api/pseudonyms/")}),
        ((Right.FORWARD,), {
            *(one for one in SCOPED if one[1].startswith("/api/deliveries")),
            ("GET", "/api/studies/{study_id}/reports"),
        }),
        ((), {one for one in SCOPED if one[1].startswith(("/api/parcels", "/api/displays"))}),  # of their owner alone
    )
    for operation in found
}  # fmt: skip
NOTHING = str(uuid.uuid4())
LAST = ("DELETE", "POST", "PUT", "GET")  # what deletes is asked first: of who may not, nothing is gone afterwards


@dataclass
class Scene:
    """A site, who asks there, and the ids of what is there."""

    site: WebSite
    root: Login
    study_uid: str
    ids: dict[str, str] = field(default_factory=dict)
    people: dict[str, Login] = field(default_factory=dict)

    def ask(self, login: Login, operation: Operation) -> Any:
        method, path = operation
        address = re.sub(
            r"\{([a-z_:]+)\}", lambda found: self.ids.get(found[1], NOTHING if found[1].endswith("_id") else "1"), path
        )
        body = BODIES.get(operation) and {**BODIES[operation], **self._named(operation)}
        return login.http.request(
            method, address, json=body, params=PARAMETERS.get(path, {}) | self._params(path), headers=login.headers
        )

    def _named(self, operation: Operation) -> dict[str, object]:
        study, instance = self.ids["study_id"], self.ids["instance_id"]
        named: dict[Operation, dict[str, object]] = {
            ("POST", "/api/studies/{study_id}/exports"): {"instance_ids": [instance]},
            ("PUT", "/api/studies/{study_id}/marks/{mark_id}"): {"instance_id": instance},
            ("POST", "/api/links"): {"studies": [study]},
            ("POST", "/api/waiting/release"): {"ids": [self.ids.get("awaiting_id", NOTHING)]},
            ("POST", "/api/waiting/reject"): {"ids": [self.ids.get("awaiting_id", NOTHING)]},
            ("POST", "/api/pseudonyms/lookups"): {"patient_id": "1CT1"},
            ("POST", "/api/deliveries"): {"study_id": study, "destination_id": self.ids["destination_id"]},
            ("POST", "/api/studies/{study_id}/releases"): {"id": self.ids["group_id"]},
        }
        return named.get(operation, {})

    def _params(self, path: str) -> dict[str, str]:
        if path.endswith("presentation.dcm"):
            return {"series": self.ids["series_id"]}
        return {"study": self.study_uid} if path == "/api/view" else {}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    site = open_site(tmp_path_factory.mktemp("rights"))
    site.account("root", "admin")
    root = site.login("root")
    letter = b"%PDF-1.4 a letter"
    parcel = upload_bytes(site, root, {"ct.dcm": file_bytes(CT), "letter.pdf": letter})
    with site.database.write() as session:  # after this a role sees nothing by itself
        session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role", Grant.grantee_id == "user"))
    made = Scene(site, root, _uid(site), {"parcel_id": parcel})
    _furnish(made)
    _pseudonymise(made)
    _keep_waiting(made)
    _invite(made)
    yield made
    close_site(site)


def _uid(site: WebSite) -> str:
    with site.database.read() as session:
        return str(session.execute(sa.text("SELECT study_uid FROM study")).scalar_one())


def _furnish(scene: Scene) -> None:
    """Have somebody with every right make one of each thing that can be made of a study."""
    http, headers, ids = scene.root.http, scene.root.headers, scene.ids
    study = ids["study_id"] = str(only_study(scene.root)["id"])
    with scene.site.database.write() as session:
        group = access.create_group(session, scene.site.organisation_id, "Nobody's ward", now=scene.site.clock.now())
    ids["group_id"] = str(group.id)
    shown = http.get(f"/api/studies/{study}").json()
    ids["series_id"] = shown["series"][0]["id"]
    ids["attachment_id"] = shown["attachments"][0]["id"]
    ids["instance_id"] = http.get(f"/api/series/{ids['series_id']}").json()["instances"][0]["id"]
    ids["mark_id"], ids["check_id"] = str(uuid.uuid4()), str(uuid.uuid4())
    pacs = {"name": "PACS", "ae_title": "PACS", "host": "localhost", "port": 104}
    ids["destination_id"] = http.post("/api/destinations", json=pacs, headers=headers).json()["id"]
    http.put("/api/analyses/perfusion", json={"enabled": True, "called_ae_titles": []}, headers=headers)
    for name, operation in (
        ("analysis_run_id", ("POST", "/api/studies/{study_id}/analyses")),
        ("delivery_id", ("POST", "/api/deliveries")),
        ("release_id", ("POST", "/api/studies/{study_id}/releases")),
        ("link_id", ("POST", "/api/links")),
        ("display_id", ("POST", "/api/displays")),
        ("mark_id", ("PUT", "/api/studies/{study_id}/marks/{mark_id}")),
    ):
        answer = scene.ask(scene.root, operation)
        assert answer.status_code in (200, 201, 202), (operation, answer.text)
        found = answer.json()
        ids[name] = found.get("id") or found["link"]["id"]


def _pseudonymise(scene: Scene) -> None:
    """Hand the study out under an alias."""
    http, headers, ids = scene.root.http, scene.root.headers, scene.ids
    ids["project_id"] = http.post("/api/pseudonyms/projects", json=PROJECT, headers=headers).json()["id"]
    wanted = {"project": ids["project_id"]}
    assert http.get(f"/api/studies/{ids['study_id']}/archive.zip", params=wanted).status_code == 200
    ids["alias_id"] = http.get("/api/pseudonyms/aliases").json()["aliases"][0]["id"]


def _keep_waiting(scene: Scene) -> None:
    """Have something come that a person is to release by hand."""
    site, http = scene.site, scene.root.http
    source = site.services.sources.resolve("import")
    body = {"release_by_hand": "*"}
    assert http.patch(f"/api/sources/{source.id}", json=body, headers=scene.root.headers).status_code == 200
    site.landing.land_file(source.origin(peer="127.0.0.1"), "other.dcm", [of_another_person()])
    site.index()
    [waits] = http.get("/api/waiting").json()["waiting"]
    scene.ids["awaiting_id"] = waits["id"]


def _invite(scene: Scene) -> None:
    """Let people come: without a grant, by a group that lacks one right or another, for a time that is over."""
    site, target = scene.site, Target("study", uuid.UUID(scene.ids["study_id"]))
    now, organisation = site.clock.now(), site.organisation_id
    lacking = {f"lacks-{right}": set(Right) - {right} for right in Right}
    accounts = {name: site.account(name) for name in ("stranger", "expired", "suspended", *lacking)}
    with site.database.write() as session:
        over = now + timedelta(minutes=1)
        access.grant(session, organisation, Grantee("account", str(accounts["expired"])), target, Right, now=now,
                     ends_at=over)  # fmt: skip
        access.grant(session, organisation, Grantee("account", str(accounts["suspended"])), target, Right, now=now)
        for name, rights in lacking.items():
            ward = access.create_group(session, organisation, name, now=now)
            access.add_member(session, organisation, ward.id, "account", str(accounts[name]))
            access.grant(session, organisation, Grantee("group", str(ward.id)), target, rights, now=now)
    scene.people = {name: site.login(name, "203.0.113.1") for name in accounts}
    for name in ("expired", "suspended"):
        assert scene.people[name].http.get(f"/api/studies/{scene.ids['study_id']}").status_code == 200
    answer = scene.root.http.patch(
        f"/api/accounts/{accounts['suspended']}", json={"disabled": True}, headers=scene.root.headers
    )
    assert answer.status_code == 200, answer.text
    site.clock.advance(over - site.clock.now())


def in_order(found: set[Operation]) -> list[Operation]:
    return sorted(found, key=lambda one: (LAST.index(one[0]) if one[0] in LAST else len(LAST), one[1]))


def test_what_is_asked_for_is_there(scene: Scene) -> None:
    """Or the rest of this module would say nothing."""
    for operation in in_order({one for one in SCOPED if one[0] == "GET"}):
        answer = scene.ask(scene.root, operation)
        kind = "waveform" in operation[1] or "/pages" in operation[1] or "video" in operation[1]
        if answer.status_code == 404:
            assert answer.json()["code"] != "study-not-found", operation
            assert kind or answer.json()["code"] not in ("series-not-found", "instance-not-found"), operation


@pytest.mark.parametrize("who", ["stranger", "expired"])
def test_who_has_no_grant_or_none_any_more_finds_nothing_of_what_is_there(scene: Scene, who: str) -> None:
    for operation in in_order(SCOPED):
        answer = scene.ask(scene.people[who], operation)
        if "/api/displays" in operation[1]:
            assert answer.status_code in (403, 404), operation  # it is of another workstation
            continue
        assert answer.status_code == 404, (operation, answer.status_code, answer.text[:200])
    for operation in in_order(ORGANISATION_WIDE):
        assert scene.ask(scene.people[who], operation).status_code == 403, operation
    listed = scene.people[who].http.get("/api/studies").json()
    assert (listed["studies"], listed["total"]) == ([], 0)


@pytest.mark.parametrize("right", list(Right))
def test_a_member_of_a_group_without_the_right_finds_nothing_of_what_needs_it(scene: Scene, right: Right) -> None:
    member = scene.people[f"lacks-{right}"]
    for operation in in_order(SCOPED):
        if right in NEEDS.get(operation, {Right.SEE}):
            answer = scene.ask(member, operation)
            assert answer.status_code == 404, (right, operation, answer.status_code, answer.text[:200])


def test_who_is_suspended_is_out_of_every_address_at_once(scene: Scene) -> None:
    for operation in in_order(operations(scene.site) - OPEN):
        assert scene.ask(scene.people["suspended"], operation).status_code == 401, operation


def test_dicomweb_hands_out_nothing_to_who_may_not_see(scene: Scene) -> None:
    with scene.site.database.read() as session:
        row = session.execute(sa.text("SELECT s.series_uid, i.sop_uid FROM series s, instance i")).one()
    uids = {"study": scene.study_uid, "series": row[0], "instance": row[1], "study_uid": scene.study_uid,
            "series_uid": row[0], "sop_uid": row[1], "instance_uid": row[1], "numbers": "1", "frames": "1"}  # fmt: skip
    found = 0
    for operation in in_order(operations(scene.site) - rest(scene.site)):
        if operation[0] != "GET":
            continue
        path = re.sub(r"\{([a-z_]+)\}", lambda one: uids.get(one[1], "1"), operation[1])
        found += scene.root.http.get(path).status_code == 200
        for who in ("stranger", "expired"):
            answer = scene.people[who].http.get(path)
            empty = answer.status_code == 204 or (answer.status_code == 200 and answer.content == b"[]")
            assert empty or answer.status_code in (404, 406), (who, path, answer.status_code)
            assert answer.status_code == 404 or scene.study_uid.encode() not in answer.content, (who, path)
    assert found > 10, "these addresses lead to something"


def test_nothing_of_the_study_is_on_the_pages_of_who_may_not_see(scene: Scene) -> None:
    """Whatever an address answers to somebody with a login: neither the study's UID, its id, nor its patient."""
    told = (scene.study_uid, scene.ids["study_id"], "1CT1", "CompressedSamples", scene.ids["series_id"],
            scene.ids["awaiting_id"], "Fremd")  # fmt: skip
    for operation in in_order({one for one in rest(scene.site) - SCOPED - OPEN if one[0] == "GET"}):
        if operation == ("GET", "/api/events"):
            continue  # it never ends; it names lists alone, no study
        for who in ("stranger", "expired"):
            answer = scene.people[who].http.get(
                re.sub(r"\{([a-z_]+)\}", lambda found: scene.ids.get(found[1], "hanging"), operation[1]),
                params=PARAMETERS.get(operation[1]),
            )
            assert not [one for one in told if one in answer.text], (who, operation)
    assert {("GET", "/api/events")} <= OWN


# --- DICOM ---------------------------------------------------------------------------------------------------------

SERVICES = {
    "storage", "admission", "query", "commitments", "worklist", "performed_steps", "reports", "retrieve_ae"
}  # fmt: skip
QUERIES = {"find", "retrieve", "require_retrieval", "move_destination", "committed"}
LEVELS = {
    "patient": ("PATIENT", "STUDY", "SERIES", "IMAGE"),
    "study": ("STUDY", "SERIES", "IMAGE"),
}
UNIQUE = {"PATIENT": (0x00100020, "LO"), "STUDY": (0x0020000D, "UI"), "SERIES": (0x0020000E, "UI"),
          "IMAGE": (0x00080018, "UI")}  # fmt: skip


@pytest.fixture(scope="module")
def port(scene: Scene) -> ArchiveQuery:
    """The port with devices that have no grant, one that lacks a right, one whose grant has ended, and one with all."""
    site, organisation, now = scene.site, scene.site.organisation_id, scene.site.clock.now()
    target = Target("study", uuid.UUID(scene.ids["study_id"]))
    over = now + timedelta(seconds=1)
    with site.database.write() as session:
        session.execute(sa.delete(Grant).where(Grant.grantee_kind == "ae"))
        for title, rights, ends_at in (
            ("ALL", set(Right), None),
            ("SEES", {Right.SEE}, None),
            ("FETCHES", set(Right) - {Right.SEE}, None),
            ("EXPIRED", set(Right), over),
        ):
            access.grant(session, organisation, Grantee("ae", title), target, rights, now=now, ends_at=ends_at)
    site.clock.advance(over - site.clock.now())
    audit.install(site.database, "listen", site.clock, site.services.metadata_key)
    parts: Any = site.parts
    core = Core(settings=parts.settings, clock=parts.clock, node="", keyring=parts.keyring, keys=parts.keys,
                database=parts.database, packs=parts.packs, segments=parts.segments)  # fmt: skip
    return ArchiveQuery(core, organisation)


def peer(title: str) -> Peer:
    return Peer("127.0.0.1", 11112, title, "RADRELAY", None, "0" * 32)


def _let_through(port: ArchiveQuery, caller: Peer) -> list[object]:
    port.require_retrieval(caller)
    return ["let through"]


def found_by(port: ArchiveQuery, title: str, scene: Scene) -> dict[str, int]:
    """Return how much each service hands a device: C-FIND at each level, C-MOVE and C-GET, storage commitment."""
    with scene.site.database.read() as session:
        of: Any = session.execute(sa.select(Instance.sop_uid, Instance.sop_class_uid)).one()

    def tried(ask: Any) -> int:
        try:
            return len(list(ask()))
        except Forbidden:
            return 0

    def goes_on() -> list[str]:
        port.require_retrieval(peer(title))
        return [title]

    answers = {
        f"{model} {level}": tried(
            lambda model=model, level=level: port.find(
                peer(title), Query(model, level, (Key(*UNIQUE[level], "", ()),), True)
            )
        )
        for model, levels in LEVELS.items()
        for level in levels
    }
    uid = Query("study", "STUDY", (Key(0x0020000D, "UI", scene.study_uid, ()),), False)
    answers["retrieve"] = tried(lambda: port.retrieve(peer(title), uid))
    answers["require_retrieval"] = tried(goes_on)
    answers["committed"] = tried(lambda: port.committed(peer(title), [Reference(of.sop_class_uid, of.sop_uid)]))
    return answers


def test_no_service_of_dicom_is_new_to_this_test() -> None:
    """A new one is to be asked below by devices that may not."""
    assert set(Services.__dataclass_fields__) == SERVICES
    assert {name for name in vars(QueryPort) if not name.startswith("_")} == QUERIES
    assert {name for name in vars(CommitmentPort) if not name.startswith("_")} == {"remember", "reported", "unreported"}
    assert {name for name in vars(WorklistPort) if not name.startswith("_")} == {"items"}
    assert {name for name in vars(PerformedStepPort) if not name.startswith("_")} == {"create", "change"}
    # who reports a commitment knows its number, which its destination alone was told (`tests/routing/test_committing`)
    assert {name for name in vars(ReportPort) if not name.startswith("_")} == {"report"}


def test_worklist_is_for_who_was_granted_it_for_the_whole_organisation(scene: Scene, port: ArchiveQuery) -> None:
    for title in ("STRANGER", "EXPIRED", "SEES", "ALL"):  # ALL has the right, but to one study alone
        with pytest.raises(Forbidden):
            list(port.items(peer(title), ()))
        for take in (port.create, port.change):
            with pytest.raises(Forbidden):
                take(peer(title), "1.2.3", StepSaid((), b"", ""))
    with scene.site.database.write() as session:
        organisation, now = scene.site.organisation_id, scene.site.clock.now()
        grantee = Grantee("ae", "MODALITY")
        access.grant(session, organisation, grantee, Target("organisation"), [Right.WORKLIST], now=now)
    assert list(port.items(peer("MODALITY"), ())) == []


def test_devices_get_what_they_were_granted_and_nothing_else(scene: Scene, port: ArchiveQuery) -> None:
    assert set(found_by(port, "ALL", scene).values()) == {1}
    for title in ("STRANGER", "EXPIRED"):
        assert set(found_by(port, title, scene).values()) == {0}, title
    sees, fetches = found_by(port, "SEES", scene), found_by(port, "FETCHES", scene)
    assert (sees["retrieve"], fetches["retrieve"]) == (0, 1)
    assert {name: count for name, count in fetches.items() if count} == {"retrieve": 1, "require_retrieval": 1}


def test_who_only_says_a_title_gets_nothing_and_is_on_record(scene: Scene, port: ArchiveQuery) -> None:
    site, organisation = scene.site, scene.site.organisation_id
    uid = Query("study", "STUDY", (Key(0x0020000D, "UI", scene.study_uid, ()),), False)

    def gets(host: str, subject: str | None = None, fingerprint: str | None = None) -> int:
        who = Peer(host, 11112, "ALL", "RADRELAY", subject, uuid.uuid4().hex, "", fingerprint)
        try:
            return len(list(port.find(who, uid))) + len(port.retrieve(who, uid))
        except Forbidden:
            return 0

    def bind(**to: Any) -> None:
        answer = scene.root.http.put("/api/devices/ALL", json=to, headers=scene.root.headers)
        assert answer.status_code == 200, answer.text

    assert (gets("127.0.0.1"), gets("192.0.2.7")) == (2, 0), "a title that nothing proves: from this machine alone"
    bind(addresses=["192.0.2.0/28", "2001:db8::7"])
    tried = ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7", "192.0.2.77", "127.0.0.1", "nonsense")
    assert [gets(host) for host in tried] == [2, 2, 2, 0, 0, 0]
    bind(subject="workstation-1", fingerprint="AB:" * 31 + "CD")
    proof = "ab" * 31 + "cd"
    assert gets("203.0.113.9", "workstation-1", proof) == 2
    assert [gets("203.0.113.9", *one) for one in (("workstation-1", None), ("other", proof), (None, None))] == [0, 0, 0]
    with site.database.read() as session:
        events = session.execute(sa.text("SELECT action FROM audit_event WHERE action LIKE 'device.%'")).scalars().all()
    assert sorted(set(events)) == ["device.bind", "device.impostor", "device.unbound"]
    for wrong in ({}, {"addresses": ["here"]}, {"fingerprint": "12"}):
        answer = scene.root.http.put("/api/devices/ALL", json=wrong, headers=scene.root.headers)
        assert answer.status_code == 400, wrong
    assert len(scene.root.http.get("/api/devices").json()["devices"]) == 1
    assert scene.root.http.delete("/api/devices/ALL", headers=scene.root.headers).status_code == 204
    with site.database.read() as session:
        assert access.devices(session, organisation) == []


# --- links ---------------------------------------------------------------------------------------------------------


def test_what_somebody_shared_is_shut_when_they_lose_the_right_or_are_suspended(scene: Scene) -> None:
    site, organisation, target = (
        scene.site,
        scene.site.organisation_id,
        Target("study", uuid.UUID(scene.ids["study_id"])),
    )
    for name in ("loses", "leaves"):
        account = site.account(name)
        with site.database.write() as session:
            access.grant(session, organisation, Grantee("account", str(account)), target, Right,
                         now=site.clock.now(), ends_at=site.clock.now() + timedelta(minutes=1))  # fmt: skip
        maker = site.login(name)
        wanted = {"studies": [scene.ids["study_id"]], "ends_at": (site.clock.now() + timedelta(days=1)).isoformat(),
                  "may_download": True}  # fmt: skip
        made = maker.http.post("/api/links", json=wanted, headers=maker.headers)
        token = made.json()["address"].partition("#")[2]
        visitor = Login(site.client("203.0.113.1"))
        assert visitor.http.post("/api/shared", json={"token": token}).status_code == 200
        visitor.csrf = visitor.http.get("/api/session").json()["csrf_token"]
        inside = [one for one in SCOPED if one[0] == "GET" and "{study_id}" in one[1]]
        assert scene.ask(visitor, ("GET", "/api/studies/{study_id}")).status_code == 200
        if name == "loses":
            site.clock.advance(timedelta(minutes=1))
        else:
            scene.root.http.patch(f"/api/accounts/{account}", json={"disabled": True}, headers=scene.root.headers)
        for operation in [*inside, ("POST", "/api/studies/{study_id}/exports")]:
            assert scene.ask(visitor, operation).status_code in (401, 403, 404), (name, operation)
        again = Login(site.client("203.0.113.2"))
        assert again.http.post("/api/shared", json={"token": token}).status_code == 401, name
