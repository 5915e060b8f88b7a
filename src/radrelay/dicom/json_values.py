"""The values of an attribute of metadata as DICOM JSON (PS3.18 Annex F), read lean and without complaint."""

from __future__ import annotations

import math

import msgspec


class Values(msgspec.Struct, frozen=True, gc=False):
    """The values of a numeric or text attribute; numbers that are none stand as their text."""

    Value: tuple[float | str | None, ...] = ()

    @property
    def numbers(self) -> tuple[float, ...]:
        """Return those that are finite numbers."""
        found = self.Value
        try:
            if math.isfinite(sum(found)):  # type: ignore[arg-type]  # texts and gaps raise
                return found  # type: ignore[return-value]
        except TypeError:
            pass
        return tuple(one for one in found if isinstance(one, float | int) and math.isfinite(one))

    @property
    def number(self) -> float | None:
        """Return the first number."""
        found = self.numbers
        return found[0] if found else None

    @property
    def integer(self) -> int | None:
        """Return the first number, whole."""
        found = self.number
        return None if found is None else int(found)

    @property
    def text(self) -> str:
        """Return the first value as text."""
        first = self.Value[0] if self.Value else None
        return first.strip() if isinstance(first, str) else "" if first is None else f"{first:g}"


NONE = Values()
