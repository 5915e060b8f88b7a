"""Settings of the gateway: the relay in the DMZ, and the agent on site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from radrelay.settings.base import Section

HOST_PORT = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")


class GatewaySettings(Section):
    """The relay in the DMZ (`radrelay gateway`)."""

    host: str = Field("0.0.0.0", description="address that the relay listens at; :: for IPv6, too")  # noqa: S104 -- what a relay is for
    agents_port: int = Field(45000, description="port that the sites' agents dial", ge=0, le=65535)
    public_port: int = Field(32000, description="port of the pages, for browsers", ge=0, le=65535)
    health_port: int = Field(32080, description="/healthz, /readyz, /metrics, on loopback", ge=0, le=65535)
    max_connections: int = Field(20_000, description="connections at once, as far as open files allow", ge=1)
    per_address: int = Field(512, description="connections of one address (IPv6: of one /64) at once", ge=1)
    per_address_rate: float = Field(50.0, description="new connections of one address in a second, on average", gt=0)
    per_address_burst: int = Field(300, description="new connections of one address at once", ge=1)
    per_address_unfinished: int = Field(
        100, description="connections of one address that have not said yet which site they want", ge=1
    )
    max_unfinished: int = Field(
        2_000, description="such connections of all; the one that waits longest gives way", ge=1
    )
    hello_timeout_s: float = Field(5.0, description="so long a connection has to say which site it wants", gt=0, le=60)
    patience_s: float = Field(5.0, description="so long a connection waits for a site whose agent is away", gt=0, le=60)
    certificate_days: int = Field(30, description="days that a site's certificate counts; it renews itself", ge=1)
    code_minutes: int = Field(60, description="minutes that an enrolment code counts", ge=1, le=7 * 24 * 60)


class AgentSettings(Section):
    """The agent on site; it runs where this installation is enrolled at a relay (`radrelay agent enrol`)."""

    ahead: int = Field(8, description="connections dialled ahead to each relay", ge=1, le=256)
    health_port: int = Field(11190, description="/healthz, /readyz, /metrics of the agent, on loopback", ge=0, le=65535)
    tls_certificate: Path | None = Field(
        None, description="PEM chain for who comes through a relay; none: the one handed in, else that of the pages"
    )
    tls_key: Path | None = Field(None, description="PEM key of that")
    acme_trust: Path | None = Field(
        None, description="PEM of who vouches for the certificate authority that is asked by ACME; none: the Internet's"
    )
    onward: str | None = Field(
        None,
        description="host:port of a server on site that ends TLS instead, and takes the PROXY protocol (version 2)",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together")
        if self.onward is not None and HOST_PORT.fullmatch(self.onward) is None:
            raise ValueError(f"onward: {self.onward!r} is not host:port")
        return self

    @property
    def onward_to(self) -> tuple[str, int] | None:
        """Return host and port of the server that ends TLS instead."""
        found = None if self.onward is None else HOST_PORT.fullmatch(self.onward)
        return None if found is None else (found["host"].strip("[]"), int(found["port"]))
