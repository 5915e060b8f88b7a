"""The page of the gateway: relays, the certificate for outside, and the site's own checklist."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import trustme

from radrelay import audit
from radrelay.access import system_principal
from radrelay.app.certificate_watch import CertificateWatch
from radrelay.app.certificates import certificate_findings, site_certificates
from radrelay.app.gateway_findings import gateway_findings
from radrelay.archive.retention import LAST_SEEN, _write_moment
from radrelay.gateway.acme_files import AcmeFiles, AcmeState
from radrelay.gateway.authority import Authority, certificate_request, new_key
from radrelay.gateway.credentials import RelayAddress, enrolment_at
from radrelay.gateway.standing import Board, LinkState
from radrelay.identity.models import Account
from radrelay.identity.posting import open_post
from tests.web.conftest import WebSite

HOST = "pictures.clinic.example"


def enrol(site: WebSite) -> None:
    """Enrol the installation at a relay, as its command does."""
    now = site.clock.now()
    authority = Authority.open(site.settings.data_dir.parent / "relay", now)
    key = new_key()
    issued = authority.sign_site(certificate_request(key), "clinic", now, timedelta(days=30))
    folder = site.settings.gateway_dir / "relays"
    enrolment_at(folder, RelayAddress("relay.clinic.example", 45000)).keep(key, issued.pem, authority.pem)


def told(site: WebSite) -> Any:
    answer = site.login("root").http.get("/api/gateway")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_checklist_has_every_node_and_every_way(site: WebSite) -> None:
    admin = site.login("root")
    node = {"name": "Archive", "ae_title": "ARCHIVE", "host": "10.0.0.5", "port": 104, "tls": True}
    assert admin.http.post("/api/destinations", json=node, headers=admin.headers).status_code == 201
    others = [
        {"name": "STOW", "kind": "dicomweb", "address": "https://pacs.example/dicom-web", "secret": "t"},
        {"name": "KIS", "kind": "hl7", "host": "10.0.0.9", "port": 2576, "address": "KIS|HOUSE"},
    ]
    for other in others:
        assert admin.http.post("/api/destinations", json=other, headers=admin.headers).status_code == 201
    found = told(site)
    assert (found["enrolled"], found["certificate"], found["relays"]) == (False, None, [])
    assert found["checklist"]["nodes"] == [{**node, "kind": "destination", "calls_us": "RADRELAY"}]
    assert [(door["kind"], door["is_loopback"]) for door in found["checklist"]["doors"]] == [
        ("dicom", True), ("pages", True)
    ]  # fmt: skip
    assert found["checklist"]["ways"] == [
        {"source": "server", "target": "destination", "host": "10.0.0.5", "port": 104, "purpose": "dicom-tls"},
        {"source": "server", "target": "destination", "host": "10.0.0.9", "port": 2576, "purpose": "hl7"},
        {"source": "server", "target": "destination", "host": "pacs.example", "port": 443, "purpose": "dicomweb"},
    ]
    enrol(site)
    assert told(site)["agent_runs"] is False
    state = LinkState(
        "relay.clinic.example:45000", connected=True, since=site.clock.now(), site="clinic", hosts=[HOST],
        ports=[2762], public_port=32000,
    )  # fmt: skip
    Board(site.settings.gateway_dir).show([state], site.clock.now())
    found = told(site)
    assert found["agent_runs"]
    assert [one["hosts"] for one in found["relays"]] == [[HOST]]
    ways = [(way["source"], way["target"], way["port"]) for way in found["checklist"]["ways"]]
    assert ways[:3] == [("server", "relay", 45000), ("anywhere", "relay", 32000), ("partners", "relay", 2762)]
    site.clock.advance(timedelta(seconds=16))
    assert told(site)["agent_runs"] is False


def test_the_checklist_has_each_kind_with_its_own_way_alone(site: WebSite) -> None:
    admin = site.login("root")
    (source, *_) = admin.http.get("/api/sources").json()["sources"]
    pacs = {"source_id": source["id"]}
    for path, body in (
        ("pacs", {"name": "Web", "kind": "dicomweb", "address": "https://pacs.example:8443/dicom-web", **pacs}),
        ("pacs", {"name": "RIS", "kind": "worklist", "ae_title": "RIS", "host": "10.0.0.7", "port": 105, **pacs}),
        ("destinations", {"name": "STOW", "kind": "dicomweb", "address": "https://stow.example/dicom-web"}),
        ("destinations", {"name": "Ward", "kind": "mail", "address": "ward@clinic.example"}),
        ("destinations", {"name": "KIS", "kind": "hl7", "host": "10.0.0.8", "port": 2575, "address": "KIS|WARD"}),
    ):
        assert (one := admin.http.post(f"/api/{path}", json=body, headers=admin.headers)).status_code == 201, one.text
    found = told(site)["checklist"]
    assert [(one["kind"], one["name"]) for one in found["nodes"]] == [("worklist", "RIS")]
    assert [(one["target"], one["host"], one["port"], one["purpose"]) for one in found["ways"]] == [
        ("worklist", "10.0.0.7", 105, "dicom"), ("pacs", "pacs.example", 8443, "dicomweb"),
        ("destination", "10.0.0.8", 2575, "hl7"), ("destination", "stow.example", 443, "dicomweb"),
    ]  # fmt: skip


def test_a_certificate_is_handed_in_and_told_of_before_it_ends(site: WebSite) -> None:
    admin = site.login("root")
    enrol(site)
    now = site.clock.now()
    state = LinkState("relay.clinic.example:45000", connected=True, hosts=[HOST, "second.example"])
    Board(site.settings.gateway_dir).show([state], now)
    assert told(site)["certificate"]["trouble"]["code"] == "gateway-certificate-wanted"
    assert {one.state for one in gateway_findings(site.settings, now)} == {"good", "bad"}
    made = trustme.CA().issue_cert(HOST, not_after=now + timedelta(days=30))
    chain = b"".join(blob.bytes() for blob in made.cert_chain_pems).decode()
    handed = {"chain": chain, "key": made.private_key_pem.bytes().decode()}
    refused = admin.http.put("/api/gateway/certificate", json={**handed, "key": "none"}, headers=admin.headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "gateway-key-unusable")
    taken = admin.http.put("/api/gateway/certificate", json=handed, headers=admin.headers)
    assert (taken.status_code, taken.json()["names"], taken.json()["missing"]) == (200, [HOST], ["second.example"])
    assert (site.settings.gateway_dir / "public.pem").stat().st_mode & 0o777 == 0o600
    events = admin.http.get("/api/audit", params={"action": "gateway.certificate"}).json()["events"]
    assert len(events) == 1
    states = [one.state for one in gateway_findings(site.settings, now)]
    assert states == ["good", "good", "bad"]  # the link, its days, and the name that it is not for
    assert (site.settings.gateway_dir / "public.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY")
    Board(site.settings.gateway_dir).show([state], now + timedelta(days=10))
    assert "look" in [one.state for one in gateway_findings(site.settings, now + timedelta(days=10))]


def test_an_authority_is_asked_and_what_fails_is_told(site: WebSite) -> None:
    admin = site.login("root")
    enrol(site)
    assert told(site)["acme"] is None
    asked = {"directory": "https://acme.example/dir", "contacts": ["it@clinic.example"], "binding_id": "clinic"}
    for wrong in ({"directory": "http://acme.example/dir"}, {"contacts": ["nobody"]}, {"binding_key": "short"}):
        answer = admin.http.put("/api/gateway/acme", json={**asked, **wrong}, headers=admin.headers)
        assert answer.status_code in (400, 422), answer.text
    taken = admin.http.put("/api/gateway/acme", json={**asked, "binding_key": "k" * 43}, headers=admin.headers)
    assert (taken.status_code, taken.json()["binding_id"]) == (200, "clinic")
    files = AcmeFiles(site.settings.gateway_dir, site.services.metadata_key)
    admin.http.put("/api/gateway/acme", json={**asked, "terms_accepted": True}, headers=admin.headers)
    plan = files.plan()
    assert plan is not None
    assert files.account(plan, None).binding == ("clinic", "k" * 43)  # entered once
    files.keep_state(AcmeState(failures=4, code="gateway-acme-not-reached", detail="refused"))
    shown = told(site)["acme"]
    assert (shown["failures"], shown["trouble"]["code"]) == (4, "gateway-acme-not-reached")
    findings = {one.subject: one.state for one in gateway_findings(site.settings, site.clock.now())}
    assert findings["certificate authority"] == "bad"
    assert admin.http.delete("/api/gateway/acme", headers=admin.headers).status_code == 204
    assert told(site)["acme"] is None
    actions = [one["action"] for one in admin.http.get("/api/audit").json()["events"]]
    assert {"gateway.acme", "gateway.acme-off"} <= set(actions)


def test_an_address_that_a_relay_has_told_is_marked_on_record(site: WebSite) -> None:
    admin = site.login("root")
    with site.database.write() as session:
        caller = replace(system_principal(site.organisation_id), peer="192.0.2.7")
        token = audit.ADDRESS_BY.set("relay")
        try:
            audit.record(session, audit.AuditRecord("gateway.leave", caller))
        finally:
            audit.ADDRESS_BY.reset(token)
        audit.record(session, audit.AuditRecord("gateway.leave", caller))
    events = admin.http.get("/api/audit", params={"action": "gateway.leave"}).json()["events"]
    assert [(one["peer"], one["detail"]) for one in events] == [
        ("192.0.2.7", {}), ("192.0.2.7", {"address_by": "relay"})
    ]  # fmt: skip


def test_administrators_are_told_of_certificates_that_end(site: WebSite) -> None:
    now, admin = site.clock.now(), site.login("root")
    folder = site.settings.data_dir
    for name, days in (("hl7", 6), ("ca", 100)):
        made = trustme.CA().issue_cert(HOST, not_after=now + timedelta(days=days))
        made.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    enrol(site)  # for 30 days, and renewed after 20 without us
    hl7 = site.settings.hl7.model_copy(update={"tls_certificate": folder / "hl7.pem"})
    directory = site.settings.directory.model_copy(update={"ca_file": folder / "ca.pem"})
    mail = site.settings.mail.model_copy(update={"host": "mail.example", "sender": "radrelay@clinic.example"})
    settings = site.settings.model_copy(update={"hl7": hl7, "directory": directory, "mail": mail})
    with site.database.write() as session:
        session.execute(sa.update(Account).values(email="root@clinic.example", language="de"))
    post = open_post(settings, site.clock, site.services.metadata_key)
    watch = CertificateWatch(site.database, settings, site.organisation_id, post)

    def look(at: datetime) -> int:
        with site.database.write() as session:
            _write_moment(session, LAST_SEEN, at)  # as expiry does, which watches the clock
        return watch.look(at)

    assert watch.look(now) == 0  # while nobody has looked at the clock
    assert [look(now), look(now)] == [1, 0]  # once for a stage
    assert {one.kind: one.stage(now) for one in site_certificates(settings)} == {
        "agent": None, "hl7": 7, "directory-ca": None
    }  # fmt: skip
    assert look(now + timedelta(days=5, hours=1)) == 1
    assert look(now + timedelta(days=7)) == 1  # it has ended
    findings = {one.subject: one.state for one in certificate_findings(settings, now + timedelta(days=22))}
    assert findings == {"certificate agent": "look", "certificate hl7": "bad", "certificate directory-ca": "good"}
    events = admin.http.get("/api/audit", params={"action": "certificate.ends"}).json()["events"]
    assert [one["detail"]["days"] for one in events] == [0, 1, 7]
