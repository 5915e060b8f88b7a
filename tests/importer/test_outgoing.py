"""The way out: to portals on the internet, to the address that was judged, within limits, no secret elsewhere."""

from __future__ import annotations

import gzip
import ipaddress
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from radrelay.errors import Misconfigured
from radrelay.importer.errors import (
    AddressRefused,
    HostInside,
    HostNotAllowed,
    NotEncrypted,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalStalled,
    PortalTrouble,
    PortalUnclear,
    PortalUnreachable,
    PortalUntrusted,
    TooManyRedirects,
)
from radrelay.importer.going_out import outgoing_of, require_confirmable
from radrelay.importer.judging import Judge, is_public, resolve
from radrelay.importer.line import Limits, Proxy
from radrelay.importer.outgoing import Reply, Request, Session
from radrelay.importer.places import target_of
from radrelay.importer.secret import Secret
from radrelay.settings import ImporterSettings, Settings, WebSettings
from tests.importer.portal import HASTY, NAME, PATIENT, Asked, Portal, outgoing, portal

BEARER = {"Authorization": "Bearer aaa.bbb.ccc"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def running(authority: trustme.CA) -> Iterator[Portal]:
    with portal(authority, NAME, "other.test") as made:
        yield made


@pytest.fixture
def here(running: Portal) -> Portal:
    running.answers.clear()
    running.asked.clear()
    return running


def get(session: Session, url: str, credentials: dict[str, str] | None = None) -> Reply:
    return session.ask(Request("GET", url, credentials=credentials or {}))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.0.8",
        "192.0.2.1", "198.51.100.1", "203.0.113.9", "192.88.99.1",
        "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8",
        "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:a00:1::1",
        "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "100::1",
        "2a00:1450::5efe:a00:1", "5f00::1", "4000::1",
    ],
)  # fmt: skip
def test_no_address_inside_a_house_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused):
        Judge(lambda host, port: [address]).addresses("portal.example", 443)
    with pytest.raises(AddressRefused):
        Judge(lambda host, port: ["8.8.8.8", address]).addresses("portal.example", 443)
    with pytest.raises(AddressRefused):
        Judge(lambda host, port: []).addresses(address, 443)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2a00:1450:4001::200e", "64:ff9b::8.8.8.8", "172.32.0.1", "100.128.0.1"]
)
def test_addresses_of_the_internet_pass(address: str) -> None:
    assert Judge(lambda host, port: [address]).addresses("portal.example", 443) == [address]


def test_a_resolver_that_stalls_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [over.wait(20)][1:])
    with pytest.raises(PortalUnreachable) as late:
        resolve("portal.example", 443, 0.05)
    over.set()
    assert late.value.facts["reason"] == "the name was not found in time"
    monkeypatch.undo()
    assert resolve("127.0.0.1", 443) == ["127.0.0.1"]
    with pytest.raises(PortalUnreachable):
        resolve("a" * 64 + ".example", 443)


def test_this_installations_own_addresses_do_not_pass() -> None:
    judge = Judge(lambda host, port: ["8.8.4.4"], own=lambda: frozenset({"8.8.4.4"}))
    with pytest.raises(AddressRefused):
        judge.addresses("radrelay.example", 443)
    assert not judge.passes("64:ff9b::808:404")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0x7f.1", "1.2.3.0x1", "017700000001"])
def test_numbers_that_only_old_parsers_read_are_no_hosts(host: str) -> None:
    with pytest.raises(AddressRefused):
        Judge(lambda host, port: ["8.8.8.8"]).addresses(host, 443)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pin@portal.example/", "https://portal.example\\@evil.example/", "https://portal.example/ x",
        "https://portal.example/\r\nX: y", "https://", "https://portal.example:0/", "https://portal.example:99999/",
        "https://por_tal..example/", "https://[::1/", "https://a%2fb.example/", "https://\x00/",
    ],
)  # fmt: skip
def test_addresses_that_hide_something_are_none(url: str) -> None:
    with pytest.raises(AddressRefused):
        target_of(url)


