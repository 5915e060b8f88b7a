"""How answers look that are no success, and what is guessed of one that is neither success nor a failure that is known.

A guess counts only where an answer is not as it should be otherwise, says of itself that it is one, and costs an
attempt. Its words count in whatever case, where they are seen, and only if the page before did not say them already:
forms tell beforehand what becomes of wrong answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from radrelay.importer.errors import (
    AnswerWrong,
    InMaintenance,
    LinkExpiredThere,
    LockedThere,
    NothingListed,
    NotThere,
    PersonNeeded,
    PortalTrouble,
)
from radrelay.importer.recipes.given import names_in
from radrelay.importer.recipes.language import Fail, FailKind, Step
from radrelay.importer.recipes.page import FIELDS, Page

BROKEN = 500
"""From this status on a portal has a fault of its own, and says nothing of answers."""


def failure_of(kind: FailKind, host: str, left: int | None, *, guessed: bool = False) -> PortalTrouble:
    """Return a failure as recipes name it. `left`: how many attempts are left, as far as that is known."""
    facts: dict[str, Any] = {"guessed": 1} if guessed else {}
    if kind in ("captcha", "sms"):
        return PersonNeeded(host=host, kind=kind, **facts)
    if kind == "wrong":
        return AnswerWrong(host=host, **facts) if left is None else AnswerWrong(host=host, left=left, **facts)
    return _FAILURES[kind](host=host, **facts)


def told_by_status(fails: Iterable[Fail], status: object) -> FailKind | None:
    """Return the failure that a status alone tells, none if none does."""
    found = (one.kind for one in fails if status in one.status and not one.guess and _by_status(one))
    return next(found, None)


def guess_of(fails: Iterable[Fail], page: Page, before: Page | None, typed: Collection[str]) -> FailKind | None:
    """Return what an answer may be that is not as it should be, none if nothing tells. Of guesses, `wrong` comes last.

    `typed`: the fields into which the answers went; a page that has all of them again has refused the answers.
    """
    for one in sorted((one for one in fails if one.guess), key=lambda one: one.kind == "wrong"):
        if _may_be(one, page, before):
            return one.kind
    here = {one.attributes.get("name", "") for one in page.elements if one.name in FIELDS} if typed else set()
    return "wrong" if typed and here.issuperset(typed) and page.reply.status < BROKEN else None


def typed_in(step: Step, given: Collection[str]) -> tuple[str, ...]:
    """Return the fields of a step's form that what a person gave goes into."""
    return tuple(name for name, text in (step.form or {}).items() if any(one in given for one in names_in(text)))


def _may_be(fail: Fail, page: Page, before: Page | None) -> bool:
    if page.reply.status >= BROKEN and not fail.status:
        return False
    if fail.text and not any(_is_new(one.casefold(), page, before) for one in fail.text):
        return False
    return page.looks(fail.model_copy(update={"text": ()}))


def _is_new(words: str, page: Page, before: Page | None) -> bool:
    return page.said.count(words) > (before.said.count(words) if before is not None else 0)


def _by_status(fail: Fail) -> bool:
    return not (fail.text or fail.pattern or fail.at or fail.element or fail.address)


_FAILURES: Mapping[str, type[PortalTrouble]] = {
    "expired": LinkExpiredThere,
    "locked": LockedThere,
    "maintenance": InMaintenance,
    "not-there": NotThere,
    "nothing": NothingListed,
}
