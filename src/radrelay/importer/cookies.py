"""Cookies of one session with a portal: each goes back to the origin that set it and to no other host (RFC 6265)."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from radrelay.importer.places import Target

MOST = 50
MOST_CHARACTERS = 4096


class Cookies:
    """Kept in memory, host-only: a Domain attribute widens nothing."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bool, str, int], dict[str, str]] = {}

    def take(self, target: Target, set_cookie: list[str]) -> None:
        """Take what an answer sets; what cannot be read is left out."""
        kept = self._kept.setdefault(target.origin, {})
        for line in set_cookie:
            try:
                read = SimpleCookie(line[:MOST_CHARACTERS])
            except CookieError:
                continue
            for name, morsel in read.items():
                if morsel["max-age"] == "0":
                    kept.pop(name, None)
                elif len(kept) < MOST or name in kept:
                    kept[name] = morsel.coded_value

    def header(self, target: Target) -> dict[str, str]:
        """Return what goes with a request."""
        kept = self._kept.get(target.origin)
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items())} if kept else {}
