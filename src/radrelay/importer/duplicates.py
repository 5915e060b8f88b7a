"""What of a parcel is here already: per SOP instance filed, skipped, set aside, or held back with its study.

In: objects as they arrived, and what is known of the same SOP Instance UIDs and study UIDs here. Out: for each object
what is done with it. An object is known again by the digest of the data set as it was received, which every version
keeps; else by the digests of its pixel data and of all that a reconciliation leaves alone. So importing twice files
nothing, and of a study that is here in part only the rest is filed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from radrelay.importer.arrived import ArrivedObject

Action = Literal["file", "skip", "quarantine", "block"]
Why = Literal[
    "new",
    "same-content", "same-object", "same-pixels", "content-unknown", "twice-in-parcel",
    "other-pixels", "other-encoding", "other-content", "other-study", "differs-in-parcel", "no-identity",
    "study-of-another",
]  # fmt: skip
"""Why, in the order of the actions. `same-object`: what was received differs only in what a reconciliation replaces;
`same-pixels`: in its header, too; `content-unknown`: it is in the PACS, which tells no more."""
DIFFERS: Why = "differs-in-parcel"
_ORDER: tuple[Why, ...] = get_args(Why)
PatientKey = tuple[str, str]
"""Issuer and patient ID."""


@dataclass(frozen=True, slots=True)
class KeptObject:
    """A SOP instance that is here: `digests` of its data sets as received; what is empty is not known."""

    sop_uid: str
    study_uid: str
    digests: frozenset[str] = frozenset()
    transfer_syntax: str = ""
    pixels: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with an object, and why."""

    arrived: ArrivedObject
    action: Action
    why: Why


def decide(
    objects: Iterable[ArrivedObject],
    kept: Mapping[str, Sequence[KeptObject]],
    patients: Mapping[str, Collection[PatientKey]],
    patient: PatientKey,
) -> tuple[Decision, ...]:
    """Decide on the objects that become `patient`'s.

    Parameters
    ----------
    objects
        In any order; of several with one UID the first by file name counts, and what differs from it is set aside.
    kept
        What is here, by SOP Instance UID.
    patients
        Whose the studies are here that have a UID of the objects' studies.
    patient
        Under whom they are to be filed.
    """
    decided: list[Decision] = []
    seen: dict[str, list[ArrivedObject]] = {}
    for one in sorted(objects, key=lambda one: (one.file, one.digest)):
        if not one.sop_uid or not one.study_uid or not one.series_uid:
            decided.append(Decision(one, "quarantine", "no-identity"))
            continue
        if any(whose != patient for whose in patients.get(one.study_uid, ())):
            decided.append(Decision(one, "block", "study-of-another"))
            continue
        before = seen.setdefault(one.sop_uid, [])
        if any(_is_same(one, other) for other in before):
            decided.append(Decision(one, "skip", "twice-in-parcel"))
            continue
        found = _beside(one, kept.get(one.sop_uid, ()))
        decided.append(Decision(one, "quarantine", DIFFERS) if before and found.action != "skip" else found)
        before.append(one)
    return tuple(decided)


def _is_same(one: ArrivedObject, other: ArrivedObject) -> bool:
    whole = one.digest == other.digest
    return whole or (one.pixels, one.header, one.study_uid) == (other.pixels, other.header, other.study_uid) != (
        "",
        "",
        "",
    )


def _beside(one: ArrivedObject, kept: Sequence[KeptObject]) -> Decision:
    """Decide on an object by the versions of it that are here: what speaks most for its being the same counts."""
    if not kept:
        return Decision(one, "file", "new")
    return min((_compared(one, version) for version in kept), key=lambda decision: _ORDER.index(decision.why))


def _compared(one: ArrivedObject, kept: KeptObject) -> Decision:
    if one.digest and one.digest in kept.digests:
        return Decision(one, "skip", "same-content")
    if kept.study_uid != one.study_uid:
        return Decision(one, "quarantine", "other-study")
    if not kept.header:
        known = bool(kept.digests)
        return Decision(one, "quarantine", "other-content") if known else Decision(one, "skip", "content-unknown")
    if one.pixels == kept.pixels:
        if one.header == kept.header:
            return Decision(one, "skip", "same-object")
        return Decision(one, "skip", "same-pixels") if one.pixels else Decision(one, "quarantine", "other-content")
    encoded = kept.transfer_syntax and one.transfer_syntax and kept.transfer_syntax != one.transfer_syntax
    return Decision(one, "quarantine", "other-encoding" if encoded else "other-pixels")
