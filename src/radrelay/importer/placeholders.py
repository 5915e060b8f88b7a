"""Names, IDs and birth dates that devices and people fill in where they know none: they tell nobody from anybody.

In: words of a name folded, an ID, a day. Out: whether it stands for whoever. Two unknown men of one night share a name
and a birth date, two newborn twins their mother's; neither is proposed for the other, nor made one with the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date

from radrelay.dicom.names import fold

_NOBODY = frozenset(fold(word) for word in (
    "unknown", "unbekannt", "unbekannte", "unbekannter", "inconnu", "inconnue", "desconocido", "desconocida", "ignoto",
    "ignota", "sconosciuto", "nieznany", "anonymous", "anonym", "anonyme", "anonimo", "anonymus", "anonymized",
    "anonymised", "anonymisiert", "pseudonymized", "pseudonymised", "pseudonymisiert", "deidentified", "unnamed",
    "unidentified", "undefined", "noname", "nobody", "none", "null", "nil", "nn", "notfall", "notfallpatient",
    "emergency", "trauma", "schockraum", "patient", "patientin", "test", "testpatient", "removed", "deleted", "empty",
    "неизвестно", "неизвестный", "неизвестная", "аноним", "不明", "無名", "未知", "مجهول",
))  # fmt: skip
_BESIDE = frozenset((
    "no", "name", "given", "last", "first", "de", "identified", "id", "male", "female", "man", "woman", "mann", "frau",
    "m", "f", "w", "mannlich", "maennlich", "weiblich", "adult", "child", "kind", "erwachsener", "of", "von",
))  # fmt: skip
"""Words that stand beside one of those, and are names elsewhere."""
_REPEATED = re.compile(r"[xn]+|\?+")
_NUMBER = re.compile(r"[0-9]+")
_NEWBORN = frozenset((
    "baby", "newborn", "neugeborenes", "neugeborene", "neugeborener", "neonate", "neonato", "neonata", "nouveaune",
    "saeugling", "saugling", "zwilling", "drilling", "twin", "triplet", "babyboy", "babygirl", "bebe",
))  # fmt: skip
_CHILD = frozenset((
    "knabe", "maedchen", "madchen", "junge", "boy", "girl", "sohn", "tochter", "son", "daughter", "kind", "infant",
    "female", "male",
))  # fmt: skip
"""What newborns are called too, and what is a name beside other words."""
_OF_CHILDREN = frozenset(("of", "von", "a", "b", "c", "i", "ii", "iii", "eins", "zwei", "drei", "m", "w", "f"))
_SEPARATORS = re.compile(r"[\W_]+")
_NO_IDS = frozenset(("na", "xx", "xxx", "xxxx", "noid", "nopatientid", "anon"))
EARLIEST = 1905
"""Whoever was born before is not alive: 1900-01-01 and the like are what devices fill in."""

Word = Collection[str]


def names_nobody(words: Iterable[Word]) -> bool:
    """Say whether a name's words (each in the forms that it may be written in) stand for whoever."""
    told = list(words)
    if not all(_is_any(word, _NOBODY | _BESIDE) or _all(word, _REPEATED) or _all(word, _NUMBER) for word in told):
        return False
    run = "".join(min(word, default="") for word in told)
    return run in _NOBODY or any(_is_any(word, _NOBODY) or _all(word, _REPEATED) for word in told)


def is_newborns(family: Iterable[Word], given: Iterable[Word]) -> bool:
    """Say whether a name is what newborns are called before they have one, whatever number they have."""
    own = list(given)
    if any(_is_any(word, _NEWBORN) for word in (*family, *own)):
        return True
    children = any(_is_any(word, _CHILD) for word in own)
    return children and all(_is_any(word, _CHILD | _OF_CHILDREN) or _all(word, _NUMBER) for word in own)


def is_no_id(patient_id: str) -> bool:
    """Say whether a patient ID is one that many have: zeros, question marks, a word for nobody."""
    plain = _SEPARATORS.sub("", patient_id).casefold()
    return not plain.strip("0") or plain in _NOBODY or plain in _NO_IDS


def is_no_birth_date(day: date) -> bool:
    """Say whether a birth date is one that is filled in."""
    return day.year < EARLIEST


def _is_any(word: Word, words: frozenset[str]) -> bool:
    return not words.isdisjoint(word)


def _all(word: Word, pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(one) for one in word)
