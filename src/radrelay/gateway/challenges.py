"""Answers to a certificate authority that looks whether a name is ours (RFC 8737), for as long as it looks.

The authority's connection says by ALPN what it is; everybody else's is answered as always.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from radrelay.gateway.hello import MOST_BYTES, Hello, NotTls, read_hello

PROTOCOL = "acme-tls/1"
LOOK_S, HELLO_S = 0.01, 5.0


class Challenges:
    """What is being proved just now. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def any(self) -> bool:
        """Whether any name is being proved."""
        return bool(self._contexts)

    @contextmanager
    def answering(self, host: str, proof: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Iterator[None]:
        """Answer for a name with this certificate meanwhile."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([PROTOCOL])
        password = secrets.token_bytes(32).hex()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
        with tempfile.NamedTemporaryFile() as file:  # ssl takes files only
            file.write(private + proof.public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name, password=password)
        with self._lock:
            self._contexts[host.lower()] = context
        try:
            yield
        finally:
            with self._lock:
                self._contexts.pop(host.lower(), None)

    async def context_for(self, sock: socket.socket) -> ssl.SSLContext | None:
        """Return what an authority's connection is answered with, None for any other; nothing is taken from it.

        Raises `OSError` (`TimeoutError`) or `NotTls`.
        """
        hello = await _peeked(sock)
        if PROTOCOL not in hello.protocols:
            return None
        with self._lock:
            return self._contexts.get(hello.server_name)


async def _peeked(sock: socket.socket) -> Hello:
    async with asyncio.timeout(HELLO_S):
        while True:
            try:
                data = sock.recv(MOST_BYTES + 1, socket.MSG_PEEK)
            except BlockingIOError:
                data = None
            if data is not None:
                if not data:
                    raise NotTls
                hello = read_hello(data)
                if hello is not None:
                    return hello
            await asyncio.sleep(LOOK_S)
