"""Certificates for outside by ACME, from a real authority, through relay and agent; what runs stays whatever fails."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.server import ServerState

from radrelay.app.request_heads import BoundedHeads
from radrelay.app.tunnelled import Tunnelled
from radrelay.audit import ADDRESS_BY
from radrelay.clock import FixedClock
from radrelay.gateway.acme_account import AcmeAccount
from radrelay.gateway.acme_client import AcmeClient
from radrelay.gateway.acme_files import AcmeFiles
from radrelay.gateway.agent import Agent
from radrelay.gateway.authority import new_key, private_pem
from radrelay.gateway.challenges import Challenges
from radrelay.gateway.public import checked, facts_of
from radrelay.gateway.renewing import Outcome, Renewing
from radrelay.settings import Settings
from tests.gateway.house import House, RunningRelay, house, ran, until
from tests.gateway.pebble import BOUND, Pebble, pebble

HOST, SECOND = "pictures.clinic.example", "second.clinic.example"


@dataclass
class Site:
    """A site whose pages end TLS as the role `web` does, and what looks after its certificate."""

    relay: RunningRelay
    files: AcmeFiles
    answers: Challenges
    clock: FixedClock

    async def look(self, trust: Path, *hosts: str) -> Outcome | None:
        renewing = Renewing(self.files, self.answers, self.clock, trust, AcmeClient)
        return await asyncio.to_thread(renewing.look, hosts)

    async def served(self) -> tuple[str, bytes]:
        """Return the certificate that a browser is shown, and the page."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = self.relay.running.public_port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        page = (await reader.read()).partition(b"\r\n\r\n")[2]
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return ssl.DER_cert_to_PEM_cert(shown), page


@asynccontextmanager
async def site(made: House) -> AsyncIterator[Site]:
    relay = await made.relay()
    await made.enrolled(relay, "clinic", [HOST, SECOND])
    folder, stop = made.folder / "clinic" / "gateway", asyncio.Event()
    (made.folder / "clinic" / "relays").rename(folder.parent / "moved")
    folder.mkdir()
    (folder.parent / "moved").rename(folder / "relays")
    agent = Agent(folder, made.clock, ahead=4, health_port=0)
    task = asyncio.create_task(agent.run(stop))
    files, answers = AcmeFiles(folder, b"m" * 32), Challenges()
    application = Starlette(routes=[Route("/", lambda request: PlainTextResponse(f"clinic, by {ADDRESS_BY.get()}"))])
    config = uvicorn.Config(application, http=BoundedHeads, log_config=None)
    config.load()
    state = ServerState()
    tunnelled = Tunnelled(
        Settings(data_dir=folder.parent), lambda: BoundedHeads(config=config, server_state=state, app_state={}),
        files.password, answers,
    )  # fmt: skip
    try:
        await until(lambda: agent.states and agent.states[0].ahead, "the agent's link")
        yield Site(relay, files, answers, FixedClock(made.clock.now()))
    finally:
        tunnelled.close()
        stop.set()
        await task


def account(authority: Pebble, **more: object) -> AcmeAccount:
    return AcmeAccount(authority.directory, ("admin@clinic.example",), **({"terms_accepted": True} | more))  # type: ignore[arg-type]


def test_a_certificate_is_given_renewed_and_kept_whatever_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path / "house") as made, site(made) as clinic:
            with pebble(tmp_path / "pebble", clinic.relay.running.public_port) as authority:
                clinic.files.keep_plan(account(authority, terms_accepted=False))
                refused = await clinic.look(authority.trust, HOST)
                assert refused is not None
                assert (refused.state.code, refused.state.failures) == ("gateway-acme-terms-open", 1)
                assert await clinic.look(authority.trust, HOST) is None  # not before its pause is over

                clinic.files.keep_plan(account(authority))
                given = await clinic.look(authority.trust, HOST)
                assert given is not None
                assert given.facts is not None, given.state
                assert given.facts.names == (HOST,)
                first, page = await clinic.served()
                assert page == b"clinic, by relay"
                assert first.encode() in clinic.files.certificate.read_bytes()
                assert b"ENCRYPTED PRIVATE KEY" in clinic.files.certificate.read_bytes()
                life = given.facts.ends_at - given.facts.begins_at
                renews_at = given.state.renews_at
                assert renews_at is not None
                assert 0.66 < (renews_at - given.facts.begins_at) / life < 0.69
                assert await clinic.look(authority.trust, HOST) is None
                assert not clinic.answers.any

                clinic.clock.advance(renews_at - clinic.clock.now() + timedelta(seconds=1))
                foreign = await clinic.look(authority.trust, HOST, "nobody.elsewhere.example")
                assert foreign is not None
                assert foreign.state.code == "gateway-acme-not-reached"
                assert "nobody.elsewhere.example" in foreign.state.detail
                assert (await clinic.served())[0] == first
                clinic.clock.advance(timedelta(minutes=19))
                renewed = await clinic.look(authority.trust, HOST)
                assert renewed is not None
                assert renewed.facts is not None
                assert (renewed.state.failures, renewed.state.code) == (0, "")
                second, page = await clinic.served()  # the same process, nothing started again
                assert (second != first, page) == (True, b"clinic, by relay")

            away = await clinic.look(authority.trust, HOST, SECOND)  # a new name: asked for at once
            assert away is not None
            assert away.state.code == "gateway-acme-unreachable"
            assert (await clinic.served())[0] == second
            assert facts_of(clinic.files.certificate.read_bytes()).names == (HOST,)

    ran(scenario())


