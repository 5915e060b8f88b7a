"""Settings of the pages and of how people get in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from radrelay.settings.base import GIB, HOUR_S, Section

FRAMING = re.compile(
    r"https://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:\d{1,5})?|https://\[[0-9a-f:]+\](:\d{1,5})?"
    r"|https?://(localhost|127\.0\.0\.1)(:\d{1,5})?"
)


class WebSettings(Section):
    """The pages, DICOMweb and the REST interface."""

    host: str = Field("127.0.0.1", description="address that the pages listen on; loopback until told otherwise")
    port: int = Field(8080, description="port of the pages, DICOMweb and REST", ge=0, le=65535)
    behind_proxy: bool = Field(False, description="a reverse proxy ends TLS and sets X-Forwarded-For/-Proto")
    tls_certificate: Path | None = Field(None, description="PEM chain of the pages; with tls_key they speak HTTPS")
    tls_key: Path | None = Field(None, description="PEM key of that")
    session_idle_s: int = Field(8 * HOUR_S, description="a login ends after this many seconds without use")
    session_absolute_s: int = Field(24 * HOUR_S, description="a login ends after this many seconds at the latest")
    upload_limit_bytes: int = Field(64 * GIB, description="largest single upload taken")
    organisation_name: str = Field("Radrelay", description="shown in the pages' head")
    address: str | None = Field(
        None,
        description="https://… under which people outside reach the pages, for links; none: as each request came",
        pattern=r"^https?://[^/\s?#]+$",
    )
    security_contact: str | None = Field(
        None,
        description="whom to tell of a weakness (mailto:… or https://…), for /.well-known/security.txt",
        pattern=r"^(mailto:|https://)\S+$",
    )

    frame_ancestors: tuple[str, ...] = Field(
        (), description="sites whose pages may show the viewer in a frame: https://ris.clinic.example; none: nobody's"
    )

    @field_validator("frame_ancestors")
    @classmethod
    def _are_sites(cls, named: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no site, or one that anybody on the way could speak for."""
        for one in named:
            if not FRAMING.fullmatch(one):
                raise ValueError(f"frame_ancestors: {one!r} is not https://host[:port] (*.host for all below it)")
        return named

    @model_validator(mode="after")
    def _both_or_none(self) -> WebSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together")
        return self

    @property
    def speaks_tls(self) -> bool:
        """Say whether the pages end TLS themselves."""
        return self.tls_certificate is not None

    @property
    def site(self) -> str:
        """The address of the pages as links in letters have it."""
        return self.address or f"{'https' if self.speaks_tls else 'http'}://{self.host}:{self.port}"

    @property
    def wants_tls(self) -> bool:
        """Say whether the pages listen beyond loopback and nothing is told of TLS: others are refused then."""
        return not (self.speaks_tls or self.behind_proxy or self.host in ("127.0.0.1", "::1", "localhost"))


class IdentitySettings(Section):
    """How people get in."""

    password_iterations: int = Field(
        210_000,
        description="PBKDF2-HMAC-SHA-512 iterations of new passwords (OWASP: 210000)",
        ge=100_000,
        le=10_000_000,
    )
    password_shortest: int = Field(12, description="fewest characters of a password", ge=8, le=64)
    breach_file: Path | None = Field(
        None, description="passwords that nobody may choose: SHA-1 hashes in order (as HIBP delivers), or plain words"
    )
    invitation_s: int = Field(7 * 24 * HOUR_S, description="an invitation ends after so many seconds", ge=300)
    reset_s: int = Field(2 * HOUR_S, description="a link for a new password ends after so many seconds", ge=300)


class MailSettings(Section):
    """The mail server that invitations, reset links and warnings go by; without `host` nothing is sent."""

    host: str | None = Field(None, description="host name of the mail server; none: no mail")
    port: int | None = Field(None, description="its port; none: 587 for starttls, 465 for tls, else 25", ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="TLS by STARTTLS, or from the first byte; none: only to a server on this machine"
    )
    username: str = Field("", description="the account that sends; none: the server asks for none")
    password: str | None = Field(None, description="its password", repr=False)
    password_file: Path | None = Field(None, description="file that holds its password instead")
    sender: str = Field("", description="the address that letters come from")
    ca_file: Path | None = Field(None, description="PEM of the server's authority; none: the system's authorities")
    timeout_s: float = Field(20.0, description="longest wait for one answer of the server", gt=0, le=120)
    give_up_s: int = Field(3 * 24 * HOUR_S, description="a letter is given up after so many seconds", ge=60)
    language: Literal["de", "en"] = Field("en", description="language of letters to people who have chosen none")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse a server without a sender, and one elsewhere that is spoken to in the clear."""
        if self.host is None:
            return self
        if not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+", self.sender):
            raise ValueError("sender: the address that letters come from, such as radrelay@clinic.example")
        if self.security == "none" and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("security: none is for a server on this machine; elsewhere it is starttls or tls")
        if self.password and self.password_file:
            raise ValueError("password and password_file are both set")
        return self


class LaunchSettings(Section):
    """Other programs open the viewer in people's names (docs/launch.md)."""

    address_s: int = Field(60, description="an address that opens the viewer counts so many seconds", ge=10, le=300)
    idle_s: int = Field(15 * 60, description="what it opened ends after so many seconds without use", ge=60)
    absolute_s: int = Field(4 * HOUR_S, description="and at the latest after so many", ge=60, le=24 * HOUR_S)


class AccessSettings(Section):
    """Who sees what, beyond what grants say."""

    break_glass_h: float = Field(
        4.0, description="hours that a restricted study stays open to who broke glass", gt=0, le=168
    )
    break_glass_told: tuple[str, ...] = Field(
        ("role:dpo",), description="who is told that glass was broken: user names, or role: and a role"
    )
