"""The pages over HTTPS by the site's own certificate."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import trustme
import uvicorn
from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from radrelay.app.doctor import pages_findings
from radrelay.app.web import tls_arguments
from radrelay.errors import Misconfigured
from radrelay.settings import Settings, WebSettings
from radrelay.web.guards import HSTS, SecurityHeaders, TlsBeyondLoopback


def certified(folder: Path, authority: trustme.CA, *, ends: datetime | None = None) -> WebSettings:
    made = authority.issue_cert("localhost", not_after=ends)
    chain, key = folder / "chain.pem", folder / "key.pem"
    made.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    return WebSettings(tls_certificate=chain, tls_key=key)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


@contextmanager
def serving(settings: WebSettings) -> Iterator[int]:
    application = SecurityHeaders(TlsBeyondLoopback(hello, settings.behind_proxy), settings.behind_proxy)
    config = uvicorn.Config(application, port=0, lifespan="off", log_config=None, **tls_arguments(settings))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def test_the_pages_end_tls_themselves_and_old_versions_of_it_are_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    with serving(certified(tmp_path, authority)) as port:
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        with urlopen(f"https://localhost:{port}/", context=trusting, timeout=10) as answer:
            assert answer.read() == b"hello"
            assert answer.headers["strict-transport-security"] == HSTS
        trusting.minimum_version = trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        with urlopen(f"https://localhost:{port}/", context=trusting, timeout=10) as answer:
            assert answer.status == 200
        trusting.set_ciphers("AES128-SHA:@SECLEVEL=0")
        with pytest.raises(URLError, match="SSL"):
            urlopen(f"https://localhost:{port}/", context=trusting, timeout=10)


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text("no certificate")
    (tmp_path / "key.pem").write_text("no key")
    settings = WebSettings(tls_certificate=tmp_path / "chain.pem", tls_key=tmp_path / "key.pem")
    with pytest.raises(Misconfigured, match=r"web\.tls_certificate"):
        tls_arguments(settings)
    with pytest.raises(ValidationError, match="set together"):
        WebSettings(tls_certificate=tmp_path / "chain.pem")
    [finding] = pages_findings(Settings(web=settings))
    assert finding.state == "bad"


def test_the_doctor_counts_the_days_of_the_certificate_and_tells_who_listens_without_one(tmp_path: Path) -> None:
    authority = trustme.CA()
    states = {}
    for days in (-1, 10, 300):
        settings = certified(tmp_path, authority, ends=datetime.now(UTC) + timedelta(days=days))
        [finding] = pages_findings(Settings(web=settings))
        states[days] = finding.state
    assert states == {-1: "bad", 10: "look", 300: "good"}
    [bare] = pages_findings(Settings(web=WebSettings(host="0.0.0.0")))
    assert (bare.state, "plain HTTP" in bare.text) == ("look", True)
    assert not list(pages_findings(Settings(web=WebSettings(host="0.0.0.0", behind_proxy=True))))
