"""Files of a parcel that are not taken over: what may be a report, apart from a disc's viewer and a system's own files.

In: what `intake.file_kinds` says of each, and where objects lie. Out: paths of both. Nothing is left without a word,
and a viewer of thousands of files does not hide a letter: programs, what lies in a folder of theirs without any object
in it, notices and pages that discs have to have (IHE PDI: INDEX.HTM, README.TXT) or begin with, help, settings, fonts
and icons are a viewer's. All else is for a person to look at. A clinical document (CDA) is never a viewer's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from radrelay.intake.file_kinds import PROGRAM, SYSTEM_FILE, FileKind

_CLINICAL = b"clinicaldocument"
_SIDE = frozenset(
    [".js", ".css", ".xsl", ".xslt", ".hta", ".ini", ".cfg", ".conf", ".config", ".ico", ".icns", ".properties",
     ".manifest", ".lng", ".ttf", ".otf", ".woff", ".woff2", ".chm", ".hlp", ".url", ".nib", ".plist", ".jnlp", ".pak"]
)  # fmt: skip
_NOTICES = frozenset(
    ["readme", "read_me", "liesmich", "lisezmoi", "leggimi", "leeme", "license", "licence", "lizenz", "eula",
     "copyright", "copying", "notice", "disclaimer", "impressum", "version", "autorun", "autostart", "autoplay"]
)  # fmt: skip
_NOTICE_SUFFIXES = frozenset(["", ".txt", ".htm", ".html", ".rtf", ".md", ".1st"])
_IN_A_LANGUAGE = re.compile(r"[._\- ](?:de|en|fr|it|es|nl|pl|pt|cs|cz|da|sv|fi|no|tr|ru|gb|us|deu|ger|eng|fra|ita)")
"""What is put behind a notice's name: `readme_de.txt`."""
_FIRST_PAGES = frozenset(
    f"{stem}.{suffix}" for stem in ("index", "start", "default", "viewer") for suffix in ("htm", "html")
)
_HELP, _PAGES = frozenset(["help", "hilfe"]), frozenset([".htm", ".html"])
_OF_MEDIA, _REQUIRED = frozenset(["dicomdir", "ihe_pdi", "ihe_xdm"]), "readme.txt"
_DOCUMENTS = frozenset(
    [".rtf", ".doc", ".docx", ".odt", ".txt", ".xml", ".cda", ".htm", ".html", ".gif", ".webp", ".bmp", ".svg", ".xps"]
)
_SCRIPTS = (".js", ".hta")
NAMES_TOLD = 5
"""So many names of files a finding tells."""


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A file that is not taken over."""

    path: str
    kind: FileKind
    clinical: bool = False

    @classmethod
    def of(cls, path: str, kind: FileKind, prefix: bytes) -> LeftFile:
        """Return it by its first bytes, in whatever width its letters are."""
        return cls(path, kind, _CLINICAL in prefix.replace(b"\0", b"").lower())


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders that say what lies in them: a disc's roots, and those of viewers, by their programs or by scripts."""

    media: frozenset[str]
    viewers: frozenset[str]
    scripts: frozenset[str]

    @classmethod
    def of(cls, left: Iterable[LeftFile], objects: Iterable[str], paths: Iterable[str]) -> Folders:
        """Return them by where programs, scripts and objects lie; `paths` are all in the parcel."""
        held = {folder for path in objects for folder in _folders(path)}
        every = [path.rpartition("/") for path in _with_folders(paths)]
        media = {folder for folder, _, name in every if name.lower() in _OF_MEDIA}
        held |= media - {""}
        media |= {folder for folder, _, name in every if name.lower() == _REQUIRED}
        around = [(one, folder) for one in left if (folder := _viewer(one.path, held))]
        viewers = frozenset(folder for one, folder in around if one.kind == PROGRAM)
        scripts = frozenset(folder for one, folder in around if one.path.lower().endswith(_SCRIPTS))
        return cls(frozenset(media), viewers, scripts)

    def viewers_of(self, path: str) -> str:
        """Return the widest folder of a viewer around a file, be it one that runs in a browser; nothing for none."""
        around = [one for one in _folders(path) if one in self.viewers or one in self.scripts]
        return around[-1] if around else ""


def apart(left: Collection[LeftFile], folders: Folders) -> tuple[list[str], list[str]]:
    """Return what a person has to look at, documents first, and what is a viewer's."""
    own = [one.path for one in left if _is_viewers(one, folders.viewers, folders.media)]
    others = sorted({one.path for one in left} - set(own), key=lambda path: (not _is_document(path), path))
    return others, sorted(own)


def first_names(names: Collection[str]) -> str:
    """Return names for a finding: the first ones, and that there are more."""
    first = "; ".join(list(names)[:NAMES_TOLD])
    return f"{first}; …" if len(names) > NAMES_TOLD else first


def _is_viewers(one: LeftFile, viewers: Collection[str], media: Collection[str]) -> bool:
    if one.clinical:
        return False
    path = PurePosixPath(one.path.lower())
    folder = one.path.rpartition("/")[0]
    return (
        one.kind in (PROGRAM, SYSTEM_FILE)
        or path.suffix in _SIDE
        or _is_notice(path)
        or (path.name in _FIRST_PAGES and folder in media)
        or (path.suffix in _PAGES and not _HELP.isdisjoint(path.parts[:-1]))
        or "ihe_pdi" in path.parts[:-1]
        or any(folder in viewers for folder in _folders(one.path))
    )


def _is_notice(path: PurePosixPath) -> bool:
    if path.suffix not in _NOTICE_SUFFIXES:
        return False
    rests = (path.stem.removeprefix(one) for one in _NOTICES if path.stem.startswith(one))
    return any(not rest or _IN_A_LANGUAGE.fullmatch(rest) for rest in rests)


def _viewer(path: str, held: Collection[str]) -> str:
    """Return the widest folder around a program that holds no object, and is no archive's or the parcel's root."""
    found = ""
    for folder in _folders(path):
        if folder in held or ("/" not in folder and "." in folder):
            break
        found = folder
    return found


def _folders(path: str) -> Iterator[str]:
    """Yield the folders around a file, the nearest first, but for the parcel's root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _with_folders(paths: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for path in paths:
        yield path
        for folder in _folders(path):
            if folder in seen:
                break
            seen.add(folder)
            yield folder


def _is_document(path: str) -> bool:
    return PurePosixPath(path.lower()).suffix in _DOCUMENTS
