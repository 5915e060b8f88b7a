"""A whole installation behind a relay, on three hosts: the site, which nothing reaches of itself, the DMZ, outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import trustme

from tests.namespaces import Host, Wire, cable, three_hosts
from tests.system.installation import Installation, tool, until
from tests.system.samples import phantom_files

pytestmark = pytest.mark.embedded(reason="its hosts reach no PostgreSQL and no S3 on this machine's own loopback")

HOST, RELAY, PORT, DICOM_PORT = "pictures.clinic.example", "10.91.2.1", 32000, 2762


@dataclass
class Gateway:
    """All of it."""

    site: Host
    dmz: Host
    outside: Host
    wire: Wire
    radrelay: Installation
    relay: Installation
    trusted: ssl.SSLContext
    folder: Path

    def ask(
        self, method: str, path: str, seconds: float = 20, at: str = f"{RELAY}:{PORT}", **named: object
    ) -> httpx2.Response:
        """Ask the pages from outside, through the relay if at no other address."""

        def work() -> httpx2.Response:
            headers = {"Host": HOST, **named.pop("headers", {})}  # type: ignore[dict-item]
            with httpx2.Client(verify=self.trusted, timeout=seconds, trust_env=False) as client:
                return client.request(
                    method, f"https://{at}{path}", headers=headers,
                    extensions={"sni_hostname": HOST}, **named,  # type: ignore[arg-type]
                )  # fmt: skip

        return self.outside.run(work)

    def answers(self) -> bool:
        return self.ask("GET", "/healthz", seconds=8).status_code == 200

    def start_relay(self) -> None:
        self.dmz.run(lambda: self.relay.start("gateway"))
        self.dmz.run(lambda: until(lambda: _connects("127.0.0.1", 45000), "the relay"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    settings = {
        "RADRELAY_WEB__HOST": "0.0.0.0", "RADRELAY_WEB__BEHIND_PROXY": "true", "RADRELAY_DICOM__TLS_PORT": "2762",
        "RADRELAY_DICOM__TLS_CERTIFICATE": str(chain), "RADRELAY_DICOM__TLS_KEY": str(key),
    }  # fmt: skip
    with three_hosts() as (site, dmz, outside, wire):
        relay = Installation(folder / "relay", fresh=True)
        radrelay = Installation(folder / "site", settings, fresh=True)
        made = Gateway(site, dmz, outside, wire, radrelay, relay, trusted, folder)
        relay.folder.mkdir()
        radrelay.folder.mkdir()
        try:
            relay.command("gateway", "site", "clinic", "--host", HOST, "--port", str(DICOM_PORT))
            code = relay.command("gateway", "code", "clinic").stdout.strip()
            made.start_relay()
            enrolled = site.run(lambda: _command(radrelay, "agent", "enrol", "10.91.1.1", code))
            assert "enrolled at 10.91.1.1:45000 as clinic" in enrolled
            radrelay.command("agent", "certificate", str(chain), str(key))
            site.run(radrelay.start)
            yield made
        finally:
            radrelay.stop()
            relay.stop()


def _command(radrelay: Installation, *words: str) -> str:
    """Run a command as a process of the host whose thread asks for it."""
    done = subprocess.run(
        [sys.executable, "-m", "radrelay", *words], env=radrelay.environment(), capture_output=True, text=True,
        check=True, cwd=radrelay.folder,
    )  # fmt: skip
    return done.stdout


def _connects(host: str, port: int, seconds: float = 1.0) -> bool:
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def _token(gateway: Gateway) -> dict[str, str]:
    if not gateway.radrelay.token:
        gateway.radrelay.token = gateway.radrelay.command("token", "add", "tests", "--role", "admin").stdout.strip()
    return {"Authorization": f"Bearer {gateway.radrelay.token}"}


def test_nothing_reaches_the_site_but_what_comes_through_the_relay(gateway: Gateway) -> None:
    until(gateway.answers, "the pages through the relay", 20)
    before = gateway.wire.refused
    for host in (gateway.dmz, gateway.outside):
        for port in (gateway.radrelay.web_port, gateway.radrelay.dicom_port):
            assert not host.run(lambda port=port: _connects("10.91.1.2", port, 0.5))  # type: ignore[misc]
    assert gateway.wire.refused > before
    assert gateway.site.run(lambda: _connects("10.91.1.2", gateway.radrelay.web_port))


def test_the_real_address_is_on_record_whatever_a_browser_says(gateway: Gateway) -> None:
    until(gateway.answers, "the pages through the relay", 20)
    forged = {"X-Forwarded-For": "10.0.0.7", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http",
              "Forwarded": "for=10.0.0.7"}  # fmt: skip
    answer = gateway.ask(
        "POST", "/api/session", headers={**forged, "Origin": f"https://{HOST}:{PORT}", "Host": f"{HOST}:{PORT}"},
        json={"username": "nobody", "password": "not the password"},
    )  # fmt: skip
    assert answer.status_code == 401, answer.text
    assert "strict-transport-security" in answer.headers
    rows = gateway.radrelay.command("audit", "export", "--action", "login", "--form", "jsonl").stdout.splitlines()
    assert {json.loads(row)["peer"] for row in rows} == {"10.91.2.2"}
    assert {json.loads(json.loads(row)["detail"])["address_by"] for row in rows} == {"relay"}
    # programs on the site's own machine need no login for this: nobody outside is one, whatever they call us
    assert gateway.ask("GET", "/metrics", headers={"Host": "localhost"}).status_code == 401


def test_pictures_come_in_by_dicom_tls_and_by_the_pages_and_events_are_told_at_once(
    gateway: Gateway, tmp_path: Path
) -> None:
    until(gateway.answers, "the pages through the relay", 20)
    samples = phantom_files(tmp_path, "ct-head", seed=5, slices=3)
    events: list[str] = []

    def listen() -> None:
        """Send once the stream of events is open; return when it tells of the study list."""
        with (
            httpx2.Client(verify=gateway.trusted, timeout=30, trust_env=False) as client,
            client.stream(
                "GET", f"https://{RELAY}:{PORT}/api/events", headers={"Host": HOST, **_token(gateway)},
                extensions={"sni_hostname": HOST},
            ) as stream,
        ):  # fmt: skip
            for line in stream.iter_lines():
                events.append(line)
                if line == "event: ready":
                    tool(
                        "storescu", "+tla", "+cf", gateway.folder / "authority.pem", "-aec", "RADRELAY", RELAY,
                        DICOM_PORT, *(one.path for one in samples),
                    )  # fmt: skip
                if line.startswith("data:") and "studies" in line:
                    return

    gateway.outside.run(listen)
    study = samples[0].study

    def whole() -> bool:
        answer = gateway.ask("GET", "/dicom-web/studies", params={"StudyInstanceUID": study}, headers=_token(gateway))
        return answer.status_code == 200 and int(answer.json()[0]["00201208"]["Value"][0]) == 3

    until(whole, "the study outside", 30)


def test_a_line_that_is_slow_loses_and_is_cut(gateway: Gateway) -> None:
    until(gateway.answers, "the pages through the relay", 20)
    wire = gateway.wire
    try:
        wire.delay_s, wire.loss = 0.05, 0.02
        page = gateway.ask("GET", "/", seconds=30)
        assert page.status_code == 200
        assert "<html" in page.text
        wire.delay_s, wire.loss = 0.0, 0.0
        wire.cut = True
        time.sleep(2.5)  # both sides find out by the silence
        assert _link(gateway) == 0
        wire.cut = False
        began = time.monotonic()
        until(lambda: _link(gateway) == 1, "the link", 5)
        assert time.monotonic() - began < 2
        until(gateway.answers, "the pages", 5)
    finally:
        wire.cut, wire.delay_s, wire.loss = False, 0.0, 0.0


def _link(gateway: Gateway) -> int:
    """Return whether the agent says, at its port on loopback, that it has a relay."""

    def work() -> int:
        text = httpx2.get("http://127.0.0.1:11190/metrics", trust_env=False).text
        line = next(one for one in text.splitlines() if one.startswith("radrelay_agent_connected{"))
        return int(float(line.split()[-1]))

    return gateway.site.run(work)


@pytest.mark.parametrize("role", ["agent", "web", "relay"])
def test_what_is_killed_is_back(gateway: Gateway, role: str) -> None:
    until(gateway.answers, "the pages through the relay", 20)
    if role == "relay":
        assert gateway.relay.process is not None
        os.kill(gateway.relay.process.pid, signal.SIGKILL)
        gateway.relay.process.wait()
        gateway.start_relay()
        began = time.monotonic()
        until(lambda: _link(gateway) == 1, "the link", 5)
        assert time.monotonic() - began < 2
    else:
        gateway.radrelay.kill(role)
    until(gateway.answers, "the pages", 40)


@pytest.mark.soak
def test_a_server_in_the_dmz_is_pushed_to_and_dials_nothing_inwards(gateway: Gateway, tmp_path: Path) -> None:
    """The other way to be reached from outside: no relay, no agent, the inner firewall closed just the same."""
    settings = {
        "RADRELAY_WEB__HOST": "10.91.2.1", "RADRELAY_WEB__TLS_CERTIFICATE": str(gateway.folder / "chain.pem"),
        "RADRELAY_WEB__TLS_KEY": str(gateway.folder / "key.pem"), "RADRELAY_DICOM__HOST": "10.91.1.1",
    }  # fmt: skip
    server = Installation(tmp_path / "dmz", settings, fresh=True)
    samples = phantom_files(tmp_path / "sent", "mr-head", seed=6, slices=2)
    refused = gateway.wire.refused
    try:
        gateway.dmz.run(lambda: server.start("serve"))
        gateway.site.run(
            lambda: until(lambda: _connects("10.91.1.1", server.dicom_port), "the server in the DMZ to listen")
        )
        gateway.site.run(
            lambda: tool("storescu", "-aec", "RADRELAY", "10.91.1.1", server.dicom_port, *(o.path for o in samples))
        )
        token = server.command("token", "add", "tests", "--role", "admin").stdout.strip()

        known = {"Authorization": f"Bearer {token}"}

        def found() -> int:
            answer = gateway.ask("GET", "/dicom-web/instances", at=f"{RELAY}:{server.web_port}", headers=known)
            return len(answer.json()) if answer.status_code == 200 else 0

        until(lambda: found() == len(samples), "the study outside", 30)
        assert gateway.wire.refused == refused
    finally:
        server.stop()


PROXY = """
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend outside
    bind 10.91.2.1:8443 ssl crt {pem}
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    default_backend pages
backend pages
    server web 10.91.1.2:{web}
