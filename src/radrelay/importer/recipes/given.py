"""What a person gives for a recipe, as it is held, and where in a step a value goes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.errors import AnswerUnusable
from radrelay.importer.recipes.language import Ask, Step
from radrelay.importer.recipes.rules import templates_of
from radrelay.importer.recipes.templates import Day, Value, is_number, template_of
from radrelay.importer.recipes.words import Unreadable, say
from radrelay.importer.secret import Secret

MOST_ANSWER = 500


def answer_of(ask: Ask, given: str | None) -> Value:
    """Return an answer as it is held; raises `AnswerUnusable`."""
    if given is None:
        raise AnswerUnusable(form="missing")
    text = unicodedata.normalize("NFC", given).strip()
    found = date_of(text) if ask.dated else None
    if ask.dated and found is None:
        raise AnswerUnusable(form="date")
    if not text or len(text) > MOST_ANSWER or not text.isprintable():
        raise AnswerUnusable(form="text")
    return Day(found) if found is not None else Secret(text)


def filled(told: Any, values: Mapping[str, Value]) -> Any:
    """Return JSON with values in its holes; raises `Unreadable` for a number that is none."""
    if isinstance(told, str):
        text = template_of(told).filled(values)
        return _number(told, text) if is_number(told) else text
    if isinstance(told, Mapping):
        return {name: filled(one, values) for name, one in told.items()}
    return [filled(one, values) for one in told] if isinstance(told, list | tuple) else told


def _number(told: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unreadable(say("number", hole=told)) from None


def names_of(step: Step) -> Sequence[str]:
    """Return the names of all values that a step sends."""
    return [name for _, text in templates_of(step) for name in names_in(text)]


def names_in(text: str) -> Sequence[str]:
    """Return the names of all values in a text of a recipe."""
    return [hole.name for hole in template_of(text).holes]
