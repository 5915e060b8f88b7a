r"""Regular expressions of recipes: a subset that cannot hang, whatever a page holds.

Characters, `.`, classes and `\d \w \s`, each repeated or not, and one group around what is wanted. No alternatives, no
references, no repeated groups. What is repeated takes all it can and gives nothing back (possessive): there is no
backtracking, and each place in a bounded text costs at most the sum of the repetitions. So that this changes no
meaning, a repeated character must be none that may stand right after it: `[^"]*"`, not `.*"`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from radrelay.importer.recipes.words import Unreadable, say

MOST_CHARACTERS = 300
MOST_REPEATED = 500
MOST_IN_ALL = 1000
MOST_SEARCHED = 512 << 10
_ESCAPES = "dDwWsSnrt"
_COUNT = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\\[])*\]")


class PatternRefused(Unreadable):
    """This pattern is outside the subset that cannot hang."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """One character of some kind, `least` to `most` times."""

    written: str
    least: int
    most: int


@lru_cache(maxsize=1000)
def pattern_of(text: str) -> re.Pattern[str]:
    """Return a pattern of the subset, ready to search with; raises `PatternRefused`."""
    if len(text) > MOST_CHARACTERS:
        raise PatternRefused(say("pattern-long", limit=MOST_CHARACTERS))
    parts = tuple(_parts(text))
    atoms = [one for one in parts if isinstance(one, _Atom)]
    groups = "".join(one for one in parts if isinstance(one, str))
    if groups not in ("", "()"):
        raise PatternRefused(say("pattern-groups"))
    if not any(one.least for one in atoms):
        raise PatternRefused(say("pattern-nothing"))
    if sum(one.most for one in atoms) > MOST_IN_ALL:
        raise PatternRefused(say("pattern-whole", limit=MOST_IN_ALL))
    _require_apart(atoms)
    return re.compile("".join(one if isinstance(one, str) else _written(one) for one in parts))


def found_in(pattern: str, text: str) -> list[str]:
    """Return all that a pattern finds in the first `MOST_SEARCHED` characters: its group, or the whole."""
    compiled = pattern_of(pattern)
    return [found[compiled.groups] for found in compiled.finditer(text[:MOST_SEARCHED])]


def _parts(text: str) -> Iterator[_Atom | str]:
    at = 0
    while at < len(text):
        if text[at] in "()":
            if text[at : at + 2] == "(?":
                raise PatternRefused(say("pattern-question"))
            yield text[at]
            at += 1
            continue
        written = _character(text, at)
        least, most, end = _repeated(text, at + len(written))
        yield _Atom(written, least, most)
        at = end


def _character(text: str, at: int) -> str:
    """Return the one character, or class of characters, that stands at a place."""
    one = text[at]
    if one == "\\":
        if at + 1 == len(text) or (text[at + 1].isalnum() and text[at + 1] not in _ESCAPES):
            raise PatternRefused(say("pattern-sign", sign=text[at : at + 2]))
        return text[at : at + 2]
    if one == "[":
        found = _CLASS.match(text, at)
        if found is None:
            raise PatternRefused(say("pattern-open"))
        _require_class(found[0])
        return found[0]
    if one in "*+?{":
        raise PatternRefused(say("pattern-repeat"))
    if one in "|^$":
        raise PatternRefused(say("pattern-escape", sign=one))
    return one


def _require_class(written: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(written)
        except (re.error, FutureWarning, DeprecationWarning):
            raise PatternRefused(say("pattern-class", sign=written)) from None


def _repeated(text: str, at: int) -> tuple[int, int, int]:
    """Return how often a character may stand, and where that is said to its end."""
    sign = text[at : at + 1]
    least, most, end = 1, 1, at
    if sign and sign in "*+?":
        least, most = (1 if sign == "+" else 0), (1 if sign == "?" else MOST_REPEATED)
        end = at + 1
    elif sign == "{":
        found = _COUNT.match(text, at)
        if found is None:
            raise PatternRefused(say("pattern-count"))
        least, end = int(found[1]), found.end()
        most = (int(found[3]) if found[3] else MOST_REPEATED) if found[2] else least
    if most > MOST_REPEATED or least > most:
        raise PatternRefused(say("pattern-most", limit=MOST_REPEATED))
    if end > at and text[end : end + 1] in ("*", "+", "?", "{"):
        raise PatternRefused(say("pattern-possessive", sign=text[at : end + 1]))
    return least, most, end


def _require_apart(atoms: list[_Atom]) -> None:
    """Raise `PatternRefused` where a repeated character might be one that has to stand after it."""
    universe = {chr(code) for code in range(1, 0x180)} | set("".join(one.written for one in atoms))
    kinds = [re.compile(one.written) for one in atoms]
    for at, one in enumerate(atoms):
        if one.least == one.most:
            continue
        for after in range(at + 1, len(atoms)):
            if any(kinds[at].fullmatch(c) and kinds[after].fullmatch(c) for c in universe):
                raise PatternRefused(say("pattern-apart", sign=_shown(one), after=_shown(atoms[after])))
            if atoms[after].least:
                break


def _shown(atom: _Atom) -> str:
    return atom.written if atom.least == atom.most == 1 else f"{atom.written}{{{atom.least},{atom.most}}}"


def _written(atom: _Atom) -> str:
    if atom.least == atom.most:
        return atom.written if atom.least == 1 else f"{atom.written}{{{atom.least}}}"
    return f"{atom.written}{{{atom.least},{atom.most}}}+"
