"""The code and the birth date of a walk, found again in whatever form a portal sends them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

from radrelay.importer.recipes.templates import Day, Value, shown
from radrelay.importer.secret import Secret

CODE, BIRTH_DATE = "code", "birth_date"
DAYS = (
    "DD.MM.YYYY", "YYYY-MM-DD", "YYYYMMDD", "DDMMYYYY", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "D.M.YYYY",
    "YYYY/MM/DD", "D/M/YYYY", "M/D/YYYY", "DD.MM.YY", "DDMMYY",
)  # fmt: skip
LEAST = 3
_TEXTS = ("", "upper", "lower", "plain", "digits")
_PART_OF_DAY = (("DD", "D"), ("MM", "M"), ("YYYY",))
_DAY_WORDS = (("day", "tag", "dd", "jour"), ("month", "monat", "mm", "mois"), ("year", "jahr", "yy", "annee"))


class Known:
    """What a walk was made with, by name."""

    def __init__(self, code: str, born: date | None, held: Mapping[str, str] | None = None) -> None:
        self.values: dict[str, Value] = {CODE: Secret(code)}
        self.values |= {BIRTH_DATE: Day(born)} if born is not None else {}
        self.values |= {name: Secret(value) for name, value in (held or {}).items()}

    def written(self) -> Iterator[tuple[str, str]]:
        """Yield every way of writing one of them, the longest first, with what stands for it in a template."""
        found: dict[str, str] = {}
        for name, value in self.values.items():
            for form in DAYS if isinstance(value, Day) else _TEXTS:
                text = shown(value, form)
                if len(text) >= LEAST:
                    found.setdefault(text, f"{{{name}:{form}}}" if form else f"{{{name}}}")
        return iter(sorted(found.items(), key=lambda one: -len(one[0])))

    def templated(self, text: str) -> str:
        """Return a text with what is known replaced, as a template; braces of its own are doubled."""
        parts: list[tuple[str, bool]] = [(text, False)]
        for known, hole in self.written():
            cut: list[tuple[str, bool]] = []
            for piece, done in parts:
                if done or not stands_in(known, piece):
                    cut.append((piece, done))
                    continue
                before, _, after = piece.partition(known)
                cut += [(before, False), (hole, True), (after, False)]
            parts = cut
        return "".join(piece if done else escaped(piece) for piece, done in parts)

    def parted(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return the fields of a form that hold day, month and year of the birth date, each as a template."""
        found: dict[str, str] = {}
        if BIRTH_DATE not in self.values:
            return found
        for forms, words in zip(_PART_OF_DAY, _DAY_WORDS, strict=True):
            fitting = {
                name: form
                for form in reversed(forms)
                for name, value in fields.items()
                if value == shown(self.values[BIRTH_DATE], form) and name not in found
            }
            named = next((one for one in fitting if any(word in one.lower() for word in words)), None)
            if named is None:
                return {}
            found[named] = f"{{{BIRTH_DATE}:{fitting[named]}}}"
        return found

    def shows_in(self, text: str) -> bool:
        """Tell whether a text gives one of them away."""
        return any(stands_in(known, text) for known, _ in self.written() if len(known) >= 4)


def escaped(text: str) -> str:
    """Return a text with its braces doubled."""
    return text.replace("{", "{{").replace("}", "}}")


def asks_for(name: str, template: str) -> bool:
    """Tell whether a template holds a value by this very name, in whatever form."""
    return f"{{{name}}}" in template or f"{{{name}:" in template


def stands_in(known: str, text: str) -> bool:
    """Tell whether a text holds another; a short one counts only where it stands alone."""
    if len(known) >= 8:
        return known in text
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(known)}(?![A-Za-z0-9])", text) is not None
