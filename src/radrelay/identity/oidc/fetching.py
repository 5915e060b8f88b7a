"""Requests to the provider: HTTPS (plain HTTP to this machine alone), each ended at its deadline, none too large.

No redirect is followed, no cookie kept. A few at once: a provider that hangs must not hold all of a role's threads.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from radrelay.errors import Misconfigured
from radrelay.identity.oidc.errors import SignOnUnavailable, SignOnUnreadable, SignOnUntrusted
from radrelay.settings import is_protected

MOST_BYTES = 512 << 10
MOST_AT_ONCE = 8
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    url: str
    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the answer's object; raises `SignOnUnreadable` for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise SignOnUnreadable(f"{_plain(self.url)} does not answer in JSON") from error
        if not isinstance(found, dict):
            raise SignOnUnreadable(f"{_plain(self.url)} does not answer with an object")
        return found


class Fetching:
    """Asks the provider. Thread-safe."""

    def __init__(self, ca_file: Path | None, timeout_s: float) -> None:
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def context(self) -> ssl.SSLContext:
        """Return the authorities that are believed; raises `Misconfigured` for a file that cannot be read."""
        try:
            return ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))
        except OSError as error:
            raise Misconfigured(f"oidc.ca_file {self._ca_file} cannot be read: {error}") from error

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Return what stands at an address; raises `SignOnUnavailable` or one of its kinds."""
        return self._ask("GET", url, None, headers or {})

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Reply:
        """Return the answer to a form; raises `SignOnUnavailable` or one of its kinds."""
        return self._ask("POST", url, urlencode(form).encode(), {"Content-Type": FORM, **(headers or {})})

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        if not is_protected(url):
            raise SignOnUnreadable(f"{_plain(url)} is not reached by HTTPS; nothing was sent")
        if not self._free.acquire(timeout=self._timeout_s):
            raise SignOnUnavailable("Too many wait for the provider of single sign-on.")
        try:
            return _Exchange(url, self._timeout_s).run(method, body, headers, self.context)
        finally:
            self._free.release()


class _Exchange:
    """One request, which a timer cuts off: a limit for each read alone would let a slow sender go on for ever."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._parts = url, urlsplit(url)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._late = False

    def run(self, method: str, body: bytes | None, headers: Mapping[str, str], context: Any) -> Reply:
        timer = threading.Timer(self._timeout_s, self._cut)
        timer.daemon = True
        timer.start()
        try:
            reply = self._exchanged(method, body, headers, context)
        except ssl.SSLCertVerificationError as error:
            reason = f"{self._parts.hostname}: {error.verify_message}"
            raise SignOnUntrusted(f"{_meaning(SignOnUntrusted)} {reason}", reason=reason) from error
        except (OSError, HTTPException, ValueError) as error:
            reason = "no answer in time" if self._late or isinstance(error, TimeoutError) else _said(error)
            reason = f"{_plain(self._url)}: {reason}"
            raise SignOnUnavailable(f"{_meaning(SignOnUnavailable)} {reason}", reason=reason) from error
        finally:
            timer.cancel()
            if self._socket is not None:
                self._socket.close()
        if self._late:
            raise SignOnUnavailable(f"{_plain(self._url)}: no answer in time", reason="no answer in time")
        if len(reply.body) > MOST_BYTES:
            raise SignOnUnreadable(f"{_plain(self._url)} answers with more than {MOST_BYTES} bytes")
        return reply

    def _exchanged(self, method: str, body: bytes | None, headers: Mapping[str, str], context: Any) -> Reply:
        host, secure = self._parts.hostname or "", self._parts.scheme == "https"
        port = self._parts.port or (443 if secure else 80)
        made: socket.socket = socket.create_connection((host, port), timeout=self._timeout_s)
        self._socket = made
        if secure:
            made = context().wrap_socket(made, server_hostname=host, do_handshake_on_connect=False)
            self._socket = made
            made.do_handshake()  # type: ignore[attr-defined]  # of an SSLSocket
        connection = HTTPConnection(host, port, timeout=self._timeout_s)
        connection.sock = made
        target = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        connection.request(
            method, target, body,
            {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close", **headers},
        )  # fmt: skip
        answer = connection.getresponse()
        try:
            return Reply(self._url, answer.status, answer.read(MOST_BYTES + 1))
        finally:
            answer.close()

    def _cut(self) -> None:
        self._late = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed by now
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # below TLS, whose state another thread uses


def _plain(url: str) -> str:
    """Return an address without its query, for messages."""
    return url.partition("?")[0][:300]


def _said(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or str(error) or type(error).__name__).split())[:300]


def _meaning(kind: type[SignOnUnavailable]) -> str:
    return " ".join((kind.__doc__ or "").split())