"""


@pytest.mark.soak
def test_a_reverse_proxy_in_the_dmz_is_let_in_to_one_port_and_tells_the_address(gateway: Gateway) -> None:
    """The simple way: TLS ends in the DMZ; the inner firewall lets the proxy in to the pages and to nothing else."""
    until(gateway.answers, "the pages", 20)
    pem, told = gateway.folder / "proxy.pem", gateway.folder / "proxy.cfg"
    pem.write_bytes((gateway.folder / "key.pem").read_bytes() + (gateway.folder / "chain.pem").read_bytes())
    told.write_text(PROXY.format(pem=pem, web=gateway.radrelay.web_port))
    gateway.wire.lets_in = {gateway.radrelay.web_port}
    proxy = gateway.dmz.run(lambda: subprocess.Popen(["/usr/sbin/haproxy", "-q", "-db", "-f", str(told)]))
    try:
        gateway.dmz.run(lambda: until(lambda: _connects("10.91.2.1", 8443), "the proxy"))
        headers = {"X-Forwarded-For": "10.0.0.9", "Host": f"{HOST}:8443", **_token(gateway)}
        answer = gateway.ask("GET", "/api/audit?action=login", at=f"{RELAY}:8443", headers=headers)
        assert answer.status_code == 200, answer.text  # which is an event itself
        exported = gateway.radrelay.command("audit", "export", "--form", "jsonl").stdout
        rows = [json.loads(row) for row in exported.splitlines()]
        found = {(row["peer"], "address_by" in row["detail"]) for row in rows if row["action"].startswith("audit.")}
        assert ("10.91.2.2", False) in found  # the caller's, as the proxy of the house's own has told it
        assert "10.0.0.9" not in {row["peer"] for row in rows}
        assert not gateway.dmz.run(lambda: _connects("10.91.1.2", gateway.radrelay.dicom_port, 0.5))
    finally:
        gateway.wire.lets_in = set()
        proxy.terminate()
        proxy.wait()


@pytest.mark.soak
def test_who_is_in_by_vpn_reaches_the_server_as_from_inside_and_nobody_else_does(gateway: Gateway) -> None:
    """A VPN as the server sees it: a device with an address of the house's; what encrypts it is not Radrelay's."""
    until(gateway.answers, "the pages", 20)
    number = os.getpid() % 100_000
    assert not gateway.outside.run(lambda: _connects("10.91.1.2", gateway.radrelay.web_port, 0.5))
    cable(gateway.site, gateway.outside, (f"rn{number}s", f"rn{number}o"))
    gateway.site.address(f"rn{number}s", "10.91.9.1/24")
    gateway.outside.address(f"rn{number}o", "10.91.9.2/24")
    assert gateway.outside.run(lambda: _connects("10.91.9.1", gateway.radrelay.web_port))
    address = f"http://10.91.9.1:{gateway.radrelay.web_port}/api/studies"
    secure = {"X-Forwarded-Proto": "https"}
    answer = gateway.outside.run(lambda: httpx2.get(address, headers=secure, trust_env=False, timeout=5))
    assert answer.status_code == 401  # as from inside: a login is asked for
    assert not gateway.outside.run(lambda: _connects("10.91.1.2", gateway.radrelay.web_port, 0.5))
    assert gateway.answers()  # and the way through the relay is as it was
