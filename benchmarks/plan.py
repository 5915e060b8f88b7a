"""How long a run may be, where it works, and how it tells of what it finds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import Line, plain


@dataclass(frozen=True)
class Plan:
    """The size of a run; `cache` outlives it."""

    folder: Path
    cache: Path
    quick: bool
    rounds: int

    def pick(self, full: int, quick: int) -> int:
        """Return how many of something to use."""
        return quick if self.quick else full

    def tell(self, lines: list[Line]) -> list[Line]:
        """Print lines as they are found, and return them."""
        for one in lines:
            sys.stdout.write(plain(one) + "\n")
        sys.stdout.flush()
        return lines
