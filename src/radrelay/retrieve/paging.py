"""Lists of QIDO-RS services read page by page (PS3.18 8.3.4.4), whatever they make of `limit` and `offset`.

In: what asks for one page. Out: what was listed, each once, and whether there may be more of it. Some services refuse
large pages, give fewer at once than they are asked for, give all at once, or know of no offset and say the same again.
A page shorter than was asked for is therefore no end: that is one which brings nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from radrelay.errors import RadrelayError, Unavailable
from radrelay.network.ports import Key

USUAL, SHORT = 100, 20
_ROUND, _ROUNDED = 10, 100
"""Who knows of no offset and says so round a number, or ends at one, may end there by a rule of its own."""

Listed = TypeVar("Listed")
Match = tuple[Key, ...]


class PageRefused(Exception):
    """The service does not give this page; `cause` says what it answered."""

    def __init__(self, cause: RadrelayError) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(slots=True)
class Page:
    """One page: from which match on it is asked for, and what came; `hinted` is set where the service says of more."""

    limit: int
    offset: int
    hinted: bool = False
    came: int = 0
    fresh: int = 0
    unreadable: int = 0


Ask = Callable[[Page], Iterator[Match | None]]
"""Yields a page's matches as they come, none for one that cannot be read; raises `PageRefused`."""


@dataclass(slots=True)
class Listing(Generic[Listed]):
    """What services list, at most so many; `read` gives what a match is and its name, or none.

    `patient`: a page behind the first that does not come leaves what has come, and `more` said of it.
    """

    read: Callable[[Match], tuple[str, Listed] | None]
    most: int
    patient: bool = False
    found: dict[str, Listed] = field(default_factory=dict)
    unreadable: int = 0
    more: bool = False

    def take(self, ask: Ask, sizes: tuple[int, ...] = (USUAL, SHORT)) -> None:
        """Read all pages; the first is asked for in each of some sizes until it is not refused."""
        seen: set[str] = set()
        size, *smaller = sizes
        page, before = Page(size, 0), None
        while True:
            try:
                if not self._read(ask, page, seen):
                    self.more = True
                    return
            except PageRefused as refused:
                if before is None and smaller:
                    page = Page(smaller.pop(0), 0)
                    continue
                if before is None:
                    raise refused.cause from refused
                self.more |= _may_end_early(before)
                return
            except Unavailable:
                if before is None or not self.patient:
                    raise
                self.more = True
                return
            if not page.fresh:
                self._end(page, before)
                return
            self.unreadable += page.unreadable
            page, before = Page(page.limit, page.offset + page.came), page

    def _read(self, ask: Ask, page: Page, seen: set[str]) -> bool:
        """Read one page; returns whether there is room for all of it."""
        for match in ask(page):
            page.came += 1
            named = self.read(match) if match is not None else None
            full = len(self.found) + self.unreadable + page.unreadable >= self.most
            if named is None:
                if full:
                    return False
                page.unreadable += 1
                continue
            name, listed = named
            if name not in self.found and full:
                return False
            self.found.setdefault(name, listed)
            page.fresh += name not in seen
            seen.add(name)
        return True

    def _end(self, page: Page, before: Page | None) -> None:
        """End with a page that brought nothing new."""
        if not page.came:
            self.more |= page.offset > 0 and page.offset % _ROUNDED == 0
            return
        again = before is not None and (page.came > page.unreadable or page.came == before.came)
        if not again:
            self.unreadable += page.unreadable
        self.more |= page.hinted or _may_end_early(before or page)


def _may_end_early(page: Page) -> bool:
    """Say whether a service that gave this page and no other may have more."""
    return page.hinted or page.came == page.limit or page.came % _ROUND == 0
