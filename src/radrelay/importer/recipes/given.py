"""What a person gives for a recipe, as it is held, and where in a step a value goes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.errors import AnswerUnusable
from radrelay.importer.recipes.language import Ask, Step
from radrelay.importer.recipes.rules import templates_of
from radrelay.importer.recipes.templates import Day, Value, template_of
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


def names_of(step: Step) -> Sequence[str]:
    """Return the names of all values that a step sends."""
    return [name for _, text in templates_of(step) for name in names_in(text)]


def names_in(text: str) -> Sequence[str]:
    """Return the names of all values in a text of a recipe."""
    return [hole.name for hole in template_of(text).holes]