@pytest.mark.parametrize(
    "url", ["http://portal.example/", "ftp://portal.example/", "file:///etc/passwd", "http://127.0.0.1/"]
)
def test_nothing_is_asked_without_encryption(url: str) -> None:
    with pytest.raises((NotEncrypted, AddressRefused)):
        target_of(url)


def test_a_name_in_other_letters_is_one_name() -> None:
    assert target_of("https://MÜNCHEN.example./a?b=ü").url == "https://xn--mnchen-3ya.example/a?b=%C3%BC"


def test_a_host_is_asked_only_if_it_is_allowed(here: Portal, authority: trustme.CA) -> None:
    asked: list[str] = []

    def never(host: str) -> bool:
        asked.append(host)
        return False

    way = outgoing(authority, allows=never)
    with pytest.raises(HostNotAllowed) as refused:
        get(way.session(), here.url("/"))
    assert (asked, here.asked) == ([f"{NAME}:{here.port}"], [])
    assert refused.value.facts["host"] == f"{NAME}:{here.port}"


@pytest.mark.parametrize(
    "host",
    ["10.0.0.5", "169.254.169.254", "[::1]", "[fe80::1]", "0x7f.1", "8.8.4.4", "localhost", "pacs", "pacs.clinic.local",
     "mine.example"],
)  # fmt: skip
def test_what_is_inside_is_refused_at_once_and_not_offered_to_be_confirmed(host: str) -> None:
    def never(host: str, port: int) -> list[str]:
        raise AssertionError("no name is resolved for it")

    way = outgoing(allows=lambda host: False)
    way = replace(way, judge=Judge(never, own=lambda: frozenset({"8.8.4.4"}), own_name="mine.example"))
    with pytest.raises(AddressRefused):
        way.target(f"https://{host}/")
    with pytest.raises(HostNotAllowed):
        way.target("https://portal.example/")
    allowed = replace(way, allows=lambda host: True)
    assert allowed.target("https://pacs.clinic.local/").host == "pacs.clinic.local"  # and judged by where it leads


def test_only_what_may_be_a_portal_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Settings(web=WebSettings(address="https://mine.example"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    where = {"inside.example": ["192.168.0.7"], "portal.example": ["8.8.8.8"]}

    def resolver(host: str, port: int) -> list[str]:
        if host not in where:
            raise PortalUnreachable(host=host)
        return where[host]

    for host in ("inside.example", "10.0.0.5", "10.0.0.5:8443", "localhost", "mine.example", "inside.example:8443"):
        with pytest.raises(HostInside) as refused:
            require_confirmable(told, host, resolver)
        assert (refused.value.http_status, refused.value.facts) == (409, {"host": host})
    require_confirmable(told, "portal.example:8443", resolver)
    require_confirmable(told, "unknown.example", resolver)


def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(here: Portal, authority: trustme.CA) -> None:
    here.answers["/"] = lambda asked: asked.give(200, b"{}")
    assert get(outgoing(authority).session(), here.url("/")).json() == {}
    with pytest.raises(PortalUntrusted):
        get(outgoing(authority).session(), here.url("/", "stranger.test"))
    with pytest.raises(PortalUntrusted):
        get(outgoing().session(), here.url("/"))


def test_a_name_that_changes_between_check_and_use_leads_nowhere_else(here: Portal, authority: trustme.CA) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]]
    here.answers["/"] = lambda asked: asked.give(200, b"{}")
    session = outgoing(authority, resolve=lambda host, port: answers.pop(0)).session()
    assert get(session, here.url("/")).status == 200  # judged and used: the same, resolved once
    assert len(answers) == 2
    for _ in range(2):
        with pytest.raises(AddressRefused):
            get(session, here.url("/"))
    assert len(here.asked) == 1


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("https://169.254.169.254/latest/meta-data", AddressRefused), ("https://10.0.0.1/", AddressRefused),
        ("https://[::ffff:10.0.0.1]/", AddressRefused), ("https://[fe80::1]/", AddressRefused),
        ("https://inside.test/", AddressRefused), ("http://portal.test/", NotEncrypted),
        ("//10.1.1.1/", AddressRefused),
        ("file:///etc/passwd", AddressRefused), ("https://user@portal.test/", AddressRefused),
        ("https://[::1", AddressRefused),
        ("https://elsewhere.test/", HostNotAllowed), ("gopher://127.0.0.1:25/", NotEncrypted),
    ],
)  # fmt: skip
def test_redirects_are_judged_anew(
    here: Portal, authority: trustme.CA, location: str, error: type[PortalTrouble]
) -> None:
    here.answers["/"] = lambda asked: asked.give(302, b"", Location=location)
    way = outgoing(
        authority,
        resolve=lambda host, port: ["192.168.0.7"] if host == "inside.test" else ["127.0.0.1"],
        allows=lambda host: not host.startswith("elsewhere"),
    )
    with pytest.raises(error) as refused:
        get(way.session(), here.url("/"))
    if error is HostNotAllowed:
        assert refused.value.facts == {"host": "elsewhere.test", "led_by": f"{NAME}:{here.port}"}


