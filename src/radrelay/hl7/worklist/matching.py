"""Matching of worklist items by the rules of DICOM (PS3.4 C.2.2.2), on items as they are answered.

An item is a table of attributes by tag: VR and text, several values parted by a backslash, or a sequence's items.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from radrelay.network.ports import Key

Value: TypeAlias = "str | Sequence[Item]"
Item: TypeAlias = "Mapping[int, tuple[str, Value]]"
RANGED = ("DA", "TM", "DT")
NOT_WILD = ("UI", "DA", "TM", "DT", "US", "UL", "SS", "SL", "FL", "FD", "DS", "IS", "AT")


def matches(item: Item, keys: Sequence[Key]) -> bool:
    """Say whether an item fits all keys; what no item has is no condition (K.2.2.1)."""
    return all(_fits(item[key.tag], key) for key in keys if key.tag in item)


def _fits(attribute: tuple[str, Value], key: Key) -> bool:
    vr, value = attribute
    if not isinstance(value, str):
        wanted = key.items[0] if key.items else ()
        return _is_universal(wanted) or any(matches(one, wanted) for one in value)
    if key.text in ("", "*"):
        return True
    values = value.split("\\")
    if vr in RANGED:
        return any(_within(one, key.text, vr) for one in values)
    wanted_values = key.values if vr == "UI" else (key.text,)
    if vr == "PN":
        return any(_pattern(_plain(key.text), True).fullmatch(_plain(one)) is not None for one in values)
    return any(_pattern(one, vr not in NOT_WILD).fullmatch(own) is not None for one in wanted_values for own in values)


def _is_universal(keys: Sequence[Key]) -> bool:
    return all(_is_universal(key.items[0]) if key.items else key.text in ("", "*") for key in keys)


@lru_cache(maxsize=1024)
def _pattern(text: str, wild: bool) -> re.Pattern[str]:
    if not wild:
        return re.compile(re.escape(text))
    escaped = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)


@lru_cache(maxsize=8192)
def _plain(name: str) -> str:
    """Return a person name without case and marks, and without empty components at its groups' ends."""
    told = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(one for one in told if not unicodedata.combining(one))
    return "=".join(group.strip().rstrip("^ ") for group in bare.split("=")).rstrip("=")


def _within(own: str, wanted: str, vr: str) -> bool:
    """Say whether a date or time is the one that is wanted, or within a range (C.2.2.2.5)."""
    first, dash, last = wanted.partition("-")
    if not own or (not dash and vr == "DA"):
        return _digits(own, vr) == _digits(wanted, vr)
    low, high, mine = (_digits(one, vr) for one in (first, last if dash else first, own))
    width = 8 if vr == "DA" else 6
    at = mine.ljust(width, "0")
    return (not low or low.ljust(width, "0") <= at) and (not high or at <= high.ljust(width, "9"))


def _digits(text: str, vr: str) -> str:
    """Return the digits of a date or of a time to the second; old spellings have points or colons between."""
    bare = text.strip().replace(":", "")
    return bare.replace(".", "") if vr == "DA" else bare.partition(".")[0]
