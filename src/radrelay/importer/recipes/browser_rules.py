"""What a step in a browser must say: one thing that is done, and elements that are found in one way."""

from __future__ import annotations

from collections.abc import Iterator

from radrelay.importer.recipes.language import WAYS, Look, Step, Where
from radrelay.importer.recipes.words import Words, say

Problem = tuple[tuple[str | int, ...], Words]
_DOES = ("goto", "fill", "click", "ask", "save", "download")
OF_BROWSERS = ("goto", "fill", "click", "wish", "save", "when")
KEYS = ("goto", "fill", "click", "ask", "save", "when")
_OF_REQUESTS = ("get", "post", "wait", "form", "body", "until")


def in_browser(step: Step) -> Iterator[Problem]:
    """Yield what is wrong with a step in a browser."""
    said = [one for one in _DOES if getattr(step, "wish" if one == "ask" else one) is not None]
    if len(said) != 1:
        yield (), say("browser-one", kinds=", ".join(_DOES))
    for one in _OF_REQUESTS:
        if getattr(step, one) is not None:
            yield ("json" if one == "body" else one,), say("browser-without")
    if step.headers or step.multipart:
        yield (), say("browser-own")
    for name, where in (("click", step.click), ("save", step.save)):
        if where is not None:
            yield from (((name, *place), words) for place, words in _way(where))
    for at, field in enumerate(step.fill or ()):
        yield from ((("fill", at, *place), words) for place, words in _way(field))
    if step.brings and (step.take or step.expect or step.when):
        yield (), say("browser-brings")
    yield from _looks(step)


def _way(where: Where) -> Iterator[Problem]:
    said = [one for one in WAYS if getattr(where, one) is not None]
    if len(said) != 1:
        yield (), say("element-one", ways=", ".join(WAYS))


def _looks(step: Step) -> Iterator[Problem]:
    looks: list[tuple[str, Look | None]] = [("expect", step.expect), ("when", step.when)]
    looks += [("fails", one) for one in step.fails]
    for name, look in looks:
        if look is not None and (look.status or look.at is not None):
            yield (name,), say("browser-looks")
    for at, take in enumerate(step.take):
        if take.at is not None or take.cookie is not None or take.header is not None or take.all:
            yield ("take", at), say("browser-takes")
