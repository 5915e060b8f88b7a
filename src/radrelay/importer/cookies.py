"""Cookies of one session with a portal: each goes back to the origin that set it and to no other host (RFC 6265)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from radrelay.importer.places import Target

MOST = 50
MOST_CHARACTERS = 4096


class Cookies:
    """Kept in memory, host-only: a Domain attribute widens nothing. `now` tells seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._kept: dict[tuple[bool, str, int], dict[str, str]] = {}

    def take(self, target: Target, set_cookie: list[str]) -> None:
        """Take what an answer sets; what cannot be read is left out, and of a line only what is not known (5.2)."""
        kept = self._kept.setdefault(target.origin, {})
        for line in set_cookie:
            pair, *rest = line.split(";")
            name, equals, value = (one.strip(" \t") for one in pair.partition("="))
            if not (equals and name and _can_be_sent(name + value)):
                continue
            if self._is_over(rest):
                kept.pop(name, None)
            elif len(kept) < MOST or name in kept:
                kept[name] = value

    def header(self, target: Target) -> dict[str, str]:
        """Return what goes with a request."""
        kept = self._kept.get(target.origin)
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items())} if kept else {}

    def value(self, target: Target, name: str) -> str:
        """Return what one is, as scripts of a page read it: without its percent signs; nothing if it is not there."""
        return unquote(self._kept.get(target.origin, {}).get(name, ""))

    def _is_over(self, attributes: list[str]) -> bool:
        """Tell whether a cookie is set to be deleted: Max-Age counts before Expires, the last of each (5.3)."""
        told = {name.strip().lower(): value.strip() for name, _, value in (one.partition("=") for one in attributes)}
        age = told.get("max-age", "")
        if age.removeprefix("-").isdecimal():
            return age.startswith("-") or not age.strip("0")
        try:
            return parsedate_to_datetime(told.get("expires", "")).timestamp() <= self._now()
        except (ValueError, OverflowError):  # none, or one that is no time
            return False


def _can_be_sent(text: str) -> bool:
    return len(text) <= MOST_CHARACTERS and all(" " <= c != "\x7f" and c < "\u0100" for c in text)