def test_a_redirect_to_this_machine_does_not_pass_outside_of_tests() -> None:
    judge = Judge(lambda host, port: ["127.0.0.1"])
    for host in ("localhost", "127.0.0.1", "::1", "portal.example"):
        with pytest.raises(AddressRefused):
            judge.addresses(host, 443)


def test_redirects_end(here: Portal, authority: trustme.CA) -> None:
    here.answers["/"] = lambda asked: asked.give(302, b"", Location="/")
    with pytest.raises(TooManyRedirects):
        get(outgoing(authority).session(), here.url("/"))
    assert len(here.asked) == PATIENT.most_redirects + 1


def test_credentials_and_cookies_stay_with_their_host(here: Portal, authority: trustme.CA) -> None:
    here.answers["/in"] = lambda asked: asked.give(200, b"", Set_Cookie="sid=s3cret; Domain=test; Path=/")
    here.answers["/a"] = lambda asked: asked.give(302, b"", Location=here.url("/b", "other.test"))
    here.answers["/b"] = lambda asked: asked.give(302, b"", Location=here.url("/c"))
    here.answers["/c"] = lambda asked: asked.give(200, b"here")
    session = outgoing(authority).session()
    get(session, here.url("/in"))
    assert get(session, here.url("/a"), credentials=BEARER).body == b"here"
    sent = {path: headers for _, path, headers, _ in here.asked}
    assert sent["/a"]["Authorization"] == BEARER["Authorization"]
    assert sent["/a"]["Cookie"] == sent["/c"]["Cookie"] == "sid=s3cret"
    assert {"Authorization", "Cookie", "Referer"} & sent["/b"].keys() == set()
    assert "Authorization" not in sent["/c"]  # who was sent by another host comes without


def test_answers_are_not_carried_to_another_host(here: Portal, authority: trustme.CA) -> None:
    here.answers["/form"] = lambda asked: asked.give(307, b"", Location=here.url("/taken", "other.test"))
    with pytest.raises(HostNotAllowed):
        outgoing(authority).session().ask(Request("POST", here.url("/form"), body=b"19700101"))
    here.answers["/form"] = lambda asked: asked.give(303, b"", Location=here.url("/taken", "other.test"))
    here.answers["/taken"] = lambda asked: asked.give(200, b"thanks")
    outgoing(authority).session().ask(Request("POST", here.url("/form"), body=b"19700101"))
    assert [(method, body) for method, path, _, body in here.asked if path == "/taken"] == [("GET", b"")]


def stalls_before_the_head(asked: Asked) -> None:
    asked.hang()


def stalls_in_the_body(asked: Asked) -> None:
    asked.head(200, "application/json", 100)
    asked.wfile.write(b"{")
    asked.hang()


def drips(asked: Asked) -> None:
    asked.head(200, "application/json", 100_000)
    while not asked.server.portal.over.wait(0.02):
        asked.wfile.write(b" ")


def drips_its_head(asked: Asked) -> None:
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not asked.server.portal.over.wait(0.02):
        asked.wfile.write(b"x")


