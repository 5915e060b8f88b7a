"""What came from outside as a terminal may show it: control characters end as question marks."""

from __future__ import annotations

from collections.abc import Iterator


def plain(text: str) -> str:
    """Return a text on one line, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def cells(*texts: str) -> Iterator[str]:
    """Yield texts as cells of a table, where a bracket begins no style."""
    return (plain(text).replace("[", r"\[") for text in texts)
