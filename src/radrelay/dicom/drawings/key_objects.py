"""Key object selections (PS3.3 A.35.4, TID 2010): which images somebody flagged, under what title, and why."""

from __future__ import annotations

from radrelay.dicom.drawings.content_tree import Tree
from radrelay.dicom.drawings.drawn import Draft, Drawing, Reference, moment
from radrelay.dicom.drawings.references import SOPS, bounded, of_evidence, references
from radrelay.dicom.header import Header

DESCRIPTION = ("113012", "DCM")
OBSERVER = ("121008", "DCM")
_POINTERS = frozenset({"IMAGE", "COMPOSITE"})


def read(header: Header) -> Drawing:
    """Read a key object selection; raises `DrawingBroken` or `DrawingTooLarge`."""
    draft = Draft()
    draft.refuse_cut(header)
    tree = Tree(header)
    flagged: list[Reference] = []
    texts: list[str] = []
    creator = ""
    for item in tree.root.all():
        if item.kind in _POINTERS:
            flagged.extend(references(item.header.items(SOPS)))
            bounded(len(flagged))
        elif item.kind == "TEXT" and item.name.key == DESCRIPTION:
            texts.append(item.text())
        elif item.kind == "PNAME" and item.name.key == OBSERVER:
            creator = item.header.person_name(0x0040A123)
    evidence = of_evidence(header)[1]
    return Drawing(
        kind="key-objects",
        label=tree.root.name.meaning,
        description="\n".join(texts),
        creator=creator,
        made_at=moment(header, 0x00080023, 0x00080033),
        flagged=tuple(dict.fromkeys(flagged)) or evidence,
        images=evidence,
    )
