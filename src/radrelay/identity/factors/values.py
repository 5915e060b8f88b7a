"""What second factors hand out: plain frozen values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["passkey", "totp", "email"]
AnswerKind = Literal["passkey", "totp", "email", "recovery"]
Stage = Literal["open", "factor", "set-up"]
"""How far a login has come: all the way, up to the second factor, or up to setting one up."""
KINDS: tuple[Kind, ...] = ("passkey", "totp", "email")
"""Strongest first."""


@dataclass(frozen=True, slots=True)
class FactorView:
    """A second factor without its secret."""

    id: uuid.UUID
    account_id: uuid.UUID
    kind: Kind
    name: str
    created_at: datetime
    used_at: datetime | None
    backed_up: bool


@dataclass(frozen=True, slots=True)
class RuleView:
    """Who needs a second factor, and of which kinds."""

    subject_kind: Literal["role", "group"]
    subject_id: str
    kinds: tuple[Kind, ...]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ResetView:
    """An administrator took somebody's factors away."""

    id: uuid.UUID
    by_name: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account has, may use to answer, and must have; `needs` is None where nothing is needed."""

    have: frozenset[Kind]
    needs: frozenset[Kind] | None
    codes_left: int

    @property
    def lacks(self) -> bool:
        """Say whether a factor is needed and none of the right kind is there."""
        return self.needs is not None and not self.have & self.needs

    @property
    def answers(self) -> frozenset[Kind]:
        """Which kinds may answer: those that are needed, where there is one, else any."""
        return (self.have & self.needs) or self.have if self.needs is not None else self.have


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answers: a code of an app, a mailed PIN or a recovery code, or a passkey's signature."""

    kind: AnswerKind
    code: str = field(default="", repr=False)
    challenge: str = ""
    credential: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Used:
    """An answer that was right: by which factor (none: a recovery code), to be spent in the caller's transaction."""

    account_id: uuid.UUID
    kind: AnswerKind
    factor_id: uuid.UUID | None
    spends: uuid.UUID | None = None
    """What counts once: of a code app its step."""
    code_hash: bytes = field(default=b"", repr=False)
    seen_count: int = 0
    sign_count: int = 0
    backed_up: bool = False
    verified: bool = False
    """Whether the passkey verified who held it."""


@dataclass(frozen=True, slots=True)
class PasskeySite:
    """Where passkeys belong: WebAuthn's RP ID and the origin that pages have (W3C WebAuthn 3, 5.1.2, 13.4.9)."""

    rp_id: str
    origin: str
    name: str
