"""What a release rule looks at, and whether a study fits it. Pure: no database.

What is empty is not asked for; all that is given must hold. Modality, body part, department, institution and a
series' description hold of one series together: a rule of knees by MR is not for a knee by CT with a head by MR. The
source and the AE titles hold of one sender. Texts are compared folded (case, accents, `ü` as `ue`); by whole words for
people and places, so that Meier is not Meierhoff, by any part for descriptions; AE titles letter by letter.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields

from radrelay.dicom.names import spellings
from radrelay.errors import Invalid

LONGEST = {"modality": 200}
LONGEST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is asked of a study; of AE titles, modalities and body parts a comma list, of which any fits."""

    source_id: uuid.UUID | None = None
    calling_ae: str = ""
    called_ae: str = ""
    modality: str = ""
    body_part: str = ""
    referring: str = ""
    institution: str = ""
    department: str = ""
    description: str = ""


TEXTS = tuple(one.name for one in fields(Conditions) if one.name != "source_id")
TITLES = ("calling_ae", "called_ae")


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """Who brought something of a study and still holds it; AE titles are empty where it did not come over DICOM."""

    source_id: uuid.UUID
    calling_ae: str = ""
    called_ae: str = ""


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What a rule may ask of a series."""

    modality: str = ""
    body_part: str = ""
    description: str = ""
    institution: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A study as rules look at it; `referring` is a person name with its groups."""

    id: uuid.UUID
    referring: str = ""
    description: str = ""
    institution: str = ""
    senders: tuple[SenderFacts, ...] = ()
    series: tuple[SeriesFacts, ...] = ()


def cleaned(wanted: Conditions) -> Conditions:
    """Return conditions without needless blanks.

    Raises `Invalid` where nothing is asked for, which would release everything, or for a text that folds to nothing
    (`-`) and so would fit any.
    """
    texts = {name: " ".join(getattr(wanted, name).split()) for name in TEXTS}
    for name, text in texts.items():
        if len(text) > LONGEST.get(name, LONGEST_TEXT):
            raise Invalid(f"{name} is longer than {LONGEST.get(name, LONGEST_TEXT)} characters", field=name)
        if text and not (_listed(text) if name in TITLES else spellings(text)):
            raise Invalid(f"{name} names nothing that could be compared", field=name)
    if wanted.source_id is None and not any(texts.values()):
        raise Invalid("a rule asks for something: without it, every study would be released", field="conditions")
    return Conditions(wanted.source_id, **texts)


def fits(wanted: Conditions, study: StudyFacts) -> bool:
    """Say whether all that is asked for holds of a study."""
    return (
        _names(wanted.referring, study.referring)
        and _was_sent(wanted, study)
        and (not _asks_of_series(wanted) or any(_series_fits(wanted, study, one) for one in study.series))
    )


def _was_sent(wanted: Conditions, study: StudyFacts) -> bool:
    if wanted.source_id is None and not wanted.calling_ae and not wanted.called_ae:
        return True
    calling, called = _listed(wanted.calling_ae), _listed(wanted.called_ae)
    return any(
        wanted.source_id in (None, one.source_id)
        and (not calling or one.calling_ae.casefold() in calling)
        and (not called or one.called_ae.casefold() in called)
        for one in study.senders
    )


def _asks_of_series(wanted: Conditions) -> bool:
    return any((wanted.modality, wanted.body_part, wanted.institution, wanted.department, wanted.description))


def _series_fits(wanted: Conditions, study: StudyFacts, one: SeriesFacts) -> bool:
    return (
        _is_any(wanted.modality, one.modality)
        and _is_any(wanted.body_part, one.body_part)
        and _phrase(wanted.institution, one.institution or study.institution)
        and _phrase(wanted.department, one.department)
        and (_part(wanted.description, study.description) or _part(wanted.description, one.description))
    )


def _listed(text: str) -> set[str]:
    return {one.strip().casefold() for one in text.split(",") if one.strip()}


def _is_any(wanted: str, value: str) -> bool:
    return not wanted or any(spellings(one) & spellings(value) for one in wanted.split(","))


def _names(wanted: str, person: str) -> bool:
    """Say whether every word that is asked for is a word of a person's name, in whatever order."""
    found = [set(form.split()) for form in spellings(person)]
    return not wanted or any(set(form.split()) <= words for form in spellings(wanted) for words in found)


def _phrase(wanted: str, value: str) -> bool:
    """Say whether the words that are asked for stand in a text one after the other."""
    found = [f" {form} " for form in spellings(value)]
    return not wanted or any(f" {form} " in text for form in spellings(wanted) for text in found)


def _part(wanted: str, value: str) -> bool:
    return not wanted or any(form in text for form in spellings(wanted) for text in spellings(value))
