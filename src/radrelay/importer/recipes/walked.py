"""The walk of an import that somebody fetched by hand, made into a draft with what the import knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from urllib.parse import unquote, urlsplit

from radrelay.importer.recipes.drafting import is_plain
from radrelay.importer.recipes.errors import (
    BirthDateNowhere,
    CodeNowhere,
    CodeShort,
    CodeWanted,
    GivesAway,
    WalkElsewhere,
)
from radrelay.importer.recipes.known import stands_in
from radrelay.importer.recipes.recording import SHORTEST_CODE, Recorded, record_visits
from radrelay.importer.recipes.walks import Visit, walk_of
from radrelay.importer.recipes.words import say

_LEAST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Walked:
    """What an import knows of a walk. `answers`: what the portal was told before; `code`: what was entered by hand."""

    host: str
    link: str = field(repr=False)
    answers: tuple[str, ...] = field(default=(), repr=False)
    born: date | None = field(default=None, repr=False)
    code: str = field(default="", repr=False)


def record_walked(har: bytes, walked: Walked, name: str = "") -> Recorded:
    """Return a draft of the portal of an import; raises `Invalid`."""
    if walked.code and len(walked.code) < SHORTEST_CODE:
        raise CodeShort
    visits = _there(walk_of(har), walked.host)
    secrets = [one for one in (*walked.answers, *_own_parts(walked.link)) if len(one) >= SHORTEST_CODE]
    for code in [walked.code] if walked.code else secrets:
        try:
            made = _dated(visits, replace(walked, code=code), name)
        except CodeNowhere:
            continue
        if any(stands_in(one, made.text) for one in secrets if len(one) >= _LEAST_SHOWN):
            raise GivesAway
        return made
    raise CodeNowhere if walked.code else CodeWanted


def _dated(visits: Sequence[Visit], walked: Walked, name: str) -> Recorded:
    """Return a draft with the birth date, or with a note where the walk does not hold it."""
    if walked.born is not None:
        try:
            return record_visits(visits, walked.code, walked.born, walked.link, name)
        except BirthDateNowhere:
            pass
    return record_visits(visits, walked.code, None, walked.link, name, [say("no-birth-date")])


def _there(visits: Sequence[Visit], host: str) -> Sequence[Visit]:
    """Return the visits from the first on that came to the import's host."""
    begins = next((at for at, one in enumerate(visits) if host in one.hosts), None)
    if begins is None:
        raise WalkElsewhere(host=host)
    return visits[begins:]


def _own_parts(link: str) -> Iterator[str]:
    """Yield the parts of a link that are no words of the portal's."""
    parts = urlsplit(link)
    asked = (one.partition("=")[2] for one in parts.query.split("&"))
    for piece in (*parts.path.split("/"), *asked, *parts.fragment.split("/")):
        if not is_plain(unquote(piece)):
            yield unquote(piece)
