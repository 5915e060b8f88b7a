"""The provider: what it says of itself (OpenID Connect Discovery 1.0), its keys, tokens for a code, and userinfo.

What it says and its keys are kept for an hour. A key that is not known is asked for once more, not more often than
every half minute, so that new keys are taken at once and nobody makes us ask for each forged token.
"""

from __future__ import annotations

import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from radrelay.errors import Misconfigured
from radrelay.identity.oidc.errors import (
    SignOnOver,
    SignOnRefusesUs,
    SignOnUnavailable,
    SignOnUnreadable,
    TokenDoubtful,
)
from radrelay.identity.oidc.fetching import Fetching, Reply
from radrelay.identity.oidc.proofs import ALGORITHMS, read_keys
from radrelay.settings import OidcSettings, is_protected

DISCOVERY = "/.well-known/openid-configuration"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEPT_S, KEPT_WHILE_AWAY_S = 3600.0, 24 * 3600.0
AGAIN_S = 30.0
ASSERTION_S = 60
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
Monotonic = Callable[[], float]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where things are at the provider. `names_issuer`: it says in its answers who it is (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    userinfo: str = ""
    end_session: str = ""
    algorithms: tuple[str, ...] = ("RS256",)
    names_issuer: bool = False
    ends_logins: bool = False


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave for a code."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


class _Kept(Generic[Value]):
    """A value that is read when it is wanted, and again when it is old; while that fails the old one serves on."""

    def __init__(self, read: Callable[[], Value], monotonic: Monotonic) -> None:
        self._read, self._monotonic = read, monotonic
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._read_at = self._tried_at = float("-inf")

    def get(self, *, fresh: bool = False) -> Value:
        """Return the value; `fresh` asks for one that is at most half a minute old."""
        with self._lock:
            now = self._monotonic()
            old = now - self._read_at >= (AGAIN_S if fresh else KEPT_S)
            if self._value is not None and (not old or now - self._tried_at < AGAIN_S):
                return self._value
            self._tried_at = now
            try:
                self._value = self._read()
            except SignOnUnavailable:
                if self._value is None or now - self._read_at >= KEPT_WHILE_AWAY_S:
                    raise
                return self._value
            self._read_at = now
            return self._value

    def peek(self) -> Value | None:
        """Return the value if it is here already."""
        return self._value


class Provider:
    """One provider. Thread-safe."""

    def __init__(self, settings: OidcSettings, monotonic: Monotonic = time.monotonic) -> None:
        self._settings = settings
        self.issuer = settings.issuer or ""
        self.fetching = Fetching(settings.ca_file, settings.timeout_s)
        self._metadata = _Kept(self._discover, monotonic)
        self._keys = _Kept(self._read_keys, monotonic)

    def require_ready(self) -> None:
        """Raise `Misconfigured` for files that are not there, before somebody needs them."""
        self.fetching.context()
        if self._settings.client_auth == "private_key_jwt":
            self._own_key()
        else:
            self._secret()

    def metadata(self) -> Metadata:
        """Return what the provider says of itself; raises `SignOnUnavailable` or one of its kinds."""
        return self._metadata.get()

    def known_metadata(self) -> Metadata | None:
        """Return what it said before; None where it was not asked yet."""
        return self._metadata.peek()

    def keys_for(self, kid: str | None) -> Sequence[Key]:
        """Return the keys that a token may be signed by; raises `SignOnUnavailable` or one of its kinds."""
        return _named(self._keys.get(), kid) or _named(self._keys.get(fresh=True), kid)

    def keys(self) -> Sequence[Key]:
        """Return all keys that can be used."""
        return self._keys.get()

    def _discover(self) -> Metadata:
        url = self.issuer.rstrip("/") + DISCOVERY
        said = _good(self.fetching.get(url)).json()
        if said.get("issuer") != self.issuer:
            raise SignOnUnreadable(f"{url} is of the issuer {said.get('issuer')!r}, not of {self.issuer!r}")

        def place(name: str, *, wanted: bool = False) -> str:
            found = said.get(name)
            if found is None and not wanted:
                return ""
            if not isinstance(found, str) or len(found) > 2000 or not is_protected(found):
                raise SignOnUnreadable(f"{url}: {name} is no https:// address")
            return found

        algorithms = said.get("id_token_signing_alg_values_supported")
        taken = [one for one in algorithms if one in ALGORITHMS] if isinstance(algorithms, list) else list(ALGORITHMS)
        return Metadata(
            authorization=place("authorization_endpoint", wanted=True),
            token=place("token_endpoint", wanted=True),
            keys=place("jwks_uri", wanted=True),
            userinfo=place("userinfo_endpoint"),
            end_session=place("end_session_endpoint"),
            algorithms=tuple(taken),
            names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
            ends_logins=said.get("backchannel_logout_supported") is True,
        )

    def _read_keys(self) -> list[Key]:
        url = self.metadata().keys
        keys = read_keys(_good(self.fetching.get(url, {"Accept": "application/jwk-set+json, application/json"})).json())
        if not keys:
            raise SignOnUnreadable(f"{url} has no key that signatures can be checked by")
        return keys

    def redeem(self, code: str, redirect_uri: str, verifier: str, now: datetime) -> Tokens:
        """Return the tokens for a code; raises `SignOnOver` for one that is not taken (any more)."""
        metadata = self.metadata()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        headers: dict[str, str] = {}
        settings = self._settings
        if settings.client_auth == "client_secret_basic":
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(self._secret())}"  # RFC 6749 2.3.1
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        elif settings.client_auth == "client_secret_post":
            form |= {"client_id": settings.client_id, "client_secret": self._secret()}
        else:
            form |= {
                "client_id": settings.client_id, "client_assertion_type": ASSERTION,
                "client_assertion": self._assertion(metadata.token, now),
            }  # fmt: skip
        reply = self.fetching.post(metadata.token, form, headers)
        if 400 <= reply.status < 500:
            error = _error_of(reply)
            if error == "invalid_grant":
                raise SignOnOver
            raise SignOnRefusesUs(reason=error)
        given = _good(reply).json()
        id_token, access_token = given.get("id_token"), given.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str) or not access_token.isascii():
            raise SignOnUnreadable("The provider gave no ID token for its code; is `openid` among oidc.scopes?")
        if str(given.get("token_type", "")).lower() != "bearer":
            raise SignOnUnreadable("The provider gave a token of another type than Bearer.")
        return Tokens(id_token, access_token)

    def userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        """Return what userinfo says of a subject; raises `TokenDoubtful` if it speaks of another."""
        url = self.metadata().userinfo
        if not url:
            return {}
        if any(not 0x21 <= ord(char) < 0x7F for char in access_token):
            raise SignOnUnreadable("The provider's access token has characters that no token has.")
        said = _good(self.fetching.get(url, {"Authorization": f"Bearer {access_token}"})).json()
        if said.get("sub") != subject:
            raise TokenDoubtful("userinfo speaks of somebody else", reason="userinfo")
        return said

    def _secret(self) -> str:
        path = self._settings.client_secret_file
        if path is None:
            return self._settings.client_secret or ""
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"oidc.client_secret_file cannot be read: {error}") from error

    def _own_key(self) -> tuple[Key, str]:
        """Return the key that we sign by, and the algorithm that fits it."""
        path = self._settings.client_key_file or Path()
        try:
            text = path.read_bytes()
            for kind in (RSAKey, ECKey, OKPKey):
                try:
                    key: Key = kind.import_key(text)
                except (JoseError, ValueError, TypeError, AttributeError):
                    continue
                if key.is_private:
                    return key, _algorithm_of(key)
        except OSError as error:
            raise Misconfigured(f"oidc.client_key_file cannot be read: {error}") from error
        raise Misconfigured(f"oidc.client_key_file {path} is no private key (RSA, EC or Ed25519) in PEM")

    def _assertion(self, audience: str, now: datetime) -> str:
        """Return what proves who we are (RFC 7523)."""
        key, algorithm = self._own_key()
        client, seconds = self._settings.client_id, int(now.timestamp())
        claims = {
            "iss": client, "sub": client, "aud": audience, "jti": secrets.token_urlsafe(16), "iat": seconds,
            "exp": seconds + ASSERTION_S,
        }  # fmt: skip
        kid = self._settings.client_key_id or key.thumbprint()
        return jwt.encode({"alg": algorithm, "kid": kid}, claims, key, algorithms=[algorithm])


def _named(keys: Sequence[Key], kid: str | None) -> list[Key]:
    """Return the keys of an id; a token without one may be signed by any, as may one by a key without."""
    if kid is None:
        return list(keys)
    return [key for key in keys if key.kid == kid] or [key for key in keys if key.kid is None]


def _algorithm_of(key: Key) -> str:
    if isinstance(key, RSAKey):
        return "RS256"
    if isinstance(key, ECKey):
        return CURVES.get(key.curve_name, "ES256")
    return "EdDSA"


def _good(reply: Reply) -> Reply:
    if reply.status != 200:
        place = reply.url.partition("?")[0]
        kind = SignOnUnavailable if reply.status >= 500 else SignOnUnreadable
        raise kind(f"{place} answers with status {reply.status}", reason=f"{place}: status {reply.status}")
    return reply


def _error_of(reply: Reply) -> str:
    """Return the error code that the provider gives, as far as it is one (RFC 6749 5.2)."""
    try:
        error = str(reply.json().get("error", ""))
    except SignOnUnreadable:
        error = ""
    return error if error and error.isascii() and len(error) <= 60 and error.isprintable() else f"status {reply.status}"
