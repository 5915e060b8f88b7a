"""What opens a parcel elsewhere: tokens, PINs, birth dates. It shows itself nowhere; records name it by its SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that neither `repr` nor `str` nor a traceback gives away."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "•••"

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 by which logs and records name it."""
        return hashlib.sha256(self.value.encode()).hexdigest()
