"""The page of the gateway: relays, the certificate for outside, and the site's own checklist."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import trustme

from radrelay.app.gateway_findings import gateway_findings
from radrelay.gateway.authority import Authority, certificate_request, new_key
from radrelay.gateway.credentials import RelayAddress, enrolment_at
from radrelay.gateway.standing import Board, LinkState
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
    found = told(site)
    assert (found["enrolled"], found["certificate"], found["relays"]) == (False, None, [])
    assert found["checklist"]["nodes"] == [{**node, "kind": "destination", "calls_us": "RADRELAY"}]
    assert [(door["kind"], door["is_loopback"]) for door in found["checklist"]["doors"]] == [
        ("dicom", True), ("pages", True)
    ]  # fmt: skip
    assert found["checklist"]["ways"] == [
        {"source": "server", "target": "destination", "host": "10.0.0.5", "port": 104, "purpose": "dicom-tls"}
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
    Board(site.settings.gateway_dir).show([state], now + timedelta(days=10))
    assert "look" in [one.state for one in gateway_findings(site.settings, now + timedelta(days=10))]
