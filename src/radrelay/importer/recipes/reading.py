"""A recipe file read whole and strictly: what is wrong is told with the file, the line, the key, and in words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from radrelay.errors import RadrelayError
from radrelay.importer.recipes import language
from radrelay.importer.recipes.language import Told
from radrelay.importer.recipes.rules import Place, problems_of
from radrelay.importer.recipes.trials import trial_problems_of

MISSING = "is missing"
MOST_BYTES = 512 << 10
NAMED = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HEADER = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KNOWN: dict[str, type[BaseModel]] = {
    "": language.Told, "link": language.Link, "ask": language.Ask, "fails": language.Fail, "step": language.Step,
    "take": language.Take, "expect": language.Look, "until": language.Look, "test": language.Test,
    "exchange": language.Exchange, "fill": language.Fill, "click": language.Where, "save": language.Where,
    "when": language.Look,
}  # fmt: skip


class RecipeInvalid(RadrelayError):
    """This recipe does not say what recipes say."""

    code = "recipe-invalid"
    http_status = 400


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that is right in itself. `id` is the file's name; recorded pages lie in the folder `beside` it."""

    id: str
    told: Told
    beside: Path


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a file; raises `RecipeInvalid`, a problem a line."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeInvalid(f"{path.name}: cannot be read as a text in UTF-8 ({type(error).__name__})") from error
    if len(raw) > MOST_BYTES:
        raise RecipeInvalid(f"{path.name}: is larger than {MOST_BYTES >> 10} KiB")
    if not NAMED.fullmatch(path.stem):
        raise RecipeInvalid(f"{path.name}: a file is named in small letters, digits and hyphens, and ends in .toml")
    return parsed(text, path)


def parsed(text: str, path: Path) -> Recipe:
    """Return the recipe that a text is; `path` is what it is called, and what its pages lie beside."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeInvalid(f"{path.name}: {error}") from None
    lines = tuple(_headings(text))
    try:
        told = Told.model_validate(raw)
    except ValidationError as error:
        found = [
            _problem(one["loc"], one["type"], one["msg"])
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise _invalid(path, text, lines, found) from None
    recipe = Recipe(path.stem, told, path.parent / path.stem)
    found = [*problems_of(told)]
    found += [] if found else trial_problems_of(told, recipe.beside)
    if found:
        raise _invalid(path, text, lines, found)
    return recipe


def _problem(place: Sequence[str | int], kind: str, words: str) -> tuple[Place, str]:
    """Return what pydantic found, in our words where its own are about Python."""
    if kind == "extra_forbidden":
        model = next(
            (_KNOWN[one] for one in reversed(place[:-1]) if isinstance(one, str) and one in _KNOWN), _KNOWN[""]
        )
        return tuple(place), f"is not known here; known are {', '.join(_keys(model))}"
    if kind == "missing":
        return tuple(place), MISSING
    return tuple(place), words[:1].lower() + words[1:]


def _keys(model: type[BaseModel]) -> Iterator[str]:
    return (told.alias or name for name, told in model.model_fields.items())


def _invalid(
    path: Path, text: str, lines: Sequence[tuple[int, str]], problems: Sequence[tuple[Place, str]]
) -> RecipeInvalid:
    told = []
    for place, words in dict.fromkeys(problems):
        line = _line(text, lines, place[:-1] if words == MISSING else place)
        at = f", line {line}" if line else ""
        told.append(f"{path.name}{at}: {_shown(place)}{words}")
    return RecipeInvalid("\n".join(told))


def _shown(place: Place) -> str:
    """Return a place as it is counted by people: `step 2, form.birth: `."""
    said = ""
    for one in place:
        if isinstance(one, int):
            said += f" {one + 1}"
        else:
            said += f"{', ' if said and said[-1].isdigit() else '.' if said else ''}{one}"
    return f"{said}: " if said else ""


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