def test_an_authority_that_wants_its_own_accounts_gets_the_binding(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path / "house") as made, site(made) as clinic:
            with pebble(tmp_path / "pebble", clinic.relay.running.public_port, bound=True) as authority:
                for binding, code in (
                    (None, "gateway-acme-binding-wanted"), (("strange", BOUND[1]), "gateway-acme-refused"), (BOUND, ""),
                ):  # fmt: skip
                    clinic.files.keep_plan(account(authority, binding=binding))
                    assert BOUND[1].encode() not in (clinic.files.certificate.parent / "acme.json").read_bytes()
                    outcome = await clinic.look(authority.trust, HOST)
                    assert outcome is not None
                    assert outcome.state.code == code, outcome.state
                clinic.files.keep_plan(AcmeAccount(authority.directory.replace("/dir", "/nothing"), binding=BOUND))
                clinic.files.certificate.unlink()
                outcome = await clinic.look(authority.trust, HOST)
                assert outcome is not None
                assert outcome.state.code == "gateway-acme-unclear"

    ran(scenario())


def issued(host: str) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """Return a certificate for ninety days, signed by itself, and its key."""
    key, name, now = new_key(), x509.Name([]), datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, now, now + timedelta(days=90))
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.PEM), key


class Wishing:
    """An authority with a wish of its own (RFC 9773), which Pebble of this version has not."""

    def __init__(self, wish: datetime | None, host: str = "other.clinic.example") -> None:
        self.wish, self.host = wish, host
        self.asked = self.ordered = 0

    def renewal(self, chain: bytes) -> datetime | None:
        self.asked += 1
        return self.wish

    def order(self, hosts: Sequence[str], answers: Challenges) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
        self.ordered += 1
        return issued(self.host)

    def close(self) -> None:
        pass


def test_an_early_wish_of_the_authority_counts_and_a_certificate_for_other_names_does_not(tmp_path: Path) -> None:
    clock = FixedClock(datetime.now(UTC))
    files = AcmeFiles(tmp_path, b"m" * 32)
    chain, key = issued(HOST)
    files.keep_plan(AcmeAccount("https://acme.example/dir", terms_accepted=True))
    files.keep_certificate(checked(chain, private_pem(key), clock.now(), files.password)[0])
    authority = Wishing(clock.now() + timedelta(days=2))
    renewing = Renewing(files, Challenges(), clock, None, lambda account, key: authority)
    assert [renewing.look([HOST]) for _ in range(3)] == [None] * 3
    assert (authority.asked, authority.ordered) == (1, 0)  # asked once in six hours
    assert files.state().renews_at == authority.wish
    clock.advance(timedelta(days=2, seconds=1))
    outcome = renewing.look([HOST])
    assert outcome is not None
    assert outcome.state.code == "gateway-certificate-not-the-names"
    assert facts_of(files.certificate.read_bytes()).names == (HOST,)  # what runs stays


@pytest.mark.parametrize("early", [True, False])
def test_a_full_disk_costs_no_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, early: bool) -> None:
    clock = FixedClock(datetime.now(UTC))
    files, authority = AcmeFiles(tmp_path, b"m" * 32), Wishing(None, HOST)
    files.keep_plan(AcmeAccount("https://acme.example/dir", terms_accepted=True))
    files.account_key()
    renewing = Renewing(files, Challenges(), clock, None, lambda account, key: authority)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("radrelay.gateway.acme_files.write_durably", full)
        if early:
            disk.setattr(os, "fsync", full)
        outcome = renewing.look([HOST])
        assert outcome is not None
        assert (outcome.state.code, outcome.state.failures) == ("gateway-folder-unwritable", 1)
        assert authority.ordered == (0 if early else 1)
        clock.advance(timedelta(minutes=5))
        assert renewing.look([HOST]) is None
    clock.advance(timedelta(minutes=15))
    outcome = renewing.look([HOST])
    assert outcome is not None
    assert outcome.facts is not None
    assert files.state().failures == 0
