"""What people type, paste and scan, as the link that it holds: QR codes in capitals, in wrappers, across lines.

Nothing is guessed beyond spelling: what stands in a path or a query is left as it is.
"""

from __future__ import annotations

import re
import unicodedata

MOST_CHARACTERS = 20_000
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_LINK = re.compile(r"(?:https?://|shlink:/)[^\s<>\"'|^`{}]+", re.IGNORECASE)
_BOOKMARK = re.compile(r"^MEBKM:.*?URL:((?:\\.|[^;])*)", re.IGNORECASE | re.DOTALL)
_BARE = re.compile(
    r"(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?/[^\s<>\"'|^`{}]+", re.IGNORECASE
)
_TRAILING = ".,;:!?)]}»”’"


def link_in(text: str) -> str:
    """Return the first link in a text, spelled as links are; nothing if there is none."""
    plain = _INVISIBLE.sub("", text[:MOST_CHARACTERS]).strip()
    bookmark = _BOOKMARK.match(plain)
    if bookmark is not None:
        plain = re.sub(r"\\(.)", r"\1", bookmark[1])
    plain = plain.translate(_DASHES)
    found = _LINK.search(plain)
    if found is not None:
        return _spelled(found[0].rstrip(_TRAILING))
    bare = _BARE.search(unicodedata.normalize("NFC", plain))
    return _spelled(f"https://{bare[0].rstrip(_TRAILING)}") if bare is not None and "@" not in bare[0] else ""


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
