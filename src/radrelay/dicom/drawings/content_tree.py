"""The content tree of a structured document (PS3.3 C.17.3): items with their names, and the way to what they cite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from radrelay.dicom.drawings.drawn import DrawingTooLarge, Value, short
from radrelay.dicom.header import Header

CONTENT, RELATIONSHIP, VALUE_TYPE, NAME = 0x0040A730, 0x0040A010, 0x0040A040, 0x0040A043
CITED_ITEM = 0x0040DB73
CODE_VALUE, LONG_CODE, URN_CODE, SCHEME, MEANING = 0x00080100, 0x00080119, 0x00080120, 0x00080102, 0x00080104
TEXT_VALUE, CONCEPT_CODE = 0x0040A160, 0x0040A168
MEASURED, NUMBER, UNITS = 0x0040A300, 0x0040A30A, 0x004008EA
ITEM_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: value, scheme, meaning; all empty when there is none."""

    value: str = ""
    scheme: str = ""
    meaning: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells concepts apart."""
        return self.value, self.scheme


def code_of(header: Header, tag: int) -> Code:
    """Return the first code of a sequence of codes (PS3.3 8)."""
    for item in header.items(tag)[:1]:
        value = item.text(CODE_VALUE) or item.text(LONG_CODE) or item.text(URN_CODE)
        return Code(value, item.text(SCHEME), short(item.text(MEANING)))
    return Code()


@dataclass(slots=True)
class Item:
    """A content item with those below it. `path` is how others cite it, counted from 1 (PS3.3 C.17.3.2.5)."""

    header: Header
    path: tuple[int, ...]
    kind: str
    relationship: str
    name: Code
    parent: Item | None = None
    children: list[Item] = field(default_factory=list)

    def all(self) -> Iterator[Item]:
        """Yield this item and all below it, in order; sequences nest at most 64 deep."""
        yield self
        for child in self.children:
            yield from child.all()

    def text(self) -> str:
        """Return what the item says, as text."""
        if self.kind == "CODE":
            return code_of(self.header, CONCEPT_CODE).meaning
        return short(self.header.text(TEXT_VALUE))

    def measured(self) -> Value | None:
        """Return the number of a NUM item with its unit; none of others, or where there is none."""
        if self.kind != "NUM":
            return None
        for item in self.header.items(MEASURED)[:1]:
            number = item.number(NUMBER)
            unit = code_of(item, UNITS)
            return None if number is None else Value(self.name.meaning, number, unit.value or unit.meaning)
        return None


class Tree:
    """All items of a document, found by their paths."""

    def __init__(self, header: Header) -> None:
        """Read the tree; raises `DrawingTooLarge` beyond `ITEM_LIMIT` items."""
        self._by_path: dict[tuple[int, ...], Item] = {}
        self.root = self._read(header, (1,), None)

    def _read(self, header: Header, path: tuple[int, ...], parent: Item | None) -> Item:
        if len(self._by_path) >= ITEM_LIMIT:
            raise DrawingTooLarge(f"The document has more than {ITEM_LIMIT} content items.")
        relationship = header.text(RELATIONSHIP).upper()
        item = Item(header, path, header.text(VALUE_TYPE).upper(), relationship, code_of(header, NAME), parent)
        self._by_path[path] = item
        for number, below in enumerate(header.items(CONTENT), 1):
            item.children.append(self._read(below, (*path, number), item))
        return item

    def cited(self, item: Item) -> Item:
        """Return what an item stands for: itself, or the one that it cites by its place in the tree."""
        path = tuple(item.header.integers(CITED_ITEM))
        return self._by_path.get(path, item) if path else item
