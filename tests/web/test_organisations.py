"""Two organisations on one installation, with the same patients, the same studies and groups of the same name.

Neither finds anything of the other: not in a list, not by an id in any address or body, not by DICOM, a link, a token
or the record. What is asked for by an id of the other is answered like what was never there.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import UID

from radrelay import access, audit
from radrelay.access import Grantee, Right, Target
from radrelay.access.models import Grant
from radrelay.app import query as query_port
from radrelay.app.core import Core
from radrelay.app.listen import QueryOnDemand, Reception
from radrelay.app.mail import Mailing
from radrelay.errors import Forbidden
from radrelay.hl7 import Outgoing, Seal
from radrelay.hl7 import parse as hl7_message
from radrelay.identity import organisations
from radrelay.intake.doors import TitleAmbiguous
from radrelay.intake.errors import SourceUnknown
from radrelay.intake.sources import SourceSpec, add_source, ensure_organisation_defaults
from radrelay.network.ports import Key, Peer, Query, Reference
from radrelay.storage.columns import Base, Id
from radrelay.web.live import signatures
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.elsewhere import Elsewhere
from tests.web.test_every_right import Scene, _furnish, _pseudonymise
from tests.web.test_every_route import BODIES, OFFICER, OPEN, PARAMETERS, Operation, operations, rest
from tests.web.test_studies import CT, file_bytes, upload_bytes

NOBODY = str(uuid.UUID(int=4711))
PATIENT = "1CT1"
ORIGINAL = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
STUDY_UID, SOP_UID = str(ORIGINAL.StudyInstanceUID), str(ORIGINAL.SOPInstanceUID)
SECOND_UID, ASIDE_UID, WAITING_UID = f"{SOP_UID}.2", f"{SOP_UID}.3", f"{SOP_UID}.4"


@dataclass
class House:
    """An organisation with its people and things: `ids` by the names that the routes' addresses give them."""

    scene: Scene
    admin: Login
    officer: Login
    organisation_id: uuid.UUID

    @property
    def ids(self) -> dict[str, str]:
        return self.scene.ids

    def asked(self, method: str, path: str, body: object = None, *, by: Login | None = None) -> Any:
        login = by or self.admin
        answer = login.http.request(method, f"/api{path}", json=body, headers=login.headers)
        assert answer.status_code in (200, 201, 202, 204), (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else answer.content


@dataclass
class Two:
    """Both, on their one installation."""

    site: WebSite
    alpha: House
    beta: House

    @property
    def both(self) -> tuple[tuple[House, House], tuple[House, House]]:
        """Each with the other one."""
        return (self.alpha, self.beta), (self.beta, self.alpha)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    mail: dict[str, object] = {"host": "127.0.0.1", "sender": "r@example.org"}
    site = open_site(tmp_path_factory.mktemp("organisations"), {"organisation_name": "Radrelay AG"}, mail=mail,
                     archives=Elsewhere(), worklists=Elsewhere())  # fmt: skip
    now = site.clock.now()
    with site.database.write() as session:
        other = organisations.add(session, "Praxis Beta", "AT", now).id
        access.ensure_default_grants(session, other, (), now)
        ensure_organisation_defaults(session, other, site.settings, now)
        organisations.give_title(session, other, "BETA", now)
    site.services.sources.refresh()
    made = Two(site, _house(site, site.organisation_id, "alpha"), _house(site, other, "beta"))
    yield made
    close_site(site)


def copy_of(sop_uid: str, *, nameless: bool = False) -> bytes:
    """Return the picture as another object of its series, or of no study, which is kept aside."""
    dataset = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    if nameless:
        del dataset.StudyInstanceUID
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def _house(site: WebSite, organisation_id: uuid.UUID, name: str) -> House:
    """Return an organisation that has one of each thing; both call them the same where they can."""
    own = replace(site, services=replace(site.services, organisation_id=organisation_id))
    accounts = {role: own.account(f"{name}-{role}", role) for role in ("admin", "dpo")}
    admin, officer = (own.login(f"{name}-{role}") for role in accounts)
    files = {"ct.dcm": file_bytes(CT), "letter.pdf": b"%PDF-1.4 a letter"}
    parcel = upload_bytes(own, admin, files | ({"second.dcm": copy_of(SECOND_UID)} if name == "beta" else {}))
    house = House(Scene(own, admin, STUDY_UID, {"parcel_id": parcel}), admin, officer, organisation_id)
    source = site.services.sources.resolve("upload", organisation_id=organisation_id)
    site.landing.land_file(source.origin(peer="127.0.0.1"), "odd.dcm", [copy_of(ASIDE_UID, nameless=True)])
    site.index()
    admit = site.services.sources.resolve("import", organisation_id=organisation_id)
    house.asked("PATCH", f"/sources/{admit.id}", {"release_by_hand": "*"})
    site.landing.land_file(admit.origin(peer="127.0.0.1"), "later.dcm", [copy_of(WAITING_UID)])
    site.index()
    _furnish(house.scene)
    _pseudonymise(house.scene)
    ids = house.ids
    ids |= {"account_id": str(accounts["dpo"]), "member_id": str(accounts["dpo"]), "source_id": str(source.id)}
    ids["awaiting_id"] = house.asked("GET", "/waiting")["waiting"][0]["id"]
    ids["quarantined_id"] = house.asked("GET", "/quarantine")["quarantined"][0]["id"]
    _administer(house)
    _keep_registers(house)
    outgoing = Outgoing(site.database, site.clock, Seal(site.services.metadata_key))
    with site.database.write() as session:
        told = hl7_message(b"MSH|^~\\&|KIS|X|RIS|Y|20260301||ADT^A01|1|P|2.5\r")
        ids["message_id"] = str(outgoing.enqueue(session, organisation_id, "KIS", told, ("", PATIENT)))
        for title in ("SCANNER", "RADRELAY", "BETA"):
            access.grant(
                session, organisation_id, Grantee("ae", title), Target("organisation"), Right, now=site.clock.now()
            )
    return house


def _administer(house: House) -> None:
    ids, account = house.ids, house.ids["account_id"]
    ids["session_id"] = house.asked("GET", f"/accounts/{account}/sessions")["sessions"][0]["id"]
    house.asked("PUT", f"/groups/{ids['group_id']}/members/account/{account}")
    ids["token_id"] = house.asked("POST", "/tokens", {"name": "a machine"})["token"]["id"]
    ids["grant_id"] = house.asked(
        "POST", "/grants", {"grantee_kind": "group", "grantee_id": ids["group_id"], "target_kind": "study",
                            "target_id": ids["study_id"], "rights": ["see"]}
    )["id"]  # fmt: skip
    ids["restriction_id"] = house.asked("POST", "/restrictions", {"kind": "patient", "value": "somebody"})["id"]
    rule = BODIES["POST", "/api/release-rules"] | {"group_id": ids["group_id"]}
    ids["rule_id"] = house.asked("POST", "/release-rules", rule)["id"]
    routing = BODIES["POST", "/api/routing-rules"]
    ids["routing_rule_id"] = house.asked("POST", "/routing-rules", routing)["id"]
    doors = house.asked("GET", "/sources")["sources"]
    ids["door_id"] = next(one["id"] for one in doors if one["kind"] == "dicom")
    ids["pacs_id"] = house.asked("POST", "/pacs", BODIES["POST", "/api/pacs"] | {"source_id": ids["door_id"]})["id"]
    ids["schedule_id"] = house.asked("POST", "/schedules", _schedule(ids["pacs_id"]))["id"]
    ids["fetch_run_id"] = house.asked("POST", f"/schedules/{ids['schedule_id']}/runs")["id"]
    worklist = {"name": "WL", "kind": "worklist", "ae_title": "WL", "host": "localhost", "port": 104}
    ids["worklist_id"] = house.asked("POST", "/pacs", worklist | {"source_id": ids["door_id"]})["id"]
    ids["fetch_id"] = house.asked("POST", "/fetches", _fetch(ids["pacs_id"]))["fetches"][0]["id"]
    house.asked("PUT", "/devices/SCANNER", {"addresses": ["127.0.0.1"]})
    house.asked("PUT", f"/factors/group/{ids['group_id']}", {"kinds": ["totp"]})
    ids["subject_id"] = ids["group_id"]
    house.asked("DELETE", f"/factors/group/{ids['group_id']}")
    ids["password_link_id"] = house.asked("POST", f"/accounts/{account}/password-link", {"by_mail": False})["link"][
        "id"
    ]


def _keep_registers(house: House) -> None:
    ids = house.ids
    processor = BODIES["POST", "/api/privacy/processors"]
    ids["processor_id"] = house.asked("POST", "/privacy/processors", processor)["id"]
    agreement = BODIES["POST", "/api/organisation/agreements"]
    ids["agreement_id"] = house.asked("POST", "/organisation/agreements", agreement)["id"]
    asking = {"kind": "access", "patient_id": PATIENT, "requester": "A. Meier"}
    ids["request_id"] = house.asked("POST", "/privacy/requests", asking, by=house.officer)["id"]
    incident = BODIES["POST", "/api/privacy/incidents"] | {"kind": "account", "subject": ids["account_id"]}
    ids["incident_id"] = house.asked("POST", "/privacy/incidents", incident, by=house.officer)["id"]


# --- what is whose -------------------------------------------------------------------------------------------------


def owned_ids(two: Two, organisation_id: uuid.UUID) -> set[str]:
    """Return every id in the rows of an organisation, as text, its own included."""
    found = {str(organisation_id)}
    with two.site.database.read() as session:
        for table in Base.metadata.sorted_tables:
            if "organisation_id" not in table.c:
                continue
            columns = [column for column in table.columns if isinstance(column.type, Id)]
            rows = session.execute(sa.select(*columns).where(table.c.organisation_id == organisation_id))
            found |= {str(value) for row in rows for value in row if value is not None}
    return found


def rows_of(two: Two, organisation_id: uuid.UUID) -> dict[str, set[tuple[Any, ...]]]:
    """Return all rows of an organisation."""
    with two.site.database.read() as session:
        return {
            table.name: {tuple(row) for row in session.execute(
                sa.select(table).where(table.c.organisation_id == organisation_id))}
            for table in Base.metadata.sorted_tables if "organisation_id" in table.c
        }  # fmt: skip


ANSWERED = {"/api/events"}  # endless; what it tells of is asked of its signatures below


def place_of(name: str, path: str) -> str:
    """Return by which name a route's id is kept: two kinds of links have one name in addresses."""
    return "password_link_id" if name == "link_id" and "password-links" in path else name


def address(path: str, ids: dict[str, str]) -> str:
    """Return a route's address with these ids; what is no id is something that fits."""

    def put(found: re.Match[str]) -> str:
        name = place_of(found[1], path)
        plain = {"subject_kind": "group", "kind": "terms" if "/texts/" in path else "account", "name": "hanging",
                 "number": "1", "group": "1", "segment": "1", "version": "1", "ae_title": "SCANNER"}  # fmt: skip
        return plain.get(name) or ids.get(name, NOBODY)

    return re.sub(r"\{([a-z_]+)\}", put, path)


def told(login: Login, operation: Operation, at: str, body: object, params: dict[str, str]) -> tuple[int, str, str]:
    answer = login.http.request(operation[0], at, json=body, params=params, headers=login.headers)
    kind = answer.headers.get("content-type", "")
    code = answer.json().get("code", "") if "problem" in kind else ""
    return answer.status_code, code, answer.text if "image" not in kind and "zip" not in kind else ""


# --- the walk ------------------------------------------------------------------------------------------------------


def test_lists_counts_and_files_name_nothing_of_another_organisation(two: Two) -> None:
    own, other = two.beta, two.alpha
    foreign = {"alpha-", "Radrelay AG"} | owned_ids(two, other.organisation_id) - owned_ids(two, own.organisation_id)
    answered = 0
    for operation in sorted(one for one in rest(two.site) - OPEN if one[0] == "GET" and one[1] not in ANSWERED):
        at, params = address(operation[1], own.ids), PARAMETERS.get(operation[1], {})
        for login in asking(own, operation):
            status, _, text = told(login, operation, at, None, params)
            assert status < 500, (operation, status, text[:300])
            answered += status == 200
            leaked = [one for one in foreign if one in text]
            assert not leaked, (operation, leaked[:3])
    assert answered > 70, "or this would say nothing"
    for own, _ in two.both:
        listed = own.asked("GET", "/studies")
        assert (listed["total"], [one["id"] for one in listed["studies"]]) == (1, [own.ids["study_id"]])
        for query in ("name=comp*", f"patient_id={PATIENT}", f"study_uid={STUDY_UID}", "name=c&limit=1"):
            found = own.admin.http.get(f"/api/studies?{query}").json()
            assert [one["id"] for one in found.get("studies", [])] == [own.ids["study_id"]], query


def test_an_id_of_another_organisation_is_answered_like_one_that_was_never_there(two: Two) -> None:
    walked = sorted(one for one in rest(two.site) - OPEN if "{" in one[1] and one[1] not in ANSWERED)
    own, other = two.beta, two.alpha
    before = rows_of(two, other.organisation_id)
    for operation in walked:
        body = BODIES.get(operation)
        for login in asking(own, operation):
            for mixed in _mixtures(operation[1], own.ids, other.ids):
                never = {name: NOBODY if value in other.ids.values() else value for name, value in mixed.items()}
                params = PARAMETERS.get(operation[1], {})
                foreign = told(login, operation, address(operation[1], mixed), body, params)[:2]
                nothing = told(login, operation, address(operation[1], never), body, params)[:2]
                assert foreign == nothing, (operation, foreign, nothing)
    assert rows_of(two, other.organisation_id) == before, "and nothing was done to it"


def asking(house: House, operation: Operation) -> tuple[Login, ...]:
    """Return who may ask, or there would be nothing to learn from what is answered."""
    return (house.officer,) if operation in OFFICER else (house.admin,)


def _mixtures(path: str, own: dict[str, str], other: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield ids for an address: all of the other organisation's, and each of its alone among one's own."""
    names = [place_of(name, path) for name in re.findall(r"\{([a-z_]+)\}", path)]
    given = [name for name in names if name in other]
    if given:
        yield other
    for name in given if len(given) > 1 else ():
        yield own | {name: other[name]}


BodyOf = Callable[[dict[str, str]], object]
NAMING: list[tuple[Operation, str, BodyOf]] = [  # whatever takes an id in its body, and what that is an id of
    (("POST", "/api/grants"), "admin", lambda ids: _grant("group", ids["group_id"], "study", NOBODY)),
    (("POST", "/api/grants"), "admin", lambda ids: _grant("account", ids["account_id"], "organisation", None)),
    (("POST", "/api/grants"), "admin", lambda ids: _grant("token", ids["token_id"], "organisation", None)),
    (("POST", "/api/grants"), "admin", lambda ids: _grant("role", "user", "study", ids["study_id"])),
    (("POST", "/api/grants"), "admin", lambda ids: _grant("role", "user", "series", ids["series_id"])),
    (("POST", "/api/grants"), "admin", lambda ids: _grant("role", "user", "source", ids["source_id"])),
    (("POST", "/api/restrictions"), "admin", lambda ids: {"kind": "source", "value": ids["source_id"]}),
    (("POST", "/api/release-rules"), "admin", lambda ids: _rule(ids["group_id"])),
    (("POST", "/api/release-rules"), "admin", lambda ids: _rule(NOBODY, ids["source_id"])),
    *((operation, "admin", lambda ids, does=does: {"name": "n"} | does(ids))
      for operation in (("POST", "/api/routing-rules"), ("POST", "/api/routing-rules/try"))
      for does in (
          lambda ids: {"actions": [{"kind": "show", "group_id": ids["group_id"]}]},
          lambda ids: {"actions": [{"kind": "notify", "group_id": ids["group_id"]}]},
          lambda ids: {"actions": [{"kind": "forward", "destination_id": ids["destination_id"]}]},
          lambda ids: {"actions": [{"kind": "hold"}],
                       "when": [{"field": "source", "test": "is", "values": [ids["source_id"]]}]},
      )),
    (("PUT", "/api/routing-rules/order"), "admin", lambda ids: {"ids": [ids["routing_rule_id"]]}),
    (("POST", "/api/oidc/people"), "admin", lambda ids: {"subject": "s", "account_id": ids["account_id"]}),
    (("POST", "/api/deliveries"), "admin", lambda ids: _delivery(ids["study_id"], NOBODY)),
    (("POST", "/api/links"), "admin", lambda ids: _link(ids["study_id"])),
    (("POST", "/api/pacs"), "admin", lambda ids: BODIES["POST", "/api/pacs"] | {"source_id": ids["door_id"]}),
    (("POST", "/api/pacs/search"), "admin", lambda ids: {"pacs": [ids["pacs_id"]], "patient_id": PATIENT}),
    (("POST", "/api/worklists/search"), "admin",
     lambda ids: {"worklists": [ids["worklist_id"]], "patient_id": PATIENT}),
    (("POST", "/api/fetches"), "admin", lambda ids: _fetch(ids["pacs_id"])),
    (("POST", "/api/schedules"), "admin", lambda ids: _schedule(ids["pacs_id"])),
    (("POST", "/api/schedules/try"), "admin", lambda ids: {"plan": _schedule(ids["pacs_id"])}),
    (("POST", "/api/hl7/messages/replay"), "admin", lambda ids: {"ids": [ids["message_id"]]}),
    (("POST", "/api/hl7/reports"), "admin", lambda ids: {"receiver": "KIS", "instance_id": ids["instance_id"]}),
    (("POST", "/api/hl7/reports"), "admin", lambda ids: {"receiver": "KIS", "study_id": ids["study_id"], "link": True}),
    (("POST", "/api/sources"), "admin", lambda ids: {"name": "n", "kind": "dicom", "project_id": ids["project_id"]}),
    (("POST", "/api/destinations"), "admin", lambda ids: {
        "name": "n", "ae_title": "N", "host": "127.0.0.1", "port": 104, "project_id": ids["project_id"]}),
    (("POST", "/api/broken-glass"), "admin", lambda ids: {"study_id": ids["study_id"], "kind": "emergency",
                                                           "reason": "unconscious, no relatives"}),
    (("POST", "/api/privacy/requests"), "officer", lambda ids: {"kind": "access", "subject_kind": "account",
                                                                "account_id": ids["account_id"], "requester": "A"}),
    *((("POST", "/api/privacy/incidents"), "officer",
       lambda ids, kind=kind: BODIES["POST", "/api/privacy/incidents"] | {"kind": kind, "subject": ids[f"{kind}_id"]})
      for kind in ("account", "token", "link", "session")),
]  # fmt: skip


def _grant(kind: str, grantee: str, target: str, target_id: str | None) -> dict[str, object]:
    return {"grantee_kind": kind, "grantee_id": grantee, "target_kind": target, "target_id": target_id,
            "rights": ["see"]}  # fmt: skip


def _rule(group_id: str, source_id: str | None = None) -> dict[str, object]:
    conditions = {"modality": "MR", "source_id": source_id}
    return {"name": "n", "group_id": group_id, "conditions": conditions}


def _delivery(study_id: str, destination_id: str) -> dict[str, object]:
    return {"study_id": study_id, "destination_id": destination_id}


def _transfer(study_id: str, source_id: str) -> dict[str, object]:
    return {"patient_id": PATIENT, "giver": "A. Meier", "text_version": "3",
            "studies": [{"study_id": study_id, "source_id": source_id}]}  # fmt: skip


def _fetch(pacs_id: str) -> dict[str, object]:
    return {"fetches": [{"pacs_id": pacs_id, "study_uid": "1.2.3"}]}


def _schedule(pacs_id: str) -> dict[str, object]:
    return {"name": "n", "pacs": [pacs_id], "times": "30 5 * * 1-5"}


def _link(study_id: str) -> dict[str, object]:
    return {"studies": [study_id], "ends_at": "2026-03-02T00:00:00Z"}


def test_an_id_of_another_organisation_in_a_body_is_answered_the_same(two: Two) -> None:
    own, other = two.beta, two.alpha
    nothing = dict.fromkeys(other.ids, NOBODY)
    within: list[tuple[Operation, str, BodyOf]] = [
        (("POST", "/api/deliveries"), "admin", lambda ids: _delivery(own.ids["study_id"], ids["destination_id"])),
        (("POST", "/api/deliveries"), "admin",
         lambda ids: _delivery(own.ids["study_id"], own.ids["destination_id"]) | {"project_id": ids["project_id"]}),
        (("POST", "/api/studies/{study_id}/releases"), "admin", lambda ids: {"kind": "group", "id": ids["group_id"]}),
        (("POST", "/api/studies/{study_id}/releases"), "admin",
         lambda ids: {"kind": "account", "id": ids["account_id"]}),
        (("POST", "/api/studies/{study_id}/owners"), "admin", lambda ids: {"kind": "group", "id": ids["group_id"]}),
        (("POST", "/api/studies/{study_id}/owners"), "admin", lambda ids: {"kind": "account", "id": ids["account_id"]}),
        (("POST", "/api/privacy/transfers"), "officer", lambda ids: _transfer(ids["study_id"], ids["source_id"])),
        (("POST", "/api/privacy/transfers"), "officer", lambda ids: _transfer(own.ids["study_id"], ids["source_id"])),
        (("POST", "/api/privacy/requests/{request_id}/correction"), "officer",
         lambda ids: {"revision": 1, "studies": [ids["study_id"]], "values": {"sex": "F"}}),
        (("POST", "/api/privacy/requests/{request_id}/passing"), "officer",
         lambda ids: {"revision": 1, "source_id": ids["source_id"], "how": "by post"}),
        (("PATCH", "/api/pacs/{pacs_id}"), "admin", lambda ids: {"source_id": ids["door_id"]}),
        (("POST", "/api/waiting/release"), "admin", lambda ids: {"ids": [ids["awaiting_id"]]}),
        (("POST", "/api/waiting/release"), "admin", lambda ids: {"source_id": ids["source_id"]}),
        (("POST", "/api/waiting/reject"), "admin", lambda ids: {"ids": [ids["awaiting_id"]]}),
        (("POST", "/api/studies/{study_id}/analyses"), "admin",
         lambda ids: {"kind": "perfusion", "series": [ids["series_id"]]}),
        (("PUT", "/api/schedules/{schedule_id}"), "admin", lambda ids: _schedule(ids["pacs_id"])),
        (("POST", "/api/studies/{study_id}/exports"), "admin",
         lambda ids: {"form": "png", "named": True, "instance_ids": [ids["instance_id"]]}),
        (("POST", "/api/imports/{case_id}/people/{number}/send-on"), "admin",
         lambda ids: {"destination_id": ids["destination_id"]}),
        (("PUT", "/api/studies/{study_id}/marks/{mark_id}"), "admin",
         lambda ids: BODIES["PUT", "/api/studies/{study_id}/marks/{mark_id}"] | {"instance_id": ids["instance_id"]}),
    ]  # fmt: skip
    for operation, who, body_of in (*NAMING, *within):
        login: Login = getattr(own, who)
        at = address(operation[1], own.ids)
        foreign = told(login, operation, at, body_of(other.ids), {})[:2]
        assert foreign == told(login, operation, at, body_of(nothing), {})[:2], (operation, foreign)
        assert foreign[0] >= 400, (operation, foreign)
    named = {one[0] for one in (*NAMING, *within)}
    with_ids = {operation for operation, body in BODIES.items() if re.search(r"_ids?'|'id'|'studies'", str(body))}
    assert with_ids - named <= {
        ("PUT", "/api/release-rules/{rule_id}"), ("PUT", "/api/oidc/people/{sign_on_id}"),
        ("POST", "/api/privacy/acceptances"), ("POST", "/api/broken-glass"), ("POST", "/api/privacy/requests"),
        ("POST", "/api/privacy/transfers/find"), ("POST", "/api/pseudonyms/lookups"),
    }, "say above what is named in the body"  # fmt: skip


def test_who_looks_for_another_organisations_people_and_things_finds_none(two: Two) -> None:
    for own, other in two.both:
        mark = ("beta-", "alpha-")[own is two.beta]
        for kind in ("account", "token", "link", "session"):
            found = own.officer.http.get("/api/privacy/suspects", params={"kind": kind, "text": mark}).json()
            assert found["suspects" if "suspects" in found else next(iter(found))] == [], kind
        for params in ({"actor": mark}, {"actor_id": other.ids["account_id"]}, {"study": other.ids["study_id"]},
                       {"subject_kind": "group", "subject_id": other.ids["group_id"]}):  # fmt: skip
            assert own.admin.http.get("/api/audit", params=params).json()["events"] == [], params
        seen = own.officer.http.get("/api/audit/seen", params={"study": other.ids["study_id"]})
        assert seen.text.strip() == ""
        disclosed = own.officer.http.get("/api/audit/disclosures", params={"patient_id": PATIENT, "form": "csv"}).text
        assert mark not in disclosed
        exported = own.admin.http.get("/api/audit/export", params={"form": "jsonl"}).text
        assert mark not in exported
        assert other.ids["study_id"] not in exported
        held = own.asked("GET", f"/privacy/requests/{own.ids['request_id']}/data", by=own.officer)
        assert [one["id"] for one in held["studies"]] == [own.ids["study_id"]]


def test_what_happens_in_one_organisation_wakes_nobody_of_the_other(two: Two) -> None:
    own, other = two.alpha, two.beta

    def heard() -> dict[str, str]:
        with two.site.database.read() as session:
            return signatures(session, own.organisation_id, two.site.clock.now())

    before = heard()
    study, headers = other.ids["study_id"], other.admin.headers
    two.site.clock.advance(timedelta(seconds=1))
    upload_bytes(two.site, other.admin, {"ct.dcm": file_bytes(CT)})
    other.admin.http.post(f"/api/studies/{study}/hold", json={}, headers=headers)
    other.admin.http.post("/api/deliveries", json=_delivery(study, other.ids["destination_id"]), headers=headers)
    assert heard() == before


def test_dicomweb_hands_each_its_own_copy_of_the_same_uids(two: Two) -> None:
    with two.site.database.read() as session:
        row = session.execute(sa.text("SELECT s.series_uid, i.sop_uid FROM series s, instance i")).first()
    assert row is not None
    uids = {"study": two.alpha.scene.study_uid, "series": row[0], "instance": row[1], "numbers": "1", "frames": "1"}
    found = 0
    for operation in sorted(operations(two.site) - rest(two.site)):
        if operation[0] != "GET":
            continue
        path = re.sub(r"\{([a-z_]+)\}", lambda one: uids.get(one[1].removesuffix("_uid"), "1"), operation[1])
        first, second = (house.admin.http.get(path) for house in (two.alpha, two.beta))
        assert first.status_code == second.status_code, path
        found += first.status_code == 200
        if "json" in first.headers.get("content-type", "") and isinstance(first.json(), list):
            assert (len(first.json()), len(second.json())) in ((1, 1), (1, 2), (0, 0)), path
    assert found > 10
    counted = [
        house.admin.http.get("/dicom-web/studies").json()[0]["00201208"]["Value"] for house in (two.alpha, two.beta)
    ]
    assert counted == [[1], [2]]


def test_a_link_tells_whose_it_is_to_who_has_it_and_to_nobody_else(two: Two) -> None:
    for own, name in ((two.alpha, "Radrelay AG"), (two.beta, "Praxis Beta")):
        ends_at = (two.site.clock.now() + timedelta(days=1)).isoformat()
        wanted = {"studies": [own.ids["study_id"]], "ends_at": ends_at, "protection": "pin", "pin": "481516"}
        token = own.asked("POST", "/links", wanted)["address"].partition("#")[2]
        browser = Login(two.site.client("198.51.100.77"))
        told = browser.http.post("/api/shared", json={"token": token}).json()
        assert (told["wants"], told["organisation"], told["organisation_id"]) == ("pin", name, str(own.organisation_id))
        forged = browser.http.post("/api/shared", json={"token": token[:-9] + token[-9:].swapcase()})
        wrong = browser.http.post("/api/shared", json={"token": token, "answer": "000000"})
        for refused in (forged, wrong):
            assert refused.status_code in (401, 403), refused.text
            assert "Beta" not in refused.text
            assert "Radrelay AG" not in refused.text
        assert browser.http.post("/api/shared", json={"token": token, "answer": "481516"}).json()["wants"] == ""
        assert browser.http.get("/api/session").json()["shared"]["organisation"] == name


def test_a_token_and_a_link_open_their_own_organisation_alone(two: Two) -> None:
    for own, other in two.both:
        made = own.asked("POST", "/tokens", {"name": "a machine", "role": "admin"})
        machine = Login(two.site.client("203.0.113.3"))
        machine.http.headers["Authorization"] = f"Bearer {made['secret']}"
        listed = machine.http.get("/api/studies").json()["studies"]
        assert [one["id"] for one in listed] == [own.ids["study_id"]]
        assert machine.http.get(f"/api/studies/{other.ids['study_id']}").status_code == 404
        ends_at = (two.site.clock.now() + timedelta(days=1)).isoformat()
        link = own.asked("POST", "/links", {"studies": [own.ids["study_id"]], "ends_at": ends_at})
        visitor = Login(two.site.client("203.0.113.4"))
        token = link["address"].partition("#")[2]
        assert visitor.http.post("/api/shared", json={"token": token}).status_code == 200
        shown = visitor.http.get("/api/shared").json()
        assert [one["id"] for one in shown["studies"]] == [own.ids["study_id"]]
        assert shown["organisation"] == ("Radrelay AG", "Praxis Beta")[own is two.beta]
        assert visitor.http.get(f"/api/studies/{other.ids['study_id']}").status_code == 404
        assert visitor.http.get(f"/api/series/{other.ids['series_id']}").status_code == 404


def test_a_program_takes_away_what_its_link_has_of_one_organisation(two: Two) -> None:
    for own, other in two.both:
        ends_at = (two.site.clock.now() + timedelta(days=1)).isoformat()
        wanted = {"studies": [own.ids["study_id"]], "ends_at": ends_at, "may_download": True, "protection": "pin"}
        made = own.asked("POST", "/links", wanted | {"pin": "481516"})
        program, token = two.site.client("203.0.113.4"), made["address"].partition("#")[2]
        given = {"tfaAnswer": [{"questionId": "1", "answer": "481516"}]}
        program.headers["Authorization"] = f"Bearer {program.post(f'/dlx/v1/tokentfa/{token}', json=given).text}"
        assert len(program.get("/dlx/v1/list").json()["dataItem"]) == 1
        ids = [one.ids["study_id"].replace("-", "") for one in (own, other)]
        assert [program.get(f"/dlx/v1/download/{one}").status_code for one in ids] == [200, 400]


def test_a_refused_launch_is_on_the_record_of_the_organisation_whose_launch_it_was(two: Two) -> None:
    for own, other, user in ((two.alpha, two.beta, "alpha-admin"), (two.beta, two.alpha, "beta-admin")):
        program = f"RIS of {user}"
        wanted = {"name": program, "role": "service", "may_launch": True}
        machine = two.site.client("203.0.113.5")
        machine.headers["Authorization"] = f"Bearer {own.asked('POST', '/tokens', wanted)['secret']}"
        launched = machine.post("/api/launches", json={"user": user, "study": own.ids["study_id"]}).json()["address"]
        token = {"token": launched.partition("#")[2]}
        answers = [two.site.client("203.0.113.6").post("/api/launches/open", json=token) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 401], [one.text for one in answers]
        assert "organisation" not in answers[1].text
        told = [str(one.asked("GET", "/audit?action=launch.open&outcome=refused")["events"]) for one in (own, other)]
        assert [program in one for one in told] == [True, False]


def test_the_directory_and_single_sign_on_are_their_own_organisations_alone(two: Two) -> None:
    beta = two.beta
    assert beta.asked("GET", "/directory")["set"] is False
    elsewhere = [one.asked("GET", "/directory")["elsewhere"] for one in (two.alpha, beta)]
    assert elsewhere == [False, True], "only who can set one is told how"
    assert beta.asked("GET", "/oidc/state")["set"] is False
    far = two.site.login("beta-admin", "203.0.113.7")
    assert far.http.get("/metrics").status_code == 404, "numbers over the whole machine"
    assert told(beta.admin, ("POST", ""), "/api/directory/runs", {"kind": "sync"}, {})[1] == "no-directory"


# --- DICOM ---------------------------------------------------------------------------------------------------------


def peer(called: str, calling: str = "SCANNER") -> Peer:
    return Peer("127.0.0.1", 104, calling, called, None, uuid.uuid4().hex)


@pytest.fixture(scope="module")
def port(two: Two) -> QueryOnDemand:
    parts: Any = two.site.parts
    audit.install(two.site.database, "listen", two.site.clock, two.site.services.metadata_key)
    core = Core(settings=parts.settings, clock=parts.clock, node="", keyring=parts.keyring, keys=parts.keys,
                database=parts.database, packs=parts.packs, segments=parts.segments)  # fmt: skip
    two.site.services.sources.refresh()
    return QueryOnDemand(core, two.site.services.sources)


def test_the_called_title_says_whose_studies_a_device_finds_and_fetches(
    two: Two, port: QueryOnDemand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_port, "INDEX_PATIENCE_S", 0.0)
    uid = (Key(0x0020000D, "UI", STUDY_UID, ()),)
    image = (*uid, Key(0x00080018, "UI", "", ()))
    for called, house, count in (("RADRELAY", two.alpha, 1), ("BETA", two.beta, 2)):
        assert len(list(port.find(peer(called), Query("study", "STUDY", uid, False)))) == 1
        assert len(list(port.find(peer(called), Query("study", "IMAGE", image, True)))) == count, called
        fetched: Any = port.retrieve(peer(called), Query("study", "STUDY", uid, False))
        assert len(fetched) == count, called
        assert {str(one.ref.study_id) for one in fetched} == {house.ids["study_id"]}
        both = [Reference(fetched[0].ref.sop_class_uid, one) for one in (SOP_UID, SECOND_UID)]
        assert len(port.committed(peer(called), both)) == count, "what the other keeps is promised to nobody here"
    answer = two.beta.asked("POST", "/destinations", {"name": "only", "ae_title": "ONLYBETA", "host": "h", "port": 104})
    assert port.move_destination(peer("RADRELAY"), "ONLYBETA") is None
    assert port.move_destination(peer("BETA"), "ONLYBETA") is not None
    assert answer["id"] not in str(two.alpha.asked("GET", "/destinations"))
    with two.site.database.write() as session:
        session.execute(
            sa.delete(Grant).where(Grant.grantee_kind == "ae", Grant.organisation_id == two.alpha.organisation_id)
        )
    with pytest.raises(Forbidden):
        list(port.find(peer("RADRELAY"), Query("study", "STUDY", uid, False)))
    assert list(port.find(peer("BETA"), Query("study", "STUDY", uid, False))), "a grant of one is none of the other"


def test_what_leads_to_no_organisation_or_to_two_is_refused_and_never_filed_to_a_guess(two: Two) -> None:
    book = two.site.services.sources
    reception = Reception(two.site.landing, book)
    assert two.site.settings.dicom.accept_any_called, "which counts no more once there are two"
    assert [reception.admit(peer(called)) is None for called in ("RADRELAY", "BETA", "ANYTHING")] == [True, True, False]
    owners = [book.resolve("dicom", called).organisation_id for called in ("RADRELAY", "BETA")]
    assert owners == [two.alpha.organisation_id, two.beta.organisation_id]
    with pytest.raises(SourceUnknown, match="leads to no organisation"):
        book.resolve("dicom", "ANYTHING")
    source = {"name": "second", "kind": "dicom", "ae_title": "RADRELAY"}
    for title in ("RADRELAY", "ANYTHING"):
        answer = told(two.beta.admin, ("POST", ""), "/api/sources", source | {"ae_title": title}, {})
        assert answer[:2] == (400, "title-not-given"), "or one could take what is sent to another"
    answer = told(two.beta.admin, ("POST", ""), "/api/sources", {"name": "f", "kind": "folder", "folder": "/srv"}, {})
    assert answer[:2] == (400, "folder-not-given")
    assert "organisations" not in answer[2], "nor that there is another"
    two.beta.asked("POST", "/sources", source | {"ae_title": "BETA"})
    assert book.resolve("dicom", "BETA").name == "second"
    with two.site.database.write() as session:  # rows of before, as a restored backup may have them
        organisations.give_title(session, two.alpha.organisation_id, "OLD", two.site.clock.now())
        spec = SourceSpec("old", "dicom", ae_title="OLD")
        row = add_source(session, two.alpha.organisation_id, spec, two.site.clock.now())
        session.execute(sa.text("UPDATE source SET ae_title = 'BETA' WHERE name = 'old'"))
    book.refresh()
    assert reception.admit(peer("BETA")) is not None
    with pytest.raises(TitleAmbiguous):
        book.resolve("dicom", "BETA")
    two.alpha.asked("DELETE", f"/sources/{row.id}")
    book.refresh()
    assert book.resolve("dicom", "BETA").organisation_id == two.beta.organisation_id


# --- people --------------------------------------------------------------------------------------------------------


def test_a_forgotten_password_is_answered_whosever_it_is_and_signed_by_their_own_house(two: Two) -> None:
    site, account = two.site, two.beta.ids["account_id"]
    two.beta.asked("PATCH", f"/accounts/{account}", {"email": "officer@beta.example"})
    asked = site.client().post("/api/password-links/forgotten", json={"name": "officer@beta.example"})
    assert asked.status_code == 202, asked.text
    mailing = Mailing(site.settings, site.database, site.clock, site.services.metadata_key)
    with site.database.write() as session:
        answered = mailing.links.answer_asked(session, "http://here")
    assert [str(one.account.id) for one in answered] == [account]
    assert two.alpha.asked("GET", "/mail")["letters"] == []
    assert len(two.beta.asked("GET", "/mail")["letters"]) == 1


def test_user_names_are_one_space_so_that_a_login_finds_its_organisation(two: Two) -> None:
    answer = told(two.beta.admin, ("POST", ""), "/api/accounts", {"username": "Alpha-Admin"}, {})
    assert answer[:2] == (409, "account-exists")
    told_of = [house.asked("GET", "/system") for house in (two.alpha, two.beta)]
    called = [(one["name"], one["dicom"]["ae_title"], one["dicom"]["accepts_any_called"]) for one in told_of]
    assert called == [("Radrelay AG", "RADRELAY", False), ("Praxis Beta", "BETA", False)]


def test_each_reads_its_own_privacy_notice_and_nobody_the_first_organisations(two: Two) -> None:
    ends_at = (two.site.clock.now() + timedelta(days=1)).isoformat()
    made = two.beta.asked("POST", "/links", {"studies": [two.beta.ids["study_id"]], "ends_at": ends_at})
    visitor = Login(two.site.client())
    visitor.http.post("/api/shared", json={"token": made["address"].partition("#")[2]})
    shared = visitor.http.get("/api/session").json()["shared"]
    draft = {"english": "{organisation}, {region}", "german": "{organisation} in {region}", "revision": 0}
    for house in (two.alpha, two.beta):
        house.asked("PUT", "/privacy/texts/notice/draft", draft)
        house.asked("POST", "/privacy/texts/notice/versions", {"revision": 1})
    readers = (two.alpha.admin, two.beta.admin, Login(two.site.client()))
    read = [reader.http.get("/api/privacy/notice").json() for reader in readers]
    first = "Radrelay AG, a country that is not named yet"
    assert [one["english"] for one in read] == [first, "Praxis Beta, Austria", first]
    assert read[1]["german"] == "Praxis Beta in Österreich"
    for over in (False, True):  # what is closed again was Beta's, too
        assert visitor.http.get("/api/privacy/notice").json()["english"] == "Praxis Beta, Austria", over
        with two.site.database.write() as session:
            link, beta = uuid.UUID(made["link"]["id"]), uuid.UUID(shared["organisation_id"])
            access.revoke_link(session, beta, link, two.site.clock.now())
    left = Login(two.site.client()).http.get("/api/privacy/notice", params={"organisation": shared["organisation_id"]})
    assert left.json()["english"] == "Praxis Beta, Austria"
