"""Texts of recipes with names in braces: `{code}`, `{code:upper}`, `{birth_date:DD.MM.YYYY}`; `{{` is a brace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from radrelay.importer.recipes.words import Unreadable, say
from radrelay.importer.secret import Secret

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_DATE = re.compile(r"(?=.*[DMY])(?:YYYY|YY|MM|M|DD|D|[ ./,_-])+")
_DATE_PART = re.compile(r"YYYY|YY|MM|M|DD|D")
NUMBER = "number"
_TEXT_FORMS: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "plain": lambda text: "".join(c for c in text if c.isalnum()),
    "digits": lambda text: "".join(c for c in text if c.isdigit()),
    NUMBER: lambda text: text,
}


@dataclass(frozen=True, slots=True)
class Day:
    """A birth date, or another day that opens something: it shows itself nowhere."""

    value: date = field(repr=False)


Value = Secret | Day


@dataclass(frozen=True, slots=True)
class Hole:
    """A place for a value, in a form."""

    name: str
    form: str = ""

    @property
    def dated(self) -> bool:
        """Tell whether its form is one of dates."""
        return self.form != "" and self.form not in _TEXT_FORMS


@dataclass(frozen=True, slots=True)
class Template:
    """A text with holes."""

    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Return the places for values, in their order."""
        return tuple(one for one in self.parts if isinstance(one, Hole))

    @property
    def leading(self) -> str:
        """Return the name that it begins with, nothing if it begins with a text."""
        first = self.parts[0] if self.parts else ""
        return first.name if isinstance(first, Hole) else ""

    def filled(self, values: Mapping[str, Value], quote: Callable[[str], str] = str) -> str:
        """Return the text with values in its holes, each passed through `quote`."""
        return "".join(one if isinstance(one, str) else quote(shown(values[one.name], one.form)) for one in self.parts)


@lru_cache(maxsize=2000)
def template_of(text: str) -> Template:
    """Return a text read as a template; raises `Unreadable`."""
    parts: list[str | Hole] = []
    at = 0
    for found in _PIECE.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        if found[0] in ("{{", "}}"):
            parts.append(found[0][0])
        elif found[1] is None:
            raise Unreadable(say("brace-alone", sign=found[0]))
        else:
            parts.append(_hole(found[1]))
    parts.append(text[at:])
    return Template(_joined(parts))


def is_number(text: str) -> bool:
    """Tell whether a text stands for a number of JSON: `{id:number}` and nothing else."""
    parts = template_of(text).parts
    return len(parts) == 1 and isinstance(parts[0], Hole) and parts[0].form == NUMBER


def shown(value: Value, form: str) -> str:
    """Return a value in a form."""
    if isinstance(value, Day):
        day = value.value
        return _DATE_PART.sub(lambda part: _dated(day, part[0]), form or "YYYY-MM-DD")
    return _TEXT_FORMS[form](value.value) if form else value.value


def _dated(day: date, part: str) -> str:
    number = {"Y": day.year % 100 if part == "YY" else day.year, "M": day.month, "D": day.day}[part[0]]
    return f"{number:0{len(part)}d}"


def _hole(inside: str) -> Hole:
    name, _, form = inside.partition(":")
    if not NAME.fullmatch(name):
        raise Unreadable(say("no-name", hole=f"{{{name}}}"))
    if form and form not in _TEXT_FORMS and not _DATE.fullmatch(form):
        raise Unreadable(say("no-form", hole=f"{{{inside}}}", form=form, known=", ".join(_TEXT_FORMS)))
    return Hole(name, form)


def _joined(parts: list[str | Hole]) -> tuple[str | Hole, ...]:
    """Return the parts with texts beside each other as one, and without empty ones."""
    made: list[str | Hole] = []
    for one in parts:
        last = made[-1] if made else None
        if isinstance(one, str) and isinstance(last, str):
            made[-1] = last + one
        elif one != "":
            made.append(one)
    return tuple(made)
