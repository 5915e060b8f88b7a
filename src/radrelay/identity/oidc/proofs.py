"""What the provider signs: ID tokens (OpenID Connect Core 3.1.3.7) and logout tokens (Back-Channel Logout 2.6).

Signatures and dates are joserfc's. Taken are signatures by the provider's public keys alone: `none`, and HMAC with a
public key as its secret, are not on the list, and keys of other kinds than RSA, EC and OKP are not read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from radrelay.identity.oidc.errors import LogoutRefused, TokenDoubtful

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
FAMILIES: dict[str, type[Key]] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_TOKEN = 64 << 10
LONGEST_SUBJECT = 255
LEAST_RSA_BITS = 2048
LOGOUT_LASTS_S = 600
warnings.filterwarnings("ignore", "EdDSA is deprecated")  # RFC 9864 renames it; providers still say so
KeysFor = Callable[[str | None], Sequence[Key]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to be of, for and from."""

    issuer: str
    client_id: str
    now: datetime
    leeway_s: int

    @property
    def seconds(self) -> float:
        """Return the present as NumericDate (RFC 7519)."""
        return self.now.timestamp()


def read_keys(document: dict[str, Any]) -> list[Key]:
    """Return the keys of a JWK set (RFC 7517) that signatures can be checked by; others are left out."""
    given = document.get("keys")
    found: list[Key] = []
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key({name: value for name, value in one.items() if name not in ("d", "key_ops")})
            if isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS:
                continue
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):  # one that is broken hides no other
            continue
        found.append(key)
    return found


def signed(token: str, keys_for: KeysFor, algorithms: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return head and claims of a token whose signature is the provider's; raises `TokenDoubtful`."""
    if len(token) > LONGEST_TOKEN or token.count(".") != 2:
        raise TokenDoubtful("the token is no signed token", reason="form")
    head = _head(token)
    algorithm, kid = head.get("alg"), head.get("kid")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise TokenDoubtful("the token is not signed in a way that is taken", reason="algorithm")
    if not isinstance(kid, str | None):
        raise TokenDoubtful("the token names its key by what is no text", reason="key")
    family = FAMILIES[algorithm[:2]]
    for key in keys_for(kid):
        if not isinstance(key, family) or key.get("alg", algorithm) not in (algorithm, None):
            continue
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        return head, dict(claims)
    raise TokenDoubtful("no key of the provider's has signed this token", reason="signature")


def _head(token: str) -> dict[str, Any]:
    part = token.partition(".")[0]
    try:
        head = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise TokenDoubtful("the token's head cannot be read", reason="form") from error
    if not isinstance(head, dict):
        raise TokenDoubtful("the token's head is no object", reason="form")
    return head


def require_for_us(claims: dict[str, Any], expected: Expected) -> None:
    """Raise `TokenDoubtful` unless a token is of the provider, for us, and of now."""
    if claims.get("iss") != expected.issuer:
        raise TokenDoubtful("the token is of another issuer", reason="issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise TokenDoubtful("the token is for another audience", reason="audience")
    party = claims.get("azp")
    if party != expected.client_id and (party is not None or len(audiences) > 1):
        raise TokenDoubtful("the token was issued to another party", reason="audience")
    try:
        registry = jwt.JWTClaimsRegistry(
            now=int(expected.seconds), leeway=expected.leeway_s, exp={"essential": True}, iat={"essential": True}
        )
        registry.validate({name: claims[name] for name in ("exp", "iat", "nbf") if name in claims})
    except JoseError as error:
        raise TokenDoubtful(f"the token is not of now: {error}", reason="dates") from error


def require_subject(claims: dict[str, Any]) -> str:
    """Return whom a token is about; raises `TokenDoubtful`."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise TokenDoubtful("the token is about nobody", reason="subject")
    return subject


def require_nonce(claims: dict[str, Any], nonce: str) -> None:
    """Raise `TokenDoubtful` for a token that answers another request."""
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise TokenDoubtful("the token answers another request", reason="nonce")


def require_access_token(claims: dict[str, Any], algorithm: str, access_token: str) -> None:
    """Raise `TokenDoubtful` if the token came with another access token (`at_hash`, Core 3.1.3.6)."""
    if "at_hash" not in claims:
        return
    bits = algorithm[2:] if algorithm[2:].isdigit() else "512"
    digest = hashlib.new(f"sha{bits}", access_token.encode()).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(str(claims["at_hash"]).encode(), expected):
        raise TokenDoubtful("the token came with another access token", reason="at_hash")


@dataclass(frozen=True, slots=True)
class EndOfSession:
    """What a logout token ends: the logins of a session there, or all of a person. `id` is for once alone."""

    id: str
    subject: str
    session: str


def ended(head: dict[str, Any], claims: dict[str, Any], expected: Expected) -> EndOfSession:
    """Return what a logout token ends, its signature checked before; raises `LogoutRefused`."""
    try:
        require_for_us(claims, expected)
    except TokenDoubtful as error:
        raise LogoutRefused(error.message, **error.facts) from error
    kind = head.get("typ")
    if kind is not None and str(kind).lower().removeprefix("application/") not in ("logout+jwt", "jwt"):
        raise LogoutRefused("this token is of another kind", reason="type")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise LogoutRefused("this token ends nothing", reason="events")
    if "nonce" in claims:
        raise LogoutRefused("this is a token of a login", reason="nonce")
    if claims["iat"] < expected.seconds - LOGOUT_LASTS_S - expected.leeway_s:
        raise LogoutRefused("this logout is of long ago", reason="dates")
    own, subject, session = (claims.get(name, "") for name in ("jti", "sub", "sid"))
    if not isinstance(own, str) or not isinstance(subject, str) or not isinstance(session, str) or not own:
        raise LogoutRefused("this token names what it ends by what is no text", reason="form")
    if not subject and not session:
        raise LogoutRefused("this token names nothing that it ends", reason="subject")
    return EndOfSession(own, subject, session)
