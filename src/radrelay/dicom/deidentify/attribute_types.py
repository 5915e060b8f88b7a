"""The types of attributes (PS3.5 7.4) by object, to resolve actions such as X/Z/D so that the result stays valid.

From PS3.3 as highdicom 0.28 (MIT) hands its modules on: for each attribute of Table E.1-1 that is replaced or emptied,
the strictest type that any module of an IOD gives it at the top level, and in each sequence. A conditional type counts
as required: what is there was required.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

_PREFIX = "1.2.840.10008.5.1.4."


class Types(NamedTuple):
    """Types of attributes: usual ones at the top level, exceptions by SOP class, and those in sequences."""

    usual: dict[int, int]
    by_class: dict[tuple[int, str], int]
    nested: dict[tuple[int, int], int]


@cache
def types() -> Types:
    """Return the table."""
    found = Types({}, {}, {})
    text = files(__package__).joinpath("attribute_types.tsv").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        name, parent, usual, *others = line.split("\t")
        tag = int(name, 16)
        if parent:
            found.nested[tag, int(parent, 16)] = int(usual)
            continue
        found.usual[tag] = int(usual)
        for other in others:
            kind, _, classes = other.partition(":")
            found.by_class.update({(tag, _PREFIX + ending): int(kind) for ending in classes.split(",")})
    return found


def type_of(tag: int, parent: int, sop_class: str) -> int | None:
    """Return 1, 2 or 3 for an attribute of an object, or of a sequence in it (`parent`); none when not known."""
    known = types()
    if parent:
        return known.nested.get((tag, parent))
    return known.by_class.get((tag, sop_class), known.usual.get(tag))


def resolve(code: str, kind: int | None, *, unsure: str) -> str:
    """Return the one action of a combined code (PS3.15 E.1) for an attribute of a type.

    X where the attribute is optional, Z where it may be empty, D where it needs a value. References (U) are replaced
    wherever they are not optional: others in the object rely on them. Of an unknown type is `unsure`: the last of the
    alternatives that stays valid whatever the type.
    """
    choices = code.rstrip("*").split("/")
    if len(choices) == 1:
        return "D" if code == "Z" and kind == 1 else code
    if kind is None:
        return unsure
    if kind < 3 and "U" in choices:
        return "U"
    valid = {3: ("X", "Z", "D", "U"), 2: ("Z", "D"), 1: ("D",)}[kind]
    return next((choice for choice in choices if choice in valid), choices[-1])
