"""A server of the site's own ends TLS behind the agent: HAProxy, which speaks HTTP/2 and is told who calls."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.gateway.house import PUBLIC, RunningRelay, browser, house, ran, until
from tests.ports import free_port

CLINIC = "pictures.clinic.example"
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3

CONFIGURATION = """
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 30s
frontend outside
    bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1 accept-proxy
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    default_backend pages
backend pages
    server web 127.0.0.1:{web}
"""


def test_http2_websockets_and_the_address_pass_by_a_reverse_proxy_on_site(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with house(tmp_path) as made, _pages() as web, _haproxy(tmp_path, web) as port:
            relay = await made.relay()
            await made.enrolled(relay, "clinic", [CLINIC])
            site = await made.run_site("clinic", [CLINIC], onward=("127.0.0.1", port))
            await until(lambda: site.connected, "the link")
            said = await _curl(relay, tmp_path, "--http2", "--interface", "127.0.0.7")
            assert said == "2 127.0.0.7"
            assert await _curl(relay, tmp_path, "--http1.1") == "1.1 127.0.0.1"
            await _websocket(relay)
            assert not site.arrived

    ran(scenario())


async def _curl(relay: RunningRelay, folder: Path, *options: str) -> str:
    """Return the version of HTTP that was spoken, and the address that the pages were told."""
    authority = folder / "authority.pem"
    PUBLIC.cert_pem.write_to_path(str(authority))
    port = relay.running.public_port
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", *options, "--cacert", str(authority), "--resolve", f"{CLINIC}:{port}:127.0.0.1",
        "-w", "%{stderr}%{http_version}", f"https://{CLINIC}:{port}/",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    body, version = await process.communicate()
    return f"{version.decode()} {body.decode()}"


async def _websocket(relay: RunningRelay) -> None:
    """Open a WebSocket and have a masked frame echoed (RFC 6455, 4 and 5.2)."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", relay.running.public_port, ssl=browser(), server_hostname=CLINIC
    )
    key = base64.b64encode(os.urandom(16))
    writer.write(
        b"GET /socket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (CLINIC.encode(), key)
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    assert base64.b64encode(hashlib.sha1(key + MAGIC).digest()) in head
    mask = os.urandom(4)
    writer.write(b"\x81\x85" + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(b"hello")))
    assert await reader.readexactly(7) == b"\x81\x05hello"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def _pages() -> AsyncIterator[int]:
    """Give the port of pages that say from where they were asked, and echo what comes by WebSocket."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while await _answer_one(reader, writer):
                pass
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; says whether there may be another."""
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    heads = {name.lower(): value.strip() for name, _, value in (one.partition(b":") for one in lines[1:])}
    if b"sec-websocket-key" not in heads:
        body = heads[b"x-forwarded-for"]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        return True
    proof = base64.b64encode(hashlib.sha1(heads[b"sec-websocket-key"] + MAGIC).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % proof
    )
    frame = await reader.readexactly(11)
    mask, masked = frame[2:6], frame[6:]
    writer.write(b"\x81\x05" + bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked)))
    return False


@asynccontextmanager
async def _haproxy(folder: Path, web: int) -> AsyncIterator[int]:
    certificate = PUBLIC.issue_cert(CLINIC)
    pem, configuration, port = folder / "haproxy.pem", folder / "haproxy.cfg", free_port()
    pem.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    configuration.write_text(CONFIGURATION.format(port=port, pem=pem, web=web))
    process = await asyncio.create_subprocess_exec(
        "/usr/sbin/haproxy", "-q", "-db", "-f", str(configuration), stderr=subprocess.PIPE
    )
    try:
        await until(lambda: process.returncode is not None or _answers(port), "HAProxy")
        assert process.returncode is None, (await process.communicate())[1].decode()
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
