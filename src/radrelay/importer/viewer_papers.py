"""Pictures, documents and texts that are a disc's viewer's own: icons, logos, pictures of its help, its manual.

In: papers by path and size, folders as `left_out` tells them, and what XDM metadata name. Out: what is a viewer's for
certain, and what may be. A viewer's for certain is only what lies in a folder of its own (a program's or a script's,
without any object in it), is named by no metadata, and is as small as a button, or is named, or lies in a folder that
is named, as none of a patient's is. All else stays a paper: what lies in the root or beside objects without a word,
what lies in a viewer's folder for a person to look at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from radrelay.importer.left_out import Folders
from radrelay.importer.promises import plain_path
from radrelay.importer.xdm import XdmDocument

SMALLEST = 64
"""No side of a button is longer, in pixels."""
_OWN = frozenset(
    ["icon", "icons", "ico", "favicon", "logo", "logos", "buttons", "btn", "toolbar", "toolbars", "splash",
     "splashscreen", "cursor", "cursors", "sprite", "sprites", "background", "theme", "themes", "skins", "help",
     "hilfe", "manual", "handbuch", "userguide", "quickstart", "license", "licence", "lizenz", "eula", "readme",
     "liesmich"]
)  # fmt: skip
"""None that is somebody's name (Button, Banner), or what a photograph shows (skin)."""
_WORDS = re.compile(r"[a-zß-ÿ]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SIZED = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(frozen=True, slots=True)
class LoosePaper:
    """A document, text or picture; of a picture its longer side in pixels where its first bytes say it, else none."""

    path: str
    side: int | None = None

    @classmethod
    def of(cls, path: str, prefix: bytes) -> LoosePaper:
        """Return it by its first bytes."""
        if prefix.startswith(b"\x89PNG\r\n\x1a\n") and prefix[12:16] == b"IHDR" and len(prefix) >= 24:
            return cls(path, max(int.from_bytes(prefix[16:20]), int.from_bytes(prefix[20:24])))
        return cls(path, _jpeg_side(prefix) if prefix.startswith(b"\xff\xd8\xff") else None)


def of_viewers(
    papers: Sequence[LoosePaper], folders: Folders, documents: Collection[tuple[str, XdmDocument]]
) -> tuple[list[str], list[str]]:
    """Return what is a viewer's own, and what may be one's."""
    around = [(one, folder) for one in papers if (folder := folders.viewers_of(one.path))]
    named = {plain_path(f"{folder}/{one.path}") for folder, one in documents}
    within = [pair for pair in around if named.isdisjoint(_endings(pair[0].path))]
    own = sorted(one.path for one, folder in within if _is_own(one, folder))
    return own, sorted({one.path for one, _ in within} - set(own))


def _is_own(one: LoosePaper, folder: str) -> bool:
    small = one.side is not None and 0 < one.side <= SMALLEST
    return small or not _OWN.isdisjoint(_words(one.path.removeprefix(f"{folder}/")))


def _endings(path: str) -> Iterator[str]:
    """Yield a path as metadata may name it, from whatever folder on."""
    rest = plain_path(path)
    while rest:
        yield rest
        rest = rest.partition("/")[2]


def _words(path: str) -> Iterator[str]:
    """Yield the words of a file's name and of the folders around it."""
    for part in path.split("/"):
        yield from _WORDS.findall(_CAMEL.sub(" ", part).lower())


def _jpeg_side(prefix: bytes) -> int | None:
    """Return the longer side that the frame header says (ITU-T T.81 B.2.2), none if it does not stand here."""
    at = 2
    while at + 9 <= len(prefix) and prefix[at] == 0xFF:
        marker = prefix[at + 1]
        if marker in _SIZED:
            return max(int.from_bytes(prefix[at + 5 : at + 7]), int.from_bytes(prefix[at + 7 : at + 9]))
        at += 2 if marker in _BARE else 1 if marker == 0xFF else 2 + int.from_bytes(prefix[at + 2 : at + 4])
    return None
