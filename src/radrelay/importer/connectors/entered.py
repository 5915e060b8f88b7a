"""What people type, paste and scan, as the link that it holds: QR codes in capitals, in wrappers, across lines.

Of several addresses (letters have homepages, too) it is the one that says most plainly that something is fetched with
it, or that a recipe knows. Nothing is guessed beyond spelling: what stands in a path or a query is left as it is, and a
link that is broken over lines is joined only where it plainly goes on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

from radrelay.importer.connectors.addresses import shared_by
from radrelay.importer.connectors.health_links import is_health_link, is_whole

MOST_CHARACTERS = 20_000
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_LINK = re.compile(r"(?:https?://|shlink:/)[^\s<>\"'|^`{}]+", re.IGNORECASE)
_BOOKMARK = re.compile(r"^MEBKM:.*?URL:((?:\\.|[^;])*)", re.IGNORECASE | re.DOTALL)
_BARE = re.compile(
    r"(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?/[^\s<>\"'|^`{}]+", re.IGNORECASE
)
_SITE = re.compile(r"(?<![\w@.-])www\.(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?![\w@/:-])", re.IGNORECASE)
"""A portal as papers name it that have a code to be entered there: no scheme, no path."""
_TRAILING = ".,;:!?)]}»”’"
_HYPHENATED = re.compile("\u00ad[ \t]*\r?\n[ \t]*")
_NEXT_LINE = re.compile(r"[ \t]*\r?\n[ \t>]*([A-Za-z0-9_.~%=&-]+)[ \t]*(?=\r?\n|$)")
_GOES_ON, MOST_LINES = ("-", "=", "&", "_"), 200
_TOKEN = re.compile(r"(?=.*[0-9])[A-Za-z0-9_.~-]{5,200}")

Knows = Callable[[str], bool | None]
"""Tells whether a link that a recipe knows holds something of its own; none where no recipe knows it."""


def no_recipe(link: str) -> bool | None:
    """Know no link."""
    del link
    return None


def link_in(text: str, knows: Knows = no_recipe) -> str:
    """Return the link in a text, spelled as links are; nothing if there is none. Of several alike it is the first."""
    plain = _INVISIBLE.sub("", _HYPHENATED.sub("", text[:MOST_CHARACTERS])).strip()
    bookmark = _BOOKMARK.match(plain)
    if bookmark is not None:
        plain = re.sub(r"\\(.)", r"\1", bookmark[1])
    return min(_links(plain.translate(_DASHES)), key=lambda link: _rank(link, knows), default="")


def token_in(link: str) -> str:
    """Return the token in an address, nothing if there is none: `?token=VALUE`, or its last part."""
    parts = urlsplit(link)
    given = _parameter(link)
    if given is not None:
        return given if len(given) >= 5 else ""
    for path in (parts.fragment.partition("?")[0], parts.path):
        last = path.rstrip("/").rpartition("/")[2]
        if _TOKEN.fullmatch(last) and "." not in last:
            return last
    return ""


def _parameter(link: str) -> str | None:
    """Return the parameter `token` of an address, none if it has none."""
    parts = urlsplit(link)
    for query in (parts.query, parts.fragment.rpartition("?")[2]):
        given = {name.lower(): values for name, values in parse_qs(query).items()}.get("token")
        if given:
            return given[0]
    return None


def _links(plain: str) -> Iterator[str]:
    """Yield the links in a text, and then what may be one without its scheme."""
    spans: list[tuple[int, int]] = []
    for found in _LINK.finditer(plain):
        spans.append(found.span())
        yield _spelled(_joined(found[0], plain[found.end() :]).rstrip(_TRAILING))
    bare = unicodedata.normalize("NFC", plain) if not spans else plain
    for found in _BARE.finditer(bare):
        if "@" not in found[0] and not any(start <= found.start() < end for start, end in spans):
            yield _spelled(f"https://{_joined(found[0], bare[found.end() :]).rstrip(_TRAILING)}")
    yield from (_spelled(f"https://{found[0]}") for found in _SITE.finditer(plain))


def _joined(link: str, rest: str) -> str:
    """Return a link with the lines after it on which it goes on.

    A health link says when it is whole. Another one goes on where it ends in a hyphen or the like, or the next line
    begins with one, and that line is one piece that looks like a token.
    """
    whole, sealed = link, is_health_link(link)
    for _ in range(MOST_LINES):
        following = _NEXT_LINE.match(rest)
        if following is None or (sealed and is_whole(whole)):
            break
        piece, rest = following[1], rest[following.end() :]
        if not sealed and not _goes_on(whole, piece):
            break
        whole += piece
    return whole if not sealed or is_whole(whole) else link


def _goes_on(link: str, piece: str) -> bool:
    open_ended = link.endswith(_GOES_ON) or piece.startswith("-")
    return open_ended and (any(c.isdigit() for c in piece) or piece.upper() == piece)


def _rank(link: str, knows: Knows) -> int:
    """Return how plainly a link says that something is fetched with it; the lower the plainer."""
    known = knows(link) if link else None
    try:
        parts = urlsplit(link)
        plain = bool(known) or _opens(link)
        token = "" if plain else token_in(link)
    except ValueError:
        return 8
    ranked = (plain, token, known is not None, parts.query or parts.fragment, parts.path.strip("/"), link)
    return next((rank for rank, one in enumerate(ranked) if one), 9)


def _opens(link: str) -> bool:
    """Tell whether a link says by itself what opens something, or which studies."""
    shared = shared_by(link)
    named = shared is not None and (shared.token or shared.study_uids)
    return bool(link) and bool(is_health_link(link) or _parameter(link) or named)


def _spelled(link: str) -> str:
    """Return a link with its scheme and host in small letters (RFC 3986 6.2.2.1)."""
    scheme, _, rest = link.partition(":")
    if scheme.lower() == "shlink":
        return f"shlink:{rest}" if rest.strip("/") else ""
    authority, found, tail = rest.removeprefix("//"), "", ""
    ends = [at for mark in "/?#" if (at := authority.find(mark)) >= 0]
    if ends:
        authority, found, tail = authority[: min(ends)], authority[min(ends)], authority[min(ends) + 1 :]
    return f"{scheme.lower()}://{authority.lower()}{found}{tail}" if authority else ""
