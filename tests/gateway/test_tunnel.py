"""Through the relay to the site: who is reached, what is seen on the way, what comes back after breaks."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from radrelay.gateway.credentials import enrolments
from radrelay.gateway.enrolment import enrol
from radrelay.gateway.errors import CodeRefused, PeerGone, RelayUntrusted
from radrelay.gateway.relay import ENROL
from radrelay.gateway.secured import Secured
from tests.gateway.house import RunningRelay, answer_of, browser, house, ran, silent, until
from tests.ports import free_port

CLINIC, PRACTICE = "pictures.clinic.example", "pictures.practice.example"


def test_two_sites_on_one_relay_are_told_apart_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            clinic = await made.site("clinic", [CLINIC, "second.clinic.example"], relay)
            await made.site("practice", [PRACTICE], relay)
            assert await answer_of(relay, CLINIC, os.urandom(3_000_000)) == "clinic"
            assert await answer_of(relay, PRACTICE) == "practice"
            assert await answer_of(relay, "second.clinic.example", source="127.0.0.9") == "clinic"
            assert [one.client[0] for one in clinic.arrived] == ["127.0.0.1", "127.0.0.9"]
            with pytest.raises(ssl.SSLError, match="unrecognized name"):
                await answer_of(relay, "nobody.elsewhere.example")

    ran(scenario())


def test_more_browsers_at_once_than_were_dialled_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            site = await made.site("clinic", [CLINIC], relay, ahead=2)
            answers = await asyncio.gather(*(answer_of(relay, CLINIC, b"x" * 70_000) for _ in range(40)))
            assert answers == ["clinic"] * 40
            await until(lambda: site.agent.states[0].ahead >= 2, "the pool to fill again")
            await until(lambda: not relay.running.lobby.limits.total, "all to be counted as closed")

    ran(scenario())


def test_a_site_with_two_relays_is_reached_by_either_and_lives_on_with_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            one, other = await made.relay("one"), await made.relay("other")
            await made.site("clinic", [CLINIC], one, other)
            assert await answer_of(one, CLINIC) == await answer_of(other, CLINIC) == "clinic"
            await one.stop()
            assert await answer_of(other, CLINIC) == "clinic"
            await one.start()
            assert await answer_of(one, CLINIC) == "clinic"

    ran(scenario())


def test_a_relay_that_was_killed_has_its_site_back_within_two_seconds(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            site = await made.site("clinic", [CLINIC], relay)
            await relay.stop()
            await until(lambda: not site.agent.states[0].connected, "the break to be noticed")
            await asyncio.sleep(1.0)
            await relay.start()
            assert await until(lambda: site.connected, "the link") < 2
            assert site.agent.states[0].breaks == 1
            assert await answer_of(relay, CLINIC) == "clinic"

    ran(scenario())


def test_a_browser_waits_for_a_site_whose_agent_is_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay(patience_s=4)
            await made.enrolled(relay, "clinic", [CLINIC])
            early = asyncio.create_task(answer_of(relay, CLINIC))
            await asyncio.sleep(0.2)
            assert not early.done()
            await made.run_site("clinic", [CLINIC])
            assert await early == "clinic"

    ran(scenario())


def test_a_site_that_stays_away_is_told_by_an_alert(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay(patience_s=0.3)
            await made.enrolled(relay, "clinic", [CLINIC])
            with pytest.raises(ssl.SSLError, match="internal error"):
                await answer_of(relay, CLINIC)
            assert relay.running.lobby.refused["site-away"] == 1

    ran(scenario())


def test_both_sides_notice_a_connection_that_only_looks_open(tmp_path: Path) -> None:
    """Between the two stands a line that swallows everything from some moment on and closes nothing."""

    async def scenario() -> None:
        relay_port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with house(tmp_path) as made, Line(relay_port) as line:
            relay = await made.relay()
            relay_port.set_result(relay.running.agents_port)
            site_folder = tmp_path / "clinic" / "relays"
            await made.enrolled(relay, "clinic", [CLINIC])
            enrolment = enrolments(site_folder)[0]
            (enrolment.folder / "relay").write_text(f"127.0.0.1:{line.port}")
            site = await made.run_site("clinic", [CLINIC])
            await until(lambda: site.connected, "the link")
            line.swallows = True
            await until(lambda: not relay.running.agents.by_site, "the relay to notice", 3.0)
            await until(lambda: not site.agent.states[0].connected, "the agent to notice", 3.0)
            line.swallows = False
            assert await until(lambda: site.connected, "the link") < 2.5
            assert await answer_of(relay, CLINIC) == "clinic"

    ran(scenario())


def test_a_code_counts_once_in_its_time_and_for_its_relay_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay, other = await made.relay(), await made.relay("other")
            relay.site("clinic", [CLINIC])
            code = relay.code("clinic")
            with pytest.raises(RelayUntrusted):
                await enrol(tmp_path / "site", other.address, code)
            with pytest.raises(CodeRefused):
                await enrol(tmp_path / "site", relay.address, code[:-6])
            kept, _ = await enrol(tmp_path / "site", relay.address, code.lower().replace("-", " "))
            assert oct(next(kept.folder.glob("agent.pem")).stat().st_mode & 0o777) == "0o600"
            late = relay.code("clinic")
            tries = asyncio.gather(*(_refused(tmp_path, relay, one) for one in (code, late)))
            made.clock.advance(timedelta(minutes=61))
            assert await tries == [True, True]

    ran(scenario())


async def _refused(folder: Path, relay: RunningRelay, code: str) -> bool:
    try:
        await enrol(folder / "again", relay.address, code)
    except CodeRefused:
        return True
    return False


def test_a_revoked_site_is_cut_off_at_once_and_does_not_come_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay(patience_s=0.2)
            site = await made.site("clinic", [CLINIC], relay)
            registry = relay.registry()
            assert registry.revoke("clinic", made.clock.now()) == 1
            registry.close()
            await until(lambda: not relay.running.agents.by_site, "the site to be cut off", 1.5)
            trouble = "gateway-certificate-refused"
            await until(lambda: site.agent.states[0].trouble == trouble, "the agent to be told", 3.0)
            with pytest.raises(ssl.SSLError):
                await answer_of(relay, CLINIC)
            await made.enrolled(relay, "clinic", [CLINIC])
            await until(lambda: site.connected, "the site to be back once it is enrolled anew", 3.0)

    ran(scenario())


def test_a_certificate_renews_itself_with_a_new_key(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            made.clock.advance(timedelta(days=-21))
            relay = await made.relay()
            kept = await made.enrolled(relay, "clinic", [CLINIC])
            before = (kept.folder / "agent.pem").read_bytes()
            made.clock.advance(timedelta(days=21))
            site = await made.run_site("clinic", [CLINIC])
            await until(lambda: (kept.folder / "agent.pem").read_bytes() != before, "a new certificate")
            await until(lambda: site.connected, "the link")
            assert kept.ends_at > made.clock.now() + timedelta(days=29)
            assert b"PRIVATE KEY" in before
            assert (kept.folder / "agent.pem").read_bytes().split(b"-----")[2] not in before
            assert site.agent.states[0].breaks == 0
            assert await answer_of(relay, CLINIC) == "clinic"

    ran(scenario())


def test_foreign_and_expired_certificates_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay, other = await made.relay(), await made.relay("other")
            await made.enrolled(other, "clinic", [CLINIC])
            foreign = enrolments(tmp_path / "clinic" / "relays")[0]
            (foreign.folder / "relay").write_text(str(relay.address))  # it calls the wrong one
            site = await made.run_site("clinic", [CLINIC])
            await until(lambda: site.agent.states[0].trouble == "gateway-relay-untrusted", "a foreign relay refused")
            authority = (tmp_path / "relay" / "authority.pem").read_text()
            (foreign.folder / "authority.pem").write_text(authority)  # now only its own certificate is foreign
            trouble = "gateway-certificate-refused"
            await until(lambda: site.agent.states[0].trouble == trouble, "a foreign agent refused")
            assert not relay.running.agents.by_site

    ran(scenario())


def test_an_agent_whose_certificate_has_ended_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            made.clock.advance(timedelta(days=-40))
            relay = await made.relay()
            await made.enrolled(relay, "clinic", [CLINIC])
            made.clock.advance(timedelta(days=40))
            await relay.stop()
            await relay.start()  # whose own certificate is new, as after 45 days by itself
            site = await made.run_site("clinic", [CLINIC])
            trouble = "gateway-certificate-refused"
            await until(lambda: site.agent.states[0].trouble == trouble, "the agent to be told")

    ran(scenario())


def test_ten_thousand_connections_that_say_nothing_hinder_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay(
                max_unfinished=1000, per_address_unfinished=20, per_address_rate=1e4, per_address_burst=100_000
            )
            site = await made.site("clinic", [CLINIC], relay)
            flood: list[socket.socket] = []
            try:
                for number in range(10_000):
                    flood.append(silent(relay, f"127.{1 + number % 200}.0.1"))
                    if number % 100 == 0:
                        await asyncio.sleep(0)
                    if number % 2000 == 1999:
                        assert await answer_of(relay, CLINIC) == "clinic"
                lobby = relay.running.lobby
                await until(lambda: lobby.refused.total() >= 9_000, "the flood to be turned away")
                assert lobby.unfinished <= 1000
                assert len(site.arrived) == 5
            finally:
                for sock in flood:
                    sock.close()

    ran(scenario())


def test_one_address_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay(per_address=5, hello_timeout_s=0.3)
            await made.site("clinic", [CLINIC], relay)
            held = [
                await asyncio.open_connection(
                    "127.0.0.1", relay.running.public_port, ssl=browser(), server_hostname=CLINIC
                )
                for _ in range(5)
            ]
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await answer_of(relay, CLINIC)
            assert await answer_of(relay, CLINIC, source="127.0.0.2") == "clinic"
            held.pop()[1].close()
            await until(lambda: relay.running.lobby.limits.total <= 4, "its place to be free")
            assert await answer_of(relay, CLINIC) == "clinic"
            slow = silent(relay, "127.0.0.3")
            slow.send(b"\x16\x03\x01")
            slow.setblocking(False)
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(slow, 10), 2) == b""
            slow.close()
            for _, writer in held:
                writer.close()

    ran(scenario())


def test_who_says_nothing_at_the_agents_port_keeps_no_agent_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            held = []
            for number in range(600):
                sock = socket.socket()
                sock.bind((f"127.0.0.{2 + number % 3}", 0))
                sock.connect(("127.0.0.1", relay.running.agents_port))
                held.append(sock)
            await asyncio.sleep(0)
            await made.site("clinic", [CLINIC], relay)
            assert await answer_of(relay, CLINIC) == "clinic"
            for sock in held:
                sock.close()

    ran(scenario())


def test_who_shows_no_certificate_after_the_handshake_is_counted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radrelay.gateway.relay.MOST_SHAKING_OF_ONE", 3)

    async def anybody(relay: RunningRelay, source: str) -> Secured:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([ENROL])
        sock = socket.socket()
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", relay.running.agents_port))
        sock.setblocking(False)
        try:
            return await Secured.connect(sock, context, "relay")
        except (OSError, PeerGone):
            sock.close()
            raise

    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            held = [await anybody(relay, "127.0.0.2") for _ in range(3)]
            with pytest.raises((OSError, PeerGone)):
                await anybody(relay, "127.0.0.2")
            await made.site("clinic", [CLINIC], relay, ahead=8)  # whose connections are more than three
            assert await answer_of(relay, CLINIC) == "clinic"
            for one in held:
                one.close()

    ran(scenario())


def test_without_descriptors_the_relay_waits_and_does_not_spin(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.socket() as coming, ExitStack() as taken:
                resource.setrlimit(resource.RLIMIT_NOFILE, (coming.fileno() + 1, before[1]))
                try:
                    with suppress(OSError):
                        while True:
                            taken.callback(os.close, os.dup(coming.fileno()))
                    coming.connect(("127.0.0.1", relay.running.agents_port))
                    began = time.process_time()
                    await asyncio.sleep(0.3)
                    assert time.process_time() - began < 0.08
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, before)
            await made.enrolled(relay, "clinic", [CLINIC])

    ran(scenario())


def test_plain_http_and_plain_dicom_do_not_reach_the_site(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made:
            relay = await made.relay()
            site = await made.site("clinic", [CLINIC], relay)
            port = free_port()
            relay.site("clinic", [CLINIC], [port])
            await until(lambda: _listens(port), "the port of the site")
            await until(lambda: site.agent.states[0].ports == [port], "the site to be told of it")
            for at, said, told in (
                (relay.running.public_port, b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
                (port, bytes((1, 0, 0, 0, 0, 4, 0, 1, 0, 0)), b"\x15\x03"),
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", at)
                writer.write(said)
                assert (await reader.read()).startswith(told)
                writer.close()
            assert not site.arrived

    ran(scenario())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Line:
    """A line between agent and relay that can fall silent."""

    def __init__(self, target: asyncio.Future[int]) -> None:
        self._target = target
        self.swallows = False
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", await self._target)
        self._writers += [writer, other_writer]
        await asyncio.gather(self._pass(reader, other_writer), self._pass(other_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if not self.swallows:
                    writer.write(data)
            if not self.swallows:
                writer.close()
        except OSError:
            writer.transport.abort()
