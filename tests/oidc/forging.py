"""A provider that forges: it answers what a test tells it to, which no proper one does."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import Key, RSAKey

from radrelay.clock import Clock

CLIENT, ACCESS_TOKEN = "radrelay", "an-access-token"
KEY = RSAKey.generate_key(2048, private=True)
OTHER_KEY = RSAKey.generate_key(2048, private=True)


def hashed(access_token: str) -> str:
    """Return at_hash for RS256."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()


@dataclass
class Forger:
    """What is answered. Everything is right until a test changes it; `reset` makes it right again."""

    issuer: str
    clock: Clock
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.claims: dict[str, Any] = {}
        self.head: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.key: Key = KEY
        self.published: dict[str, Key] = {"one": KEY}
        self.nonce = ""
        self.raw_token = ""
        self.token_answer: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.statuses: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.drips: set[str] = set()
        self.asked.clear()

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return what the settings say of this provider."""
        return {"issuer": self.issuer, "client_id": CLIENT, "client_secret": "secret", "timeout_s": 0.6, **more}

    def times_asked(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)

    def id_token(self) -> str:
        if self.raw_token:
            return self.raw_token
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "s-1", "iat": now, "exp": now + 300, "nonce": self.nonce,
            "at_hash": hashed(ACCESS_TOKEN), "preferred_username": "ida", "name": "Ida Beck", "groups": [],
        }  # fmt: skip
        merged = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        return jwt.encode(self.head, merged, self.key, algorithms=[self.head["alg"]])

    def logout_token(self, **claims: Any) -> str:
        now = int(self.clock.now().timestamp())
        event: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        told = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "j", "events": event, **claims}
        told = {name: value for name, value in told.items() if value is not None}
        return jwt.encode({"typ": "logout+jwt", **self.head}, told, self.key, algorithms=[self.head["alg"]])

    def answer(self, path: str) -> bytes:
        if path in self.bodies:
            return self.bodies[path]
        return json.dumps(self._document(path)).encode()

    def _document(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/auth",
                "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/jwks",
                "userinfo_endpoint": f"{self.issuer}/me", **self.document,
            }  # fmt: skip
        if path == "/jwks":
            return {"keys": [{**key.as_dict(private=False), "kid": kid} for kid, key in self.published.items()]}
        if path == "/me":
            return {"sub": self.claims.get("sub", "s-1"), **self.userinfo}
        given = {"token_type": "Bearer", "access_token": ACCESS_TOKEN, "id_token": self.id_token()}
        return {**given, **self.token_answer}


class _Handler(BaseHTTPRequestHandler):
    forger: Forger

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer({name: values[0] for name, values in parse_qs(sent).items()})

    def _answer(self, form: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        self.forger.asked.append((path, form))
        body = self.forger.answer(path)
        self.send_response(self.forger.statuses.get(path, 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            if path not in self.forger.drips:
                self.wfile.write(body)
                return
            for octet in body:  # each within any limit for one read
                self.wfile.write(bytes([octet]))
                time.sleep(0.1)
        except OSError:
            pass

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def forger(clock: Clock) -> Iterator[Forger]:
    """Run a provider that forges."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made = Forger(f"http://127.0.0.1:{server.server_port}", clock)
        handler.forger = made  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@contextmanager
def catcher() -> Iterator[tuple[str, list[str]]]:
    """Take what is posted, for a test to hand on; gives the address and what came."""
    came: list[str] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", came
        server.shutdown()
        thread.join()


def moment(when: datetime) -> int:
    return int(when.timestamp())
