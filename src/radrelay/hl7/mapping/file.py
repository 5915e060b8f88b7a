"""Mappings from TOML: read strictly, so that a slip is told of and not silently left out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import replace
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from radrelay.hl7.errors import MappingInvalid
from radrelay.hl7.mapping.rules import Condition, Mapping, Place, Source

DEFAULT_FILE = Path(__file__).with_name("default.toml")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "patient": ("identifier", "name", "birth_date", "sex", "account_number"),
    "prior": ("identifier", "name"),
    "visit": (
        "patient_class", "ward", "room", "bed", "facility", "prior_ward", "number", "attending", "referring",
        "admitted_at", "discharged_at",
    ),
    "order": (
        "control", "status", "placer_number", "filler_number", "accession_number", "requested_procedure_id",
        "scheduled_step_id", "study_uid", "procedure", "protocol", "modality", "scheduled_at", "station_ae_titles",
        "station_name", "location", "priority", "reason", "requesting_physician", "performing_physician", "comments",
    ),
    "report": (
        "title", "status", "document_number", "placer_number", "filler_number", "accession_number", "study_uid",
        "author", "at",
    ),
}  # fmt: skip
SECTIONS = {*ATTRIBUTES, "messages", "issuers", "ignore"}
OTHERS = ("refuse", "ignore")
LARGEST = 1 << 20


@cache
def shipped() -> Mapping:
    """Return the mapping that is shipped."""
    return read_mapping(DEFAULT_FILE.read_text())


def load_mapping(path: Path | None, zone: tzinfo = UTC) -> Mapping:
    """Return the mapping of a site's file, the shipped one without it; raises `MappingInvalid`.

    `zone` is that of times without one where the file names none.
    """
    under = shipped() if zone is UTC else replace(shipped(), zone=zone)
    if path is None:
        return under
    try:
        if path.stat().st_size > LARGEST:
            raise MappingInvalid(f"{path}: larger than {LARGEST:,} bytes")
        return read_mapping(path.read_text(), under)
    except OSError as error:
        raise MappingInvalid(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MappingInvalid(f"{path} is not UTF-8") from error


def read_mapping(text: str, under: Mapping | None = None) -> Mapping:
    """Return the mapping of a file's text; attributes that it does not name are as in `under`.

    Raises `MappingInvalid`, which says where it is wrong.
    """
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingInvalid(f"this is not TOML: {error}") from error
    if unknown := set(tree) - SECTIONS:
        raise MappingInvalid(f"unknown section: {', '.join(sorted(unknown))}")
    attributes = dict(under.attributes) if under is not None else {}
    for section, names in ATTRIBUTES.items():
        for name, given in _table(tree.get(section, {}), section).items():
            if name not in names:
                raise MappingInvalid(f"{section}.{name} is no attribute; they are {', '.join(names)}")
            attributes[f"{section}.{name}"] = tuple(_sources(given, f"{section}.{name}"))
    messages = _messages(tree.get("messages", {}))
    issuers = dict(under.issuers if under is not None else {}) | _texts(tree.get("issuers", {}), "issuers")
    ignored = under.ignored if under is not None and "ignore" not in tree else tuple(_ignored(tree.get("ignore", [])))
    return Mapping(
        attributes,
        issuers,
        ignored,
        others=messages.get("others", under.others if under is not None else "refuse"),
        zone=_zone(messages["zone"]) if "zone" in messages else (under.zone if under is not None else UTC),
    )


def _messages(given: Any) -> Table[str, Any]:
    messages = _texts(given, "messages")
    if unknown := set(messages) - {"others", "zone"}:
        raise MappingInvalid(f"messages: {', '.join(sorted(unknown))} is not known")
    if messages.get("others", OTHERS[0]) not in OTHERS:
        raise MappingInvalid(f"messages.others is one of {', '.join(OTHERS)}")
    return messages


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingInvalid(f"messages.zone: {name!r} is no time zone such as Europe/Berlin") from error


def _table(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise MappingInvalid(f"{where} is a table")
    return given


def _texts(given: Any, where: str) -> dict[str, str]:
    for name, value in _table(given, where).items():
        if not isinstance(value, str):
            raise MappingInvalid(f"{where}.{name} is text")
    return dict(given)


def _sources(given: Any, where: str) -> Iterator[Source]:
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, str):
            yield Source(Place.of(one))
        elif isinstance(one, dict):
            yield _source(one, where)
        else:
            raise MappingInvalid(f"{where} is a place, or a list of places")


def _source(given: dict[str, Any], where: str) -> Source:
    if unknown := set(given) - {"from", "value", "where", "when", "unless", "table"}:
        raise MappingInvalid(f"{where}: {', '.join(sorted(unknown))} is not known")
    if ("from" in given) == ("value" in given):
        raise MappingInvalid(f"{where}: either `from` a place, or a `value`")
    for name in ("from", "value"):
        if not isinstance(given.get(name, ""), str):
            raise MappingInvalid(f"{where}: `{name}` is text")
    picks: dict[int, tuple[str, ...]] = {}
    for component, values in _table(given.get("where", {}), f"{where}.where").items():
        if not component.isascii() or not component.isdigit() or not 1 <= int(component) <= 99:
            raise MappingInvalid(f"{where}.where: {component!r} is no number of a component")
        picks[int(component)] = _values(values, f"{where}.where")
    return Source(
        Place.of(given["from"]) if "from" in given else None,
        given.get("value", ""),
        picks,
        (*_conditions(given.get("when", {}), where), *_conditions(given.get("unless", {}), where, unless=True)),
        _texts(given.get("table", {}), f"{where}.table"),
    )


def _conditions(given: Any, where: str, *, unless: bool = False) -> Iterator[Condition]:
    for place, values in _table(given, f"{where}.when").items():
        yield Condition(Place.of(place), _values(values, f"{where}.when"), unless)


def _values(given: Any, where: str) -> tuple[str, ...]:
    values = given if isinstance(given, list) else [given]
    if not values or not all(isinstance(one, str) for one in values):
        raise MappingInvalid(f"{where}: a text, or a list of texts")
    return tuple(values)


def _ignored(given: Any) -> Iterator[tuple[Condition, ...]]:
    if not isinstance(given, list):
        raise MappingInvalid("ignore is a list of tables: [[ignore]]")
    for one in given:
        table = _table(one, "ignore")
        if not table or set(table) - {"when", "unless"}:
            raise MappingInvalid("ignore: each has `when` or `unless`")
        when = _conditions(table.get("when", {}), "ignore")
        yield (*when, *_conditions(table.get("unless", {}), "ignore", unless=True))
