"""Lines of text on as many A4 pages as they take, and days and moments as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from radrelay.privacy.notice import Language
from radrelay.web.paper import HEIGHT, WIDTH, Font, Paper, lines_of

MARGIN, INDENT = 56, 14


class Writing:
    """Lines on as many pages as they take."""

    def __init__(self) -> None:
        self.pages: list[Paper] = []
        self._y = 0.0

    def line(self, text: str, size: float = 10, font: Font = "plain", space: float = 0, indent: float = 0) -> None:
        """Write a text, broken where it is too long."""
        for place, part in enumerate(lines_of(text, size, WIDTH - 2 * MARGIN - indent, font, split=True)):
            step = size * 1.4 + (space if place == 0 else 0)
            if not self.pages or self._y - step < MARGIN:
                self.pages.append(Paper())
                self._y = HEIGHT - MARGIN
            self._y -= step
            self.pages[-1].text(MARGIN + indent, self._y, part, size, font)

    def point(self, text: str, size: float = 10) -> None:
        """Write a text that belongs to what stands above it."""
        self.line(text, size, indent=INDENT)


def day_of(day: date | None, language: Language) -> str:
    """Return a day as it is read, nothing for none."""
    if day is None:
        return ""
    return f"{day:%d.%m.%Y}" if language == "de" else f"{day:%d %B %Y}"


def moment_of(at: datetime, language: Language) -> str:
    """Return a moment as it is read."""
    at = at.astimezone(UTC)
    return f"{day_of(at.date(), language)}, {at:%H:%M} UTC"


def read_name(text: str) -> str:
    """Return a person's name (PS3.5 6.2.1) as it is read: given name first; ideographs, family first, beside it."""
    alphabetic, ideographic, phonetic = (_in_order(group) for group in (*text.split("="), "", "", "")[:3])
    whole = " ".join(filter(None, (alphabetic[0], alphabetic[1])))
    own = " ".join(filter(None, reversed(ideographic)))
    if not whole:
        return own or " ".join(filter(None, reversed(phonetic)))
    return f"{whole} ({own})" if own else whole


def _in_order(group: str) -> tuple[str, str]:
    """Return what stands before the family name, and that with what stands behind it."""
    family, given, middle, prefix, suffix = ([part.strip() for part in group.split("^")] + [""] * 5)[:5]
    return " ".join(filter(None, (prefix, given, middle))), " ".join(filter(None, (family, suffix)))
