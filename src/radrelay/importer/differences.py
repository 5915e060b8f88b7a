"""What a reconciliation changes, for a page: each attribute before and after, those within sequences too.

In: an object's header before and after. Out: rows in the order of the data set; nothing but what
`importer.reconciling.REPLACED` names can be among them, and Original Attributes, which repeat the rest, are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from radrelay.dicom.dictionary import keyword_of
from radrelay.dicom.header import Header
from radrelay.dicom.reidentify import ORIGINAL_ATTRIBUTES
from radrelay.importer.reconciling import COERCED_AT, REPLACED

Kind = Literal["replaced", "added", "removed", "blanked"]
Path = tuple[int, ...]
"""A tag; or of a sequence its tag, the item's number and a tag within, and so on."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute that becomes another: where it stands, what it is called, and its values."""

    path: Path
    keyword: str
    kind: Kind
    before: str
    after: str


def differences(before: Header, after: Header) -> tuple[Difference, ...]:
    """Return what is not the same in two headers of one object."""
    tags = sorted(REPLACED - {ORIGINAL_ATTRIBUTES})
    old, new = dict(_told(before, tags, ())), dict(_told(after, tags, ()))
    found = []
    for path in sorted({*old, *new}):
        was, becomes = old.get(path), new.get(path)
        if was != becomes:
            found.append(Difference(path, keyword_of(path[-1]), _kind(was, becomes), was or "", becomes or ""))
    return tuple(found)


def summed(changed: Iterable[tuple[Header, Header]]) -> tuple[tuple[Difference, int], ...]:
    """Return what changes in several objects, each difference once with the number of objects that it is in."""
    counts = Counter(
        one for before, after in changed for one in differences(before, after) if one.path != (COERCED_AT,)
    )
    return tuple(sorted(counts.items(), key=lambda pair: (pair[0].path, pair[0].before, pair[0].after)))


def _kind(was: str | None, becomes: str | None) -> Kind:
    if not was:
        return "added"
    if becomes is None:
        return "removed"
    return "replaced" if becomes else "blanked"


def _told(header: Header, tags: list[int], where: Path) -> Iterator[tuple[Path, str]]:
    for tag in tags:
        if tag not in header:
            continue
        if header.vr(tag) != "SQ":
            yield (*where, tag), header.text(tag)
            continue
        for number, one in enumerate(header.items(tag)):
            yield from _told(one, sorted(one), (*where, tag, number))