def drips_its_chunk_sizes(asked: Asked) -> None:
    asked.head(200, "application/json", None, Transfer_Encoding="chunked")
    asked.wfile.write(b"1\r\n{\r\n1;x=")
    while not asked.server.portal.over.wait(0.02):
        asked.wfile.write(b"x")


@pytest.mark.parametrize(
    "answer", [stalls_before_the_head, stalls_in_the_body, drips, drips_its_head, drips_its_chunk_sizes]
)
def test_a_portal_that_stalls_is_left(authority: trustme.CA, answer: object) -> None:
    with portal(authority) as made:
        made.answers["/"] = answer  # type: ignore[assignment]  # it is one
        with pytest.raises(PortalStalled):
            get(outgoing(authority, limits=HASTY).session(), made.url("/"))


def test_a_port_that_never_speaks_tls_is_left() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        url = f"https://{NAME}:{mute.getsockname()[1]}/"
        with pytest.raises(PortalUnreachable):
            get(outgoing(limits=Limits(connect_s=0.2)).session(), url)


def test_nobody_there() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(PortalUnreachable):
        get(outgoing().session(), f"https://{NAME}:{port}/")


@pytest.mark.parametrize("length", [None, 4 << 20])
def test_answers_beyond_the_limit_are_not_read(here: Portal, authority: trustme.CA, length: int | None) -> None:
    def much(asked: Asked) -> None:
        asked.head(200, "application/json", length)
        asked.wfile.write(b" " * (4 << 20))

    here.answers["/"] = much
    with pytest.raises(ParcelTooLarge):
        get(outgoing(authority).session(), here.url("/"))


