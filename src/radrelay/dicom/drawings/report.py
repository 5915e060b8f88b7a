"""Structured reports as far as they mark images (PS3.3 A.35, C.18.6, C.18.9): regions with what was measured there.

Templates of measurements (TID 1500), of older measurements and of computer-aided detection (TID 4000) differ in how
they group. A region belongs to the measurement group (125007, DCM) around it, else to the number that is inferred
from it, else to what stands around it. References by place in the tree, as detection reports have, are followed.
"""

from __future__ import annotations

from radrelay.dicom.drawings.content_tree import Item, Tree
from radrelay.dicom.drawings.drawn import (
    Draft,
    Drawing,
    Group,
    Reference,
    Shape,
    ShapeKind,
    Unit,
    Value,
    moment,
    points_of,
    short,
)
from radrelay.dicom.drawings.references import SOPS, bounded, of_evidence, references
from radrelay.dicom.header import Header

MEASUREMENT_GROUP = ("125007", "DCM")
TRACKING, FINDING, FINDING_OLD = ("112039", "DCM"), ("121071", "DCM"), ("F-01710", "SRT")
GRAPHIC_DATA, GRAPHIC_TYPE, SPACE, ORIGIN = 0x00700022, 0x00700023, 0x30060024, 0x00480301
_FLAT: dict[str, tuple[ShapeKind, int]] = {
    "POINT": ("point", 1), "MULTIPOINT": ("point", 1), "POLYLINE": ("polyline", 2), "CIRCLE": ("circle", 2),
    "ELLIPSE": ("ellipse", 4),
}  # fmt: skip
_DEEP: dict[str, tuple[ShapeKind, int]] = {
    "POINT": ("point", 1), "MULTIPOINT": ("point", 1), "POLYLINE": ("polyline", 2), "POLYGON": ("polygon", 3),
    "ELLIPSE": ("ellipse", 4), "ELLIPSOID": ("ellipsoid", 6),
}  # fmt: skip
_REGIONS = frozenset({"SCOORD", "SCOORD3D"})


def read(header: Header) -> Drawing:
    """Read what a report marks; a report without marks has no shapes. Raises `DrawingBroken` or `DrawingTooLarge`."""
    draft = Draft()
    draft.refuse_cut(header)
    tree = Tree(header)
    groups: dict[tuple[int, ...], Group] = {}
    for item in tree.root.all():
        if item.kind in _REGIONS:
            around = _around(item)
            group = groups.get(around.path)
            if group is None:
                group = groups[around.path] = _group(tree, around, len(groups) + 1)
            _region(tree, item, group.number, draft)
    evidence = of_evidence(header)[1]
    return Drawing(
        kind="report",
        label=tree.root.name.meaning or short(header.text(0x0008103E)),
        description=short(header.text(0x0008103E)),
        creator=_creator(header),
        made_at=moment(header, 0x00080023, 0x00080033),
        groups=tuple(groups.values()),
        shapes=tuple(draft.shapes),
        images=evidence,
        frames_of_reference=tuple(dict.fromkeys(s.frame_of_reference for s in draft.shapes if s.frame_of_reference)),
        notes=tuple(sorted(draft.notes)),
    )


def _creator(header: Header) -> str:
    for observer in header.items(0x0040A073) or header.items(0x0040A078):
        name = observer.person_name(0x0040A075) or observer.person_name(0x0040A123)
        if name:
            return name
    return header.text(0x00080070)


def _around(item: Item) -> Item:
    """Return what a region belongs to."""
    parent = item.parent or item
    above: Item | None = parent
    while above is not None:
        if above.name.key == MEASUREMENT_GROUP:
            return above
        above = above.parent
    while parent.kind in _REGIONS and parent.parent is not None:
        parent = parent.parent
    return parent


def _group(tree: Tree, around: Item, number: int) -> Group:
    """Name a group by what tracks it, by its finding or by its concept; take up what was measured."""
    below = [tree.cited(child) for child in around.children]
    tracked = next((one.text() for one in below if one.name.key == TRACKING), "")
    findings = [one for one in below if one.name.key in (FINDING, FINDING_OLD)]
    found = next((one.text() for one in findings), "")
    said = next((one.text() for one in findings if one.kind == "CODE"), "")  # the others were typed
    own = around.text() if around.kind == "CODE" else ""
    values = [value for value in [around.measured(), *(one.measured() for one in below)] if value is not None]
    coded = [
        Value(one.name.meaning, None, text=one.text())
        for one in below
        if one.kind == "CODE" and one.name.key not in (FINDING, FINDING_OLD)
    ]
    name = tracked or found or own or around.name.meaning
    detail = found if found != name else around.name.meaning if around.name.meaning != name else ""
    return Group(number, name, detail, values=tuple((values + coded)[:64]), coded=said or own or around.name.meaning)


def _region(tree: Tree, item: Item, group: int, draft: Draft) -> None:
    deep = item.kind == "SCOORD3D"
    kind, least = (_DEEP if deep else _FLAT).get(item.header.text(GRAPHIC_TYPE).upper(), ("point", -1))
    points = points_of(item.header.numbers(GRAPHIC_DATA), 3 if deep else 2)
    if least < 0 or len(points) < least:
        draft.notes.add("shape-unreadable")
        return
    if kind == "polyline" and len(points) > 3 and (points[0] == points[-1]).all():
        kind = "polygon"
    if deep:
        space = item.header.text(SPACE)
        if not space:
            draft.notes.add("shape-without-place")
            return
        draft.add(Shape(kind, group, "patient", points, frame_of_reference=space))
        return
    images = _images(tree, item)
    if not images:
        draft.notes.add("shape-without-place")
        return
    unit: Unit = "matrix" if item.header.text(ORIGIN).upper() == "VOLUME" else "pixel"
    draft.add(Shape(kind, group, unit, points, images))


def _images(tree: Tree, item: Item) -> tuple[Reference, ...]:
    """Return the images that a region was drawn on (SELECTED FROM, as a child or by its place in the tree)."""
    found: tuple[Reference, ...] = ()
    for child in item.children:
        cited = tree.cited(child)
        if cited.kind == "IMAGE":
            found += references(cited.header.items(SOPS))
            bounded(len(found))
    return found
