"""What one import may take as a whole: so many bytes, so much time.

Each download has its own limits; a portal that lists thousands of them is bounded by these.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace

from radrelay.errors import Trouble
from radrelay.importer.import_errors import ImportTooLarge, ImportTooLong
from radrelay.importer.models import ImportCase
from radrelay.settings import ImporterSettings

OUT_OF_BOUNDS = frozenset({ImportTooLarge.code, ImportTooLong.code})
_SPENT = "spent_s"


@dataclass(slots=True)
class Bounds:
    """The bounds of one import; `before_s` was spent in turns that are tried again."""

    most_bytes: int
    most_s: float
    before_s: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, settings: ImporterSettings, before_s: float) -> Bounds:
        """Return those of the settings."""
        return cls(settings.import_bytes, settings.import_timeout_s, before_s)

    @property
    def spent_s(self) -> float:
        """How long it is fetched by now; while a person is asked, nothing is."""
        return self.before_s + time.monotonic() - self._began

    def require_time(self) -> None:
        """Raise `ImportTooLong` where all of it takes too long."""
        if self.spent_s > self.most_s:
            words = f"it is being fetched for more than {self.most_s:g} s (importer.import_timeout_s)"
            raise ImportTooLong(words, bound="importer.import_timeout_s", seconds=int(self.most_s))

    def require_room(self, have: int) -> None:
        """Raise `ImportTooLarge` where all of it is too much."""
        if have > self.most_bytes:
            words = f"it is more than {self.most_bytes} bytes (importer.import_bytes)"
            raise ImportTooLarge(words, bound="importer.import_bytes", limit=self.most_bytes)


def with_time(trouble: Trouble | None, bounds: Bounds | None) -> Trouble | None:
    """Return why an import is tried again with how long it was fetched, which counts for the next turn."""
    if trouble is None or bounds is None:
        return trouble
    return replace(trouble, facts={**trouble.facts, _SPENT: int(bounds.spent_s)})


def spent_s(row: ImportCase) -> float:
    """Return for how long an import that is tried again was fetched before."""
    told = json.loads(row.error_facts).get(_SPENT) if row.error_code else None
    return float(told) if isinstance(told, int) else 0.0
