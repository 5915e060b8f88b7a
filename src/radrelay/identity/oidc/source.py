"""Single sign-on as the faces use it: begin, come back, log out (OpenID Connect Core 1.0, code flow with PKCE)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from radrelay.clock import Clock
from radrelay.identity.oidc import proofs
from radrelay.identity.oidc.begun import FOR_HINTS, Begun, Seals
from radrelay.identity.oidc.claims import Newcomer, counts_as_two, newcomer, require_strong, wants_more
from radrelay.identity.oidc.errors import LogoutRefused, SignOnDeclined, SignOnOver, TokenDoubtful
from radrelay.identity.oidc.proofs import EndOfSession, Expected
from radrelay.identity.oidc.provider import Provider
from radrelay.settings import OidcSettings

CALLBACK = "/api/oidc/callback"
LOGOUT = "/api/oidc/backchannel-logout"
LOGGED_OUT = "/login"
LONGEST_CODE = 4000
LONGEST_HINT = 4000  # it travels in an address
OF_LOGOUTS = uuid.UUID("5b0c8f5e-1d5a-4b0b-9d0b-6a3f6f1f0c51")


@dataclass(frozen=True, slots=True)
class Reached:
    """The provider answered: what is there."""

    issuer: str
    keys: int
    algorithms: tuple[str, ...]
    userinfo: bool
    logs_out: bool
    ends_logins: bool


class SingleSignOn:
    """One site's single sign-on. `open_single_sign_on` makes it where a provider is set."""

    def __init__(self, settings: OidcSettings, address: str, metadata_key: bytes, clock: Clock,
                 provider: Provider | None = None) -> None:  # fmt: skip
        self.settings = settings
        self.provider = provider or Provider(settings)
        self.seals = Seals(metadata_key)
        self._clock = clock
        self._address = address.rstrip("/")

    @property
    def redirect_uri(self) -> str:
        """Return where the provider sends people back to."""
        return self._address + CALLBACK

    @property
    def logout_uri(self) -> str:
        """Return where the provider tells that somebody has logged out."""
        return self._address + LOGOUT

    @property
    def logged_out_uri(self) -> str:
        """Return where the provider sends people who have logged out."""
        return self._address + LOGGED_OUT

    def require_ready(self) -> None:
        """Raise `Misconfigured` for files that are not there, before somebody needs them."""
        self.provider.require_ready()

    def begin(self, wanted: str) -> tuple[Begun, str]:
        """Return a new sign-on and the provider's address to go to; raises `SignOnUnavailable` or one of its kinds."""
        metadata = self.provider.metadata()
        begun = self.seals.begin(wanted, self._clock.now())
        scopes = dict.fromkeys(("openid", *self.settings.scopes))
        query = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": self.redirect_uri,
            "scope": " ".join(scopes), "state": begun.state, "nonce": begun.nonce,
            "code_challenge": begun.challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        if self.settings.acr_values:
            query["acr_values"] = " ".join(self.settings.acr_values)
        joint = "&" if "?" in metadata.authorization else "?"
        return begun, f"{metadata.authorization}{joint}{urlencode(query)}"

    def code_of(self, begun: Begun, answer: Mapping[str, str]) -> str:
        """Return the code that the provider answered with.

        Raises `SignOnDeclined` where it says no, `TokenDoubtful` where another provider answered (RFC 9207).
        """
        issuer = answer.get("iss", "")
        if issuer != self.provider.issuer and (issuer or self.provider.metadata().names_issuer):
            raise TokenDoubtful("another provider has answered", reason="issuer")
        if answer.get("error"):
            error = answer["error"][:60]
            raise SignOnDeclined(reason=error if error.isascii() and error.isprintable() else "error")
        code = answer.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            raise SignOnOver
        return code

    def finish(self, begun: Begun, code: str) -> Newcomer:
        """Return whom the provider has let in.

        Raises `TokenDoubtful` for what does not hold, `SignOnOver`, `LoginTooWeak`, `GroupsNotGiven`, or
        `SignOnUnavailable` or one of its kinds.
        """
        tokens = self.provider.redeem(code, self.redirect_uri, begun.verifier, self._clock.now())
        algorithms = self.provider.metadata().algorithms
        head, claims = proofs.signed(tokens.id_token, self.provider.keys_for, algorithms)
        proofs.require_for_us(claims, self._expected())
        proofs.require_nonce(claims, begun.nonce)
        proofs.require_access_token(claims, head["alg"], tokens.access_token)
        require_strong(claims, self.settings)
        subject, two_factors = proofs.require_subject(claims), counts_as_two(claims, self.settings)
        if wants_more(claims, self.settings):
            claims = {**self.provider.userinfo(tokens.access_token, subject), **claims}
        found = newcomer(self.provider.issuer, subject, claims, self.settings)
        hint = tokens.id_token if len(tokens.id_token) <= LONGEST_HINT else ""
        return Newcomer(
            found.issuer, found.subject, found.username, found.full_name, found.email, found.groups, found.link,
            found.sid, hint, two_factors,
        )  # fmt: skip

    def sealed_hint(self, newcomer: Newcomer) -> str:
        """Return what is kept of an ID token until its owner logs out."""
        return self.seals.hide(newcomer.id_token.encode(), FOR_HINTS) if newcomer.id_token else ""

    def onward(self, issuer: str, sealed_hint: str) -> str:
        """Return the provider's address that logs out there (RP-Initiated Logout 1.0); empty where there is none.

        The provider is not asked for it: logging out must not wait.
        """
        metadata = self.provider.known_metadata()
        if self.settings.logout != "provider" or issuer != self.provider.issuer or metadata is None:
            return ""
        if not metadata.end_session:
            return ""
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": self.logged_out_uri}
        hint = self.seals.show(sealed_hint, FOR_HINTS) if sealed_hint else None
        if hint:
            query["id_token_hint"] = hint.decode()
        joint = "&" if "?" in metadata.end_session else "?"
        return f"{metadata.end_session}{joint}{urlencode(query)}"

    def ended(self, logout_token: str) -> EndOfSession:
        """Return what a logout token ends; raises `LogoutRefused`, or `SignOnUnavailable` or one of its kinds."""
        try:
            head, claims = proofs.signed(logout_token, self.provider.keys_for, self.provider.metadata().algorithms)
        except TokenDoubtful as error:
            raise LogoutRefused(error.message, **error.facts) from error
        return proofs.ended(head, claims, self._expected())

    def spent_id(self, end: EndOfSession) -> uuid.UUID:
        """Return by what a logout token is known to have been used."""
        return uuid.uuid5(OF_LOGOUTS, f"{self.provider.issuer} {end.id}")

    def reach(self) -> Reached:
        """Ask the provider; raises `SignOnUnavailable` or one of its kinds."""
        metadata, keys = self.provider.metadata(), self.provider.keys()
        return Reached(
            self.provider.issuer, len(keys), metadata.algorithms, bool(metadata.userinfo), bool(metadata.end_session),
            metadata.ends_logins,
        )  # fmt: skip

    def _expected(self) -> Expected:
        return Expected(self.provider.issuer, self.settings.client_id, self._clock.now(), self.settings.leeway_s)


def open_single_sign_on(
    settings: OidcSettings, address: str | None, metadata_key: bytes, clock: Clock
) -> SingleSignOn | None:
    """Return single sign-on, none if no provider is set."""
    if settings.issuer is None or address is None:
        return None
    return SingleSignOn(settings, address, metadata_key, clock)
