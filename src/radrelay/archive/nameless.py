"""Searches for who knows patients by alias alone: what may be asked, and what is answered.

Neither by an answer nor by asking for a name and looking whether something is found may somebody learn who a patient
is. So a key that names a person is refused whatever its value, and an answer holds what is listed here and no more:
an attribute that somebody adds to the index later is hidden until it is known to tell nothing.
"""

from __future__ import annotations

from radrelay.archive.errors import IdentityHidden
from radrelay.archive.query import StudyQuery

TOLD = frozenset(
    {
        "00080016", "00080018", "00080020", "00080021", "00080056", "00080060", "00080061", "00081030", "0008103E",
        "00083002", "00100040", "00180015", "0020000D", "0020000E", "00200011", "00200013", "00200060", "00201206",
        "00201208", "00201209", "00280008", "00280010", "00280011",
    }
)  # fmt: skip
"""Classes, UIDs, numbers and counts, days, modalities, descriptions, parts and sides of the body, a patient's sex."""


def require_nameless(query: StudyQuery) -> None:
    """Raise `IdentityHidden` for a query that names a patient, or what leads to one beyond this archive."""
    naming = (
        query.name, query.name_words, query.text, query.patient_id, query.issuer, query.birth_date, query.accession,
        query.study_id, query.times, query.referring, query.institution,
    )  # fmt: skip
    if any(naming):
        raise IdentityHidden


def nameless(row: dict[str, object]) -> dict[str, object]:
    """Return what may be told of an answer."""
    return {tag: value for tag, value in row.items() if tag in TOLD}
