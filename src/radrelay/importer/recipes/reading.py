"""A recipe file read whole and strictly: what is wrong is told with the file, the line, the key, and in words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from radrelay.errors import RadrelayError
from radrelay.importer.recipes import language
from radrelay.importer.recipes.language import Told
from radrelay.importer.recipes.rules import Place, problems_of
from radrelay.importer.recipes.trials import trial_problems_of
from radrelay.importer.recipes.words import Words, say

MOST_BYTES = 512 << 10
MOST_FAULTS = 100
"""So many of a file's are told; who mends those is told of the next."""
NAMED = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HEADER = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KNOWN: dict[str, type[BaseModel]] = {
    "": language.Told, "link": language.Link, "ask": language.Ask, "fails": language.Fail, "step": language.Step,
    "take": language.Take, "expect": language.Look, "until": language.Look, "test": language.Test,
    "exchange": language.Exchange, "fill": language.Fill, "click": language.Where, "save": language.Where,
    "when": language.Look,
}  # fmt: skip
_KINDS: dict[str, tuple[str, str]] = {
    "missing": ("missing", ""), "no_json": ("no-json", ""), "literal_error": ("one-of", "expected"),
    "string_type": ("no-text", ""),
    "int_type": ("no-number", ""), "float_type": ("no-number", ""), "float_parsing": ("no-number", ""),
    "bool_type": ("no-switch", ""), "mapping_type": ("no-table", ""), "dict_type": ("no-table", ""),
    "model_type": ("no-table", ""), "model_attributes_type": ("no-table", ""), "tuple_type": ("no-list", ""),
    "greater_than_equal": ("at-least", "least"), "less_than_equal": ("at-most", "limit"),
    "too_short": ("too-few", "least"), "too_long": ("too-many", "limit"), "string_too_short": ("too-short", "least"),
    "string_too_long": ("too-long", "limit"), "string_pattern_mismatch": ("not-formed", "form"),
}  # fmt: skip
"""What pydantic calls it, as our code, and the value in it that says which."""
_LIMITS = ("expected", "pattern", "ge", "le", "min_length", "max_length")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file: where (line 0: nobody can tell), and in which words."""

    file: str
    line: int
    place: str
    words: Words

    def __str__(self) -> str:
        """Return it as commands and logs say it."""
        at = f", line {self.line}" if self.line else ""
        return f"{self.file}{at}: {self.place}{': ' if self.place else ''}{self.words}"


class RecipeInvalid(RadrelayError):
    """This recipe does not say what recipes say."""

    code = "recipe-invalid"
    http_status = 400
    faults: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, *faults: Fault) -> RecipeInvalid:
        """Return it with all that is wrong, a fault a line."""
        made = cls("\n".join(map(str, faults)))
        made.faults = faults
        return made


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that is right in itself. `id` is the file's name; recorded pages lie in the folder `beside` it."""

    id: str
    told: Told
    beside: Path

    @property
    def guesses(self) -> int:
        """Return how many of its lines about failures are guesses."""
        fails = (*self.told.fails, *(one for step in self.told.step for one in step.fails))
        return sum(one.guess for one in fails)


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a file; raises `RecipeInvalid`, a problem a line."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _as_whole(path, say("not-text", kind=type(error).__name__)) from error
    if len(raw) > MOST_BYTES:
        raise _as_whole(path, say("too-large", limit=MOST_BYTES >> 10))
    if not NAMED.fullmatch(path.stem):
        raise _as_whole(path, say("file-name"))
    return parsed(text, path)


def parsed(text: str, path: Path) -> Recipe:
    """Return the recipe that a text is; `path` is what it is called, and what its pages lie beside."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError of its own
        raise _as_whole(path, say("no-toml", said=str(error))) from None
    lines = tuple(_headings(text))
    try:
        told = Told.model_validate(raw)
    except ValidationError as error:
        found = [_problem(one) for one in error.errors(include_input=False, include_url=False)]
        raise _invalid(path, text, lines, found) from None
    recipe = Recipe(path.stem, told, path.parent / path.stem)
    found = [*problems_of(told)]
    found += [] if found else trial_problems_of(told, recipe.beside)
    if found:
        raise _invalid(path, text, lines, found)
    return recipe


def _as_whole(path: Path, words: Words) -> RecipeInvalid:
    return RecipeInvalid.of(Fault(path.name, 0, "", words))


def _problem(found: ErrorDetails) -> tuple[Place, Words]:
    """Return what pydantic found, in our words."""
    place, kind, told = tuple(found["loc"]), found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        model = next(
            (_KNOWN[one] for one in reversed(place[:-1]) if isinstance(one, str) and one in _KNOWN), _KNOWN[""]
        )
        return place, say("unknown-key", known=", ".join(_keys(model)))
    code, name = _KINDS.get(kind, ("unfit", ""))
    if code == "unfit":
        return place, say(code, said=found["msg"][:1].lower() + found["msg"][1:])
    value = next((told[one] for one in _LIMITS if one in told), "")
    return place, say(code, **({name: value if isinstance(value, int) else str(value)} if name else {}))


def _keys(model: type[BaseModel]) -> Iterator[str]:
    return (told.alias or name for name, told in model.model_fields.items())


def _invalid(
    path: Path, text: str, lines: Sequence[tuple[int, str]], problems: Sequence[tuple[Place, Words]]
) -> RecipeInvalid:
    told = []
    for place, words in islice(dict.fromkeys(problems), MOST_FAULTS):
        line = _line(text, lines, place[:-1] if words.code == "missing" else place)
        told.append(Fault(path.name, line, _shown(place), words))
    return RecipeInvalid.of(*told)


def _shown(place: Place) -> str:
    """Return a place as it is counted by people: `step 2, form.birth`."""
    said = ""
    for one in place:
        if isinstance(one, int):
            said += f" {one + 1}"
        else:
            said += f"{', ' if said and said[-1].isdigit() else '.' if said else ''}{one}"
    return said


def _headings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that begin tables, those within texts of several lines left out."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not fence and (found := _HEADER.match(line)) is not None:
            yield number, found[1]
        for mark in ('"""', "'''"):
            if (fence in ("", mark)) and line.count(mark) % 2:
                fence = "" if fence else mark


def _line(text: str, lines: Sequence[tuple[int, str]], place: Place) -> int:
    """Return the line of a place as near as it can be told: of its key, else of its table; none: 0."""
    first, last = 0, len(text.splitlines())
    name, wanted = "", list(place)
    while wanted:
        key = f"{name}.{wanted[0]}".strip(".")
        nth = wanted[1] if len(wanted) > 1 and isinstance(wanted[1], int) else 0
        here = [number for number, heading in lines if heading == key and first <= number <= last]
        if nth >= len(here):
            break
        following = [number for number, heading in lines if number > here[nth] and not heading.startswith(f"{key}.")]
        first, last, name = here[nth], min([last, *(one - 1 for one in following)]), key
        wanted = wanted[2 if len(wanted) > 1 and isinstance(wanted[1], int) else 1 :]
    rows = text.splitlines()
    last = last if first else min([last, *(number - 1 for number, _ in lines)])
    for key in [str(one) for one in wanted if isinstance(one, str)][::-1]:
        sought = re.compile(rf"(?:^|[{{,])\s*[\"']?{re.escape(key)}[\"']?\s*=")
        for number in range(max(first, 1), last + 1):
            if sought.search(rows[number - 1]):
                return number
    return first
