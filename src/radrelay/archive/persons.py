"""Whether two studies are of one person: the one place where that is decided.

A patient ID is one issuer's, but devices without an issuer give the same ID to different people, and people mistype
one. So the name, the birth date and the sex that each study tells are compared, too. Out comes "same", "doubtful"
(nothing contradicts, but it takes a person to say) or "other". What asks: the patient's other studies and what is
hung, shared and listed of them, and addresses that name an ID or an accession number. `access.earlier_studies` has
"same" as SQL, of the same columns: it lets nobody see what is not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import Any, Literal, Protocol

from radrelay.archive.folding import spellings, spellings_text

Likeness = Literal["same", "doubtful", "other"]
Names = Literal["agree", "unsaid", "near", "given", "apart"]
"""How two names go together: one spelling of both agrees and none differs; one of them says nothing; they may be the
same, differently written; the given name alone agrees; nothing does."""
_BY_NAMES: dict[Names, Likeness] = {"agree": "same", "near": "doubtful", "apart": "other"}
SEXES = ("M", "F")  # the values that exclude each other; O and none do not
_LEAST_MISTYPED = 6  # letters of a whole name in which one other letter may be a slip
_LEAST_IDEOGRAPHS = 3  # the same of ideographs, which have variants: 小東 and 小东
_LEAST_COMPONENT = 4  # letters of one component in which one may be a slip
_IDEOGRAPHS = "CJK"


class Told(Protocol):
    """What a study tells of whom it is: the mapped class or a row."""

    @property
    def patient_id(self) -> Any: ...  # noqa: D102  # named as the columns of study
    @property
    def patient_id_value(self) -> Any: ...  # noqa: D102  # named as the columns of study
    @property
    def patient_issuer(self) -> Any: ...  # noqa: D102  # named as the columns of study
    @property
    def patient_name(self) -> Any: ...  # noqa: D102  # named as the columns of study
    @property
    def patient_birth_date(self) -> Any: ...  # noqa: D102  # named as the columns of study
    @property
    def patient_sex(self) -> Any: ...  # noqa: D102  # named as the columns of study


def likeness(one: Told, other: Told) -> Likeness:
    """Return whether two studies are of the same person.

    "same" takes an ID of one issuer, nothing that contradicts, and a name or a birth date that agrees: two people may
    have come to one ID, and what names nobody is of either. Of studies that all name nobody an issuer's ID is enough.
    Another birth date or sex is another person. A given name that agrees under another family name is a
    doubt (somebody married) if birth date and sex agree, else another person.
    """
    if not one.patient_id_value or one.patient_id != other.patient_id:
        return "other"
    born, sex = (one.patient_birth_date, other.patient_birth_date), (one.patient_sex, other.patient_sex)
    if (None not in born and born[0] != born[1]) or (sex[0] != sex[1] and set(sex) == set(SEXES)):
        return "other"
    born_alike = born[0] is not None and born[0] == born[1]
    names = compare_names(one.patient_name, other.patient_name)
    if names == "unsaid":
        nameless = not one.patient_name and not other.patient_name
        return "same" if born_alike or (one.patient_issuer and nameless) else "doubtful"
    if names == "given":
        return "doubtful" if born_alike and sex[0] == sex[1] != "" else "other"
    return _BY_NAMES[names]


def parted(studies: Iterable[Told]) -> list[int]:
    """Return for each study whose it is: a number from 0 on, in the order in which people first come.

    A study belongs to a person only if it is beyond doubt of the same as all of theirs before.
    """
    people: list[list[Told]] = []
    known: dict[tuple[object, ...], int] = {}
    return [_person(people, known, study) for study in studies]


def _person(people: list[list[Told]], known: dict[tuple[object, ...], int], study: Told) -> int:
    told = (study.patient_id, study.patient_name, study.patient_birth_date, study.patient_sex)
    if not study.patient_id_value or told not in known:
        fits = (at for at, own in enumerate(people) if all(likeness(study, one) == "same" for one in own))
        at = next(fits, len(people))
        if at == len(people):
            people.append([])
        people[at].append(study)
        known[told] = at
    return known[told]


@lru_cache(maxsize=8192)
def compare_names(one: str, other: str) -> Names:
    """Return how two person names (PS3.5 6.2.1) go together, over all their representations.

    Spellings in different scripts cannot contradict each other, nor agree.
    """
    told, again = spellings_text(one), spellings_text(other)
    if not told or not again:
        return "unsaid"
    if told in again or again in told:
        return "agree"
    mine, theirs = spellings(one), spellings(other)
    shared = {" ".join(name).strip() for name in mine} & {" ".join(name).strip() for name in theirs}
    pairs = [pair for pair in product(mine, theirs) if _script(pair[0]) == _script(pair[1])]
    if shared or not pairs or any(_is_near(*pair) for pair in pairs):
        return "near"
    return "given" if any(first[1] and first[1] == second[1] for first, second in pairs) else "apart"


def _script(name: tuple[str, str]) -> str:
    """Return the script that a spelling begins in, as Unicode names it."""
    letter = next((one for one in "".join(name) if one.isalpha()), "0")  # some names are numbers alone
    return unicodedata.name(letter, "").partition(" ")[0]


def _is_near(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Say whether one may be the other in another order, shortened, or with a slip."""
    whole, again = " ".join(one), " ".join(other)
    if sorted(whole.split()) == sorted(again.split()):
        return True
    least = _LEAST_IDEOGRAPHS if _script(one).startswith(_IDEOGRAPHS) else _LEAST_MISTYPED
    if min(len(whole), len(again)) >= least and _is_slip(whole, again):
        return True
    both_say = any(mine and theirs for mine, theirs in zip(one, other, strict=True))
    return both_say and all(_is_part(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def _is_part(one: str, other: str) -> bool:
    """Say whether a component is left out, begins the other (an initial, a double name), is among it, or has a slip."""
    if one.startswith(other) or other.startswith(one):
        return True
    words, others = set(one.split()), set(other.split())
    return (
        words <= others or others <= words or (min(len(one), len(other)) >= _LEAST_COMPONENT and _is_slip(one, other))
    )


def _is_slip(one: str, other: str) -> bool:
    """Say whether one letter more, less, or other makes one text the other, or two beside each other changed places."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    return swapped or short[start + 1 :] == long[start + 1 :]
