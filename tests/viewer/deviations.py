"""Where the picture in the browser differs from the other decoder's, by how much, and why."""

from __future__ import annotations

from collections.abc import Mapping

from tests.viewer.screen import Difference

KNOWN: dict[str, tuple[Difference, str]] = {
    "RG3_JPLY": (
        Difference(255, 8),
        "Eight samples overshoot to 1024 where 10 bits are stored. Radrelay keeps them at 1023, the most; pydicom, of "
        "what dcmtk decodes, cuts them to ten bits: 0, so that the brightest of the picture is its darkest.",
    ),
}
"""By file name: at most so many levels, in so many pixels."""


def explained(found: Mapping[str, Difference]) -> dict[str, Difference]:
    """Return what was found of the files whose difference is known and no larger than that."""
    known = {name: most for name, (most, _) in KNOWN.items()}
    return {
        name: one
        for name, one in found.items()
        if name in known and one.levels <= known[name].levels and 0 < one.pixels <= known[name].pixels
    }
