"""Settings of fetching from other institutions' portals."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from radrelay.settings.base import GIB, Section


class ImporterSettings(Section):
    """Fetching from other institutions' portals by the links that patients bring, and the way out to them."""

    hosts: tuple[str, ...] = Field(
        (), description="hosts that need no confirming by an administrator: portal.example, *.clinic.example"
    )
    ca_file: Path | None = Field(
        None, description="PEM of authorities that portals' certificates are checked by; none: the system's"
    )
    proxy: str | None = Field(
        None, description="the site's way out: http://host:port; none: directly", pattern=r"^http://[^/\s@?#]+$"
    )
    proxy_login_file: Path | None = Field(None, description="file that holds name:password for the proxy")
    proxy_resolves: bool = Field(
        False,
        description="the proxy resolves portals' names and keeps this house's addresses from them; without, they are"
        " resolved and judged here, and the proxy is asked for addresses",
    )
    connect_timeout_s: float = Field(10.0, description="a portal must take a connection within so long", gt=0)
    idle_timeout_s: float = Field(30.0, description="a portal that sends nothing for so long is left", gt=0)
    answer_timeout_s: float = Field(60.0, description="a portal must answer a question within so long", gt=0)
    packing_timeout_s: float = Field(300.0, description="a portal must begin a download within so long", gt=0)
    whole_timeout_s: float = Field(4 * 3600.0, description="a download is given up after so long", gt=0)
    largest_bytes: int = Field(16 * GIB, description="largest single download that is taken", gt=0)
    most_attempts: int = Field(5, description="wrong answers that are sent for one link", ge=1, le=20)

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, named: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no host, and what would allow all hosts of a country or of the world."""
        for one in named:
            plain = one.removeprefix("*.")
            if "." not in plain or any(c in plain for c in "*/@ ") or plain.startswith("."):
                raise ValueError(f"hosts: {one!r} is no host (portal.example, portal.example:8443, *.clinic.example)")
        return tuple(one.lower() for one in named)
