"""What a step in a browser must say: one thing that is done, and elements that are found in one way."""

from __future__ import annotations

from collections.abc import Iterator

from radrelay.importer.recipes.language import WAYS, Look, Step, Where

Problem = tuple[tuple[str | int, ...], str]
_DOES = ("goto", "fill", "click", "ask", "save", "download")
OF_BROWSERS = ("goto", "fill", "click", "wish", "save", "when")
KEYS = ("goto", "fill", "click", "ask", "save", "when")
_OF_REQUESTS = ("get", "post", "wait", "form", "body", "until")


def in_browser(step: Step) -> Iterator[Problem]:
    """Yield what is wrong with a step in a browser."""
    said = [one for one in _DOES if getattr(step, "wish" if one == "ask" else one) is not None]
    if len(said) != 1:
        yield (), f"a step in a browser has exactly one of {', '.join(_DOES)}"
    for one in _OF_REQUESTS:
        if getattr(step, one) is not None:
            yield ("json" if one == "body" else one,), "is of recipes without browser = true"
    if step.headers or step.multipart:
        yield (), "a browser sends its own headers and forms"
    for name, where in (("click", step.click), ("save", step.save)):
        if where is not None:
            yield from (((name, *place), words) for place, words in _way(where))
    for at, field in enumerate(step.fill or ()):
        yield from ((("fill", at, *place), words) for place, words in _way(field))
    if step.brings and (step.take or step.expect or step.when):
        yield (), "what brings a parcel takes, expects and asks for nothing: its bytes are judged"
    yield from _looks(step)


def _way(where: Where) -> Iterator[Problem]:
    said = [one for one in WAYS if getattr(where, one) is not None]
    if len(said) != 1:
        yield (), f"an element is found in exactly one way: {', '.join(WAYS)}"


def _looks(step: Step) -> Iterator[Problem]:
    looks: list[tuple[str, Look | None]] = [("expect", step.expect), ("when", step.when)]
    looks += [("fails", one) for one in step.fails]
    for name, look in looks:
        if look is not None and (look.status or look.at is not None):
            yield (name,), "a page in a browser has no status and no json: text, pattern, element, address"
    for at, take in enumerate(step.take):
        if take.at is not None or take.cookie is not None or take.header is not None or take.all:
            yield ("take", at), "in a browser, what is taken is a field, an element or a pattern, once"
