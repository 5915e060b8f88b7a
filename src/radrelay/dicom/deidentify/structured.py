"""Content items of structured reports that say who the patient is (PS3.16 TID 1007, CID 3605 and its like).

A report repeats what the header says: sex, age, size, weight, birth date. Where the header loses these, so does its
content; names, identifiers and texts in it are replaced or cleaned item by item (`rewriting`).
"""

from __future__ import annotations

from radrelay.dicom.elements import DataElements

_CONCEPT_NAME = 0x0040A043
_OF_PATIENT = frozenset({
    ("121029", "DCM"),  # Subject Name
    ("121030", "DCM"),  # Subject ID
    ("121031", "DCM"),  # Subject Birth Date
    ("121032", "DCM"),  # Subject Sex
    ("121033", "DCM"),  # Subject Age
    ("121028", "DCM"),  # Subject UID, of another kind than instances'
    ("121110", "DCM"),  # Patient Presentation
    ("121118", "DCM"),  # Patient Characteristics
    ("8302-2", "LN"), ("29463-7", "LN"), ("8277-6", "LN"),
    ("50373000", "SCT"), ("27113001", "SCT"), ("60621009", "SCT"), ("397669002", "SCT"), ("424144002", "SCT"),
    ("263495000", "SCT"), ("184099003", "SCT"), ("416940007", "SCT"), ("417662000", "SCT"),
})  # fmt: skip


def tells_of_patient(item: DataElements) -> bool:
    """Return whether a content item, by its concept name, describes the patient."""
    for name in item.items(_CONCEPT_NAME):
        code = (name.texts(0x00080100)[:1] or [""])[0]
        scheme = (name.texts(0x00080102)[:1] or [""])[0]
        if (code, scheme) in _OF_PATIENT:
            return True
    return False
