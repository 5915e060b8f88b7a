"""What the tests in a recipe must say so that they can be played: links and answers that fit, pages that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from radrelay.importer.recipes.language import Exchange, Told
from radrelay.importer.recipes.links import read_link
from radrelay.importer.recipes.rules import Problem
from radrelay.importer.recipes.words import Words, say

MOST_BYTES = 2 << 20


def trial_problems_of(told: Told, beside: Path) -> Iterator[Problem]:
    """Yield what is wrong with a recipe's tests."""
    for at, test in enumerate(told.test):
        read = (read_link(one.address, told.hosts, test.link, clear_loopback=False) for one in told.link)
        held = next((one for one in read if one is not None), None)
        if held is None:
            yield ("test", at, "link"), say("link-not-own")
            continue
        for ask in told.ask:
            if ask.name not in held and ask.name not in test.answers:
                yield ("test", at, "answers"), say("not-answered", name=ask.name)
        asked = {ask.name for ask in told.ask} | {one.wish.name for one in told.step if one.wish is not None}
        for name in test.answers:
            if name not in asked:
                yield ("test", at, "answers", name), say("not-asked")
        for number, one in enumerate(test.exchange):
            yield from ((("test", at, "exchange", number), words) for words in _exchange(one, beside))


def page_beside(beside: Path, name: str) -> bytes:
    """Return a recorded page; raises `OSError`, `ValueError` for what does not lie in the folder."""
    path = beside / name
    if Path(name).is_absolute() or ".." in Path(name).parts or not path.resolve().is_relative_to(beside.resolve()):
        raise ValueError
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def _exchange(told: Exchange, beside: Path) -> Iterator[Words]:
    if (told.get is None) == (told.post is None):
        yield say("exchange-one")
    if told.post is None and (told.form is not None or told.body is not None):
        yield say("exchange-sends")
    if sum((told.page is not None, told.answer is not None, told.file is not None, told.zip)) > 1:
        yield say("exchange-answers")
    if told.file is not None:
        try:
            page_beside(beside, told.file)
        except (OSError, ValueError):
            yield say("no-file", file=told.file, folder=beside.name)
