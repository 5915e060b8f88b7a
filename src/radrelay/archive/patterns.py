"""Patterns and words turned into what the text index and plain columns can be asked.

A `TextNeed` is one thing that must be found: alternatives (a name with ü or ue), each a list of literal pieces. Pieces
of three characters and more go to the trigram index, one that is shorter to the table of short tokens; `predicate`
says the same of the plain column, for databases and plans that need no help, and to be exact where pieces are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from radrelay.archive.folding import GROUP, is_wide
from radrelay.archive.tables import STUDY
from radrelay.dicom.names import fold, query_forms

TRIGRAM = 3
_WILD = re.compile(r"[*?]+")
_SIGNS = re.compile(r"[%_\\]+")  # folding takes the latter two for spaces: alone they would ask for nothing
Where = Literal["name", "rest", "any"]


@dataclass(frozen=True, slots=True)
class TextNeed:
    """Something that must occur in a study's text."""

    where: Where
    phrases: tuple[tuple[str, ...], ...]  # alternatives of pieces, empty if the index cannot help
    tokens: tuple[str, ...]  # alternatives in the token table, empty if the need is longer or elsewhere
    exact: bool  # the index's answer needs no further look
    predicate: ColumnElement[bool]

    @property
    def match(self) -> str:
        """Return the need as an FTS5 expression."""
        alternatives = (" AND ".join(map(_quoted, pieces)) for pieces in self.phrases)
        expression = " OR ".join(f"({pieces})" for pieces in alternatives)
        return f"({expression})" if self.where == "any" else f"{{{self.where}}} : ({expression})"


def has_wildcard(pattern: str) -> bool:
    """Say whether `pattern` holds `*` or `?`."""
    return _WILD.search(pattern) is not None


def name_needs(pattern: str) -> list[TextNeed]:
    """Return the needs of a person name pattern: each of its groups matches a whole group."""
    needs = []
    for group in pattern.split(GROUP):
        forms = [_bound(form) for form in query_forms(group) if form.strip("*")]
        if forms:
            needs.append(_need("name", forms, STUDY.c.patient_name_folded))
    return needs


def name_word_needs(words: str) -> list[TextNeed]:
    """Return the needs of free words, each somewhere in the name; one and two letters begin a word."""
    return [_word("name", word) for word in words.replace("^", " ").replace(GROUP, " ").split() if fold(word)]


def text_needs(words: str) -> list[TextNeed]:
    """Return the needs of free words, each in the name, the description or an identifier."""
    return [
        _literal(word) if _SIGNS.fullmatch(word) else _word("any", word)
        for word in words.split()
        if fold(word) or _SIGNS.fullmatch(word)
    ]


def description_needs(pattern: str) -> list[TextNeed]:
    """Return the need of a pattern for the whole study description."""
    form = fold(pattern)
    return [_need("rest", [f"\n{form}\n*"], STUDY.c.search_text, bound=True)] if form.strip("*") else []


def description_word_needs(words: str) -> list[TextNeed]:
    """Return the needs of free words, each somewhere in the description or an identifier."""
    return [_need("rest", [f"*{fold(word)}*"], STUDY.c.search_text) for word in words.split() if fold(word)]


def identifier_need(pattern: str) -> TextNeed | None:
    """Return what the text index can say of a pattern for an identifier; the column itself must be looked at too."""
    pieces = tuple(piece for piece in (fold(part) for part in _WILD.split(pattern)) if len(piece) >= TRIGRAM)
    return TextNeed("rest", (pieces,), (), False, sa.true()) if pieces else None


def like(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Return DICOM's wildcard matching of a column, without regard to (ASCII) case."""
    return column.ilike(like_pattern(pattern), escape="\\")


def like_pattern(pattern: str) -> str:
    """Return a DICOM pattern as a pattern of LIKE with the escape character backslash."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def identifier(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Return the condition that an identifier matches `pattern`, put so that its index helps."""
    cases = list(dict.fromkeys((pattern, pattern.upper(), pattern.lower())))
    if not has_wildcard(pattern):
        return column.in_(cases)
    prefixes = list(dict.fromkeys(_WILD.split(case)[0] for case in cases))
    if not prefixes[0]:
        return like(column, pattern)
    ranges = [sa.and_(column >= prefix, column < _after(prefix)) for prefix in prefixes]
    return sa.and_(sa.or_(*ranges), like(column, pattern))


def _bound(form: str) -> str:
    """Bind a pattern for a whole group to the marks around it, where it does not begin or end openly."""
    start = "" if form.startswith("*") else GROUP
    end = "" if form.endswith("*") else GROUP
    return start + form.strip("*") + end


def _after(prefix: str) -> str:
    """Return the least text beyond all that begin with `prefix`, in the order of code points."""
    return prefix[:-1] + chr(min(ord(prefix[-1]) + 1, 0x10FFFF))


def _need(where: Where, forms: Sequence[str], column: ColumnElement[str], *, bound: bool = False) -> TextNeed:
    """Return the need of alternatives that are DICOM patterns within a longer text (`bound`: from its beginning)."""
    pieces = tuple(tuple(p for p in _WILD.split(form) if len(p) >= TRIGRAM) for form in forms)
    usable = pieces if all(pieces) else ()
    tokens = _short_tokens(forms) if where == "name" and not usable else ()
    plain = not any(has_wildcard(form.strip("*")) for form in forms)
    edges = ("" if bound else "%", "%")
    predicate = sa.or_(*(column.like(edges[0] + like_pattern(form) + edges[1], escape="\\") for form in forms))
    return TextNeed(where, usable, tokens, plain and not bound, predicate)


def _short_tokens(forms: Iterable[str]) -> tuple[str, ...]:
    """Return the tokens of patterns such as `=a*`: a group that begins with one character."""
    tokens = []
    for form in forms:
        first = _WILD.split(form)[0]
        if len(first) != TRIGRAM - 1:
            return ()
        tokens.append(first)
    return tuple(tokens)


def _word(where: Literal["name", "any"], word: str) -> TextNeed:
    forms = query_forms(word)
    name, rest = STUDY.c.patient_name_folded, STUDY.c.search_text
    short = [form for form in forms if len(form) < TRIGRAM]
    if short:
        starts = sa.or_(*(name.like(pattern, escape="\\") for form in short for pattern in _word_starts(form)))
        return TextNeed("name", (), tuple(short), True, starts)
    columns = (name,) if where == "name" else (name, rest)
    contained = sa.or_(*(column.contains(form, autoescape=True) for form in forms for column in columns))
    return TextNeed(where, tuple((form,) for form in forms), (), True, contained)


def _literal(signs: str) -> TextNeed:
    """Return the need of signs that stand in the name, the description or an identifier just so."""
    columns = (STUDY.c.patient_name, STUDY.c.description, STUDY.c.patient_id_value, STUDY.c.accession_number)
    return TextNeed("any", (), (), False, sa.or_(*(column.contains(signs, autoescape=True) for column in columns)))


def _word_starts(form: str) -> list[str]:
    escaped = like_pattern(form.replace("*", "").replace("?", ""))
    if all(map(is_wide, form)):
        return [f"%{escaped}%"]
    return [f"%{GROUP}{escaped}%", f"% {escaped}%"]


def _quoted(piece: str) -> str:
    return '"' + piece.replace('"', '""') + '"'
