"""A recipe written as TOML that people read: tables in their order, what belongs together on a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TABLES = ("link", "ask", "fails", "step", "test", "exchange")


def toml_of(told: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """Return a recipe as a file, with comments at its head."""
    lines = [f"# {one}" for one in comments] + ([""] if comments else [])
    return "\n".join([*lines, *_table(told, "")]).strip("\n") + "\n"


def _table(told: Mapping[str, Any], place: str) -> Iterator[str]:
    for key, value in told.items():
        if not _is_tables(key, value, place):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in told.items():
        if _is_tables(key, value, place):
            for one in value:
                yield ""
                yield f"[[{place}{key}]]"
                yield from _table(one, f"{place}{key}.")


def _is_tables(key: str, value: object, place: str) -> bool:
    return key in _TABLES and isinstance(value, list) and (not place or key == "exchange")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
