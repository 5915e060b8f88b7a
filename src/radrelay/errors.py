"""The root of Radrelay's errors: each knows its code, its HTTP status and its DIMSE status.

A class's docstring is its default message, so that what a user reads and what the source says are one text::

    RadrelayError
    ├── NotFound            404  C-STORE: 0xC000
    ├── Forbidden           403          0x0124
    ├── Unauthenticated     401          0x0124
    ├── Invalid             400          0xC000
    │   └── TooLarge        413          0xA700
    ├── Conflict            409          0xC000
    ├── OutOfResources      507          0xA700
    ├── Unavailable         503          0xA700
    └── Misconfigured       500          0x0110
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

Fact = str | int | float


class RadrelayError(Exception):
    """Something went wrong that has no name of its own yet."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    dimse_status: ClassVar[int] = 0x0110

    def __init__(self, message: str = "", **facts: object) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split("\n\n")[0].split())
        self.facts = facts
        super().__init__(self.message)


class NotFound(RadrelayError):
    """Nothing by this name is here, or it is not for you to see."""

    code = "not-found"
    http_status = 404
    dimse_status = 0xC000


class Forbidden(RadrelayError):
    """You may not do this."""

    code = "forbidden"
    http_status = 403
    dimse_status = 0x0124


class Unauthenticated(RadrelayError):
    """Log in first."""

    code = "unauthenticated"
    http_status = 401
    dimse_status = 0x0124


class Invalid(RadrelayError):
    """What was sent cannot be understood."""

    code = "invalid"
    http_status = 400
    dimse_status = 0xC000


class TooLarge(Invalid):
    """What was sent is larger than a limit allows."""

    code = "too-large"
    http_status = 413
    dimse_status = 0xA700


class Conflict(RadrelayError):
    """What was asked contradicts what is here."""

    code = "conflict"
    http_status = 409
    dimse_status = 0xC000


class OutOfResources(RadrelayError):
    """There is no room left; nothing was kept."""

    code = "out-of-resources"
    http_status = 507
    dimse_status = 0xA700


class Unavailable(RadrelayError):
    """A part that this needs does not answer just now; try again."""

    code = "unavailable"
    http_status = 503
    dimse_status = 0xA700


class Misconfigured(RadrelayError):
    """A setting is missing or contradicts another."""

    code = "misconfigured"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as it is kept and shown: its code and facts, for whoever says it in other words, and plain English."""

    code: str
    detail: str
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @classmethod
    def of(cls, error: RadrelayError) -> Trouble:
        """Return what `error` says; facts that are neither text nor numbers are left out."""
        facts = {name: value for name, value in error.facts.items() if isinstance(value, str | int | float)}
        return cls(error.code, error.message, facts)
