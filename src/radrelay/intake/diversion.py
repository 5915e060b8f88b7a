"""What goes another way before it is seen: objects that are to be pseudonymised, and results that came under an alias.

They are kept aside for the moment that it takes to write them anew (`pseudonymising`); none is ever in the list as it
came. Who indexes must say what diverts: an index that knew nothing of it would show whom a source promised to hide.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy.orm import Session

from radrelay.intake.examine import Examined

WAITS = "pseudonym-waits"
LOOKED_AT = "pseudonym-looked-at"
"""As `WAITS`, after a person has looked at it and lets its pictures pass."""
RETURNS = "return-waits"
WAITING = frozenset((WAITS, LOOKED_AT, RETURNS))
NOT_SAFE, NOT_RETURNED = "not-safe", "not-returned"
FILE_NOT_SAFE = "file-not-safe"
AWAITS_RELEASE = "awaits-release"
"""Of what a source wants a person to release by hand (`awaiting`): only who may release hears of it."""
REJECTED = "release-rejected"

Diverted = Mapping[uuid.UUID, tuple[str, str]]
"""Codes and reasons by landing record."""


class Diversion(Protocol):
    """Says which records of a batch go another way."""

    def diverted(self, session: Session, batch: Sequence[Examined]) -> Diverted:
        """Return them with what they are kept aside as."""
        ...