def test_a_small_answer_that_unpacks_to_a_large_one_is_not_read(here: Portal, authority: trustme.CA) -> None:
    bomb = gzip.compress(bytes(64 << 20), 1)
    here.answers["/"] = lambda asked: asked.give(200, bomb, Content_Encoding="gzip")
    with pytest.raises(ParcelTooLarge):
        get(outgoing(authority).session(), here.url("/"))
    here.answers["/"] = lambda asked: asked.give(200, gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")
    assert get(outgoing(authority).session(), here.url("/")).json() == {"a": 1}
    here.answers["/"] = lambda asked: asked.give(200, gzip.compress(b"{}")[:-9], Content_Encoding="gzip")
    with pytest.raises(PortalBrokeOff):
        get(outgoing(authority).session(), here.url("/"))
    here.answers["/"] = lambda asked: asked.give(200, b"{}", Content_Encoding="br")
    with pytest.raises(PortalUnclear):
        get(outgoing(authority).session(), here.url("/"))


def speaks_ssh(asked: Asked) -> None:
    asked.wfile.write(b"SSH-2.0-token19700101\r\n")


def test_what_is_no_http_is_said_so(authority: trustme.CA) -> None:
    with portal(authority) as made:
        made.answers["/"] = speaks_ssh
        with pytest.raises(PortalBrokeOff) as broken:
            get(outgoing(authority).session(), made.url("/"))
    assert "19700101" not in "".join(traceback.format_exception(broken.value))


def test_no_secret_in_errors_and_logs(here: Portal, authority: trustme.CA, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "T0K3N-OF-PAPER"
    here.answers[f"/token/{secret}"] = lambda asked: asked.give(302, b"", Location=f"https://10.0.0.1/{secret}")
    session = outgoing(authority, allows=lambda host: "deny" not in host).session()
    told = [repr(Secret(secret)), str(Secret(secret)), f"{Secret(secret)}"]
    for url in (here.url(f"/token/{secret}"), f"https://deny.test/{secret}", f"http://portal.example/?token={secret}",
                f"https://portal.test:1/?token={secret}", here.url(f"/?token={secret}%0d", "stranger.test"),
                f"https://{secret}@portal.test/", f"https://[{secret}/"):  # fmt: skip
        request = Request("GET", url, credentials={"Authorization": f"Bearer {secret}"}, body=secret.encode())
        told.append(repr(request))
        with pytest.raises(PortalTrouble) as raised:
            session.ask(request)
        told += [*traceback.format_exception(raised.value), repr(raised.value.facts)]
    assert secret not in "".join(told) + caplog.text
    assert Secret(secret).fingerprint != Secret("another").fingerprint
    assert len(Secret(secret).fingerprint) == 64


class Tunnel:
    """A proxy that tunnels to one portal and writes down what it was asked for."""

    def __init__(self, port: int, refusal: bytes = b"") -> None:
        self.asked: list[str] = []
        self._port, self._refusal = port, refusal
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        made, _ = self._listening.accept()
        with made:
            head = b""
            while b"\r\n\r\n" not in head:
                head += made.recv(4096)
            self.asked.append(head.decode())
            if self._refusal:
                made.sendall(self._refusal)
                return
            with socket.create_connection(("127.0.0.1", self._port)) as onward:
                made.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._pump, args=(onward, made))
                back.start()
                self._pump(made, onward)
                back.join()

    @staticmethod
    def _pump(source: socket.socket, goal: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                goal.sendall(piece)
            goal.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._listening.close()
        self._thread.join()


@pytest.mark.parametrize("resolves", [False, True])
def test_the_sites_proxy_is_asked_for_the_judged_address(
    here: Portal, authority: trustme.CA, *, resolves: bool
) -> None:
    here.answers["/"] = lambda asked: asked.give(200, b"{}")
    with closing(Tunnel(here.port)) as tunnel:
        proxy = Proxy(f"http://site:p%40ss@127.0.0.1:{tunnel.port}", resolves=resolves)
        way = outgoing(authority, resolve=lambda host, port: ["8.8.8.8"], proxy=proxy)
        assert get(way.session(), here.url("/"), credentials=BEARER).status == 200
    goal = NAME if resolves else "8.8.8.8"
    assert tunnel.asked[0].startswith(f"CONNECT {goal}:{here.port} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic c2l0ZTpwQHNz" in tunnel.asked[0]
    assert "Bearer" not in tunnel.asked[0]
    assert "p%40ss" not in repr(proxy)
    assert "Proxy-Authorization" not in here.told()
    for host in ("10.0.0.1", "[::1]", "0x7f.1"):
        with pytest.raises(AddressRefused):
            get(outgoing(authority, proxy=proxy, loopback=False).session(), f"https://{host}/")


def test_the_way_out_as_it_is_set(tmp_path: Path) -> None:
    login = tmp_path / "proxy-login"
    login.write_text("site:p@ss:word\n")
    importer = ImporterSettings(
        hosts=("Portal.example", "*.clinic.example"), proxy="http://proxy.example:3128", proxy_login_file=login,
        largest_bytes=7, proxy_resolves=True,
    )  # fmt: skip
    settings = Settings(data_dir=tmp_path, importer=importer, web=WebSettings(address="https://8.8.4.4"))
    way = outgoing_of(settings, confirmed=lambda host: host == "once.example")
    names = ["portal.example", "a.clinic.example", "once.example", "clinic.example", "evilclinic.example", "x.example"]
    assert [way.allows(name) for name in names] == [True, True, True, False, False, False]
    assert (way.limits.most_bytes, way.judge.loopback, way.judge.inside) == (7, False, False)
    assert way.proxy is not None
    assert way.proxy.place() == ("proxy.example", 3128, {"Proxy-Authorization": "Basic c2l0ZTpwQHNzOndvcmQ="})
    assert not way.judge.passes("8.8.4.4")
    assert way.judge.passes("8.8.8.8")
    login.write_text("nonsense")
    with pytest.raises(Misconfigured):
        outgoing_of(settings)
    for wrong in ("*", "*.", "*.example", "https://portal.example", "a b.example", "u@a.example"):
        with pytest.raises(ValidationError):
            ImporterSettings(hosts=(wrong,))


def test_a_proxy_that_refuses_is_named(authority: trustme.CA) -> None:
    with closing(Tunnel(1, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as tunnel:
        way = outgoing(authority, resolve=lambda h, p: ["8.8.8.8"], proxy=Proxy(f"http://127.0.0.1:{tunnel.port}"))
        with pytest.raises(PortalUnreachable) as refused:
            get(way.session(), "https://portal.test/")
    assert refused.value.facts["reason"] == "proxy: HTTP 407"
