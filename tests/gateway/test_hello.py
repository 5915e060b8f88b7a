"""The first bytes of a connection: real ones in any pieces, and whatever else comes."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.gateway.hello import MOST_BYTES, Hello, NotTls, read_hello
from radrelay.gateway.limits import Limits, counted_as, plain_host
from radrelay.gateway.proxy_protocol import proxy_head
from radrelay.settings import GatewaySettings


def hello_for(name: str, protocols: list[str]) -> bytes:
    """Return a ClientHello as OpenSSL sends it."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


REAL = hello_for("Pictures.Clinic.example", ["h2", "http/1.1"])
PARSED = Hello("pictures.clinic.example", ("h2", "http/1.1"))


def test_name_and_protocols_are_read_once_the_hello_is_whole() -> None:
    for size in range(len(REAL)):
        assert read_hello(REAL[:size]) is None
    assert read_hello(REAL) == PARSED
    assert read_hello(REAL + b"\x14\x03\x03\x00\x01\x01") == PARSED
    assert read_hello(hello_for("a.example", [])) == Hello("a.example")


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30))
def test_a_hello_in_several_records_is_one(sizes: list[int]) -> None:
    message, records = REAL[5:], b""
    for size in [*sizes, len(message)]:
        piece, message = message[:size], message[size:]
        if piece:
            records += REAL[:3] + len(piece).to_bytes(2, "big") + piece
    assert read_hello(records) == PARSED


@given(st.binary(max_size=600) | st.binary(max_size=300).map(lambda tail: REAL[:40] + tail))
def test_rubbish_is_told_from_tls_or_waited_for(received: bytes) -> None:
    try:
        found = read_hello(received)
    except NotTls:
        return
    assert found is None or isinstance(found, Hello)


@given(st.integers(0, len(REAL) - 1), st.integers(0, 255))
def test_a_changed_byte_breaks_nothing(at: int, value: int) -> None:
    changed = bytearray(REAL)
    changed[at] = value
    try:
        read_hello(changed)
    except NotTls:
        return


def test_an_endless_hello_is_none() -> None:
    with pytest.raises(NotTls):
        read_hello(b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + bytes(16380))
    with pytest.raises(NotTls):
        read_hello(REAL[:5] * (MOST_BYTES // 5 + 1))


def test_addresses_count_as_what_one_caller_has() -> None:
    assert counted_as("203.0.113.9") == counted_as("::ffff:203.0.113.9") == "203.0.113.9"
    assert counted_as("2001:db8::1") == counted_as("2001:db8:0:0:ffff::9") != counted_as("2001:db8:0:1::1")
    assert plain_host("::ffff:203.0.113.9") == "203.0.113.9"
    assert plain_host("fe80::1%eth0") == "fe80::1"


def test_new_connections_of_an_address_come_at_a_rate() -> None:
    bounds = GatewaySettings(per_address_rate=2, per_address_burst=3, per_address=100, per_address_unfinished=100)
    limits = Limits(bounds, 1000)
    assert [limits.admit("a", 0.0) for _ in range(4)] == [None, None, None, "address-rate"]
    assert limits.admit("b", 0.0) is None
    assert [limits.admit("a", 1.0) for _ in range(3)] == [None, None, "address-rate"]
    assert Limits(bounds, 0).admit("a", 0.0) == "full"


def test_a_server_behind_is_told_the_address_as_haproxy_writes_it() -> None:
    head = proxy_head(("203.0.113.9", 50_000), ("192.0.2.1", 32_000))
    assert head[:16] == bytes.fromhex("0d0a0d0a000d0a515549540a") + b"\x21\x11\x00\x0c"
    assert head[16:] == bytes((203, 0, 113, 9, 192, 0, 2, 1)) + (50_000).to_bytes(2, "big") + b"\x7d\x00"
    mixed = proxy_head(("2001:db8::1", 1), ("192.0.2.1", 2))
    assert mixed[12:16] == b"\x21\x21\x00\x24"
    assert len(mixed) == 16 + 36
