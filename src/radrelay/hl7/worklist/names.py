"""Person names as worklists can carry them: 64 characters in each component group (PS3.5 6.2.1)."""

from __future__ import annotations

LONGEST = 64
LEAST = 2
"""Family and given name, which are kept as long as they fit: the patient is found by them."""


def fitting(name: str) -> str:
    """Return a name of which each group fits: suffix, prefix and middle name go first, whole, then the end is cut."""
    if len(name) <= LONGEST:
        return name
    return "=".join(_group(one) for one in name.split("=")[:3])


def _group(group: str) -> str:
    parts = group.split("^")
    while len("^".join(parts)) > LONGEST and len(parts) > LEAST:
        parts.pop()
    return "^".join(parts).rstrip("^")[:LONGEST].rstrip("^ ")
