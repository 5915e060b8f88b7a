"""`radrelay config show`: every setting, its value, its origin and its meaning."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Column, Table

from radrelay.settings import Settings, config_file

SECRET_WORDS = ("secret", "password", "access_key")


@dataclass(frozen=True)
class Explained:
    """One setting as it stands."""

    name: str
    value: str
    origin: str
    meaning: str


def explain(settings: Settings) -> Iterator[Explained]:
    """Yield every setting; secrets are shown as dots."""
    path = config_file()
    in_file = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    yield from _branch(settings, (), in_file)


def show(settings: Settings) -> int:
    """Print the table, or one setting a line where nobody looks at a terminal; returns the exit code."""
    if not sys.stdout.isatty():
        for row in explain(settings):
            print(row.name, row.value, row.origin, row.meaning, sep="\t")  # noqa: T201
        return 0
    table = Table(Column("setting", no_wrap=True), "value", "from", "meaning", show_lines=False, box=None)
    for row in explain(settings):
        table.add_row(row.name, row.value, row.origin, row.meaning)
    Console().print(table)
    return 0


def _branch(model: BaseModel, path: tuple[str, ...], in_file: Any) -> Iterator[Explained]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        here = in_file.get(name, {}) if isinstance(in_file, dict) else {}
        if isinstance(value, BaseModel):
            yield from _branch(value, (*path, name), here)
        else:
            present = isinstance(in_file, dict) and name in in_file
            yield Explained(
                ".".join((*path, name)), _shown(name, value), _origin((*path, name), present), _meaning(field)
            )


def _origin(path: tuple[str, ...], in_file: bool) -> str:
    variable = "RADRELAY_" + "__".join(path).upper()
    if any(key.upper() == variable for key in os.environ):
        return variable
    return str(config_file()) if in_file else "default"


def _shown(name: str, value: object) -> str:
    if value is None:
        return "–"
    if any(word in name for word in SECRET_WORDS):
        return "••••"
    if name.endswith("url") and isinstance(value, str) and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://••••@{rest.rpartition('@')[2]}"
    return str(value)


def _meaning(field: FieldInfo) -> str:
    return field.description or ""
