"""Names and texts in the form in which they are searched, and the short tokens of names.

A person name (PS3.5 6.2.1) keeps its groups: each is folded and stands between `=`, so that a pattern can be bound
to the beginning and the end of any of them. What flows in is decoded text; case, marks, widths and kana are folded by
`radrelay.dicom.names.fold`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from radrelay.dicom.names import fold, search_forms

GROUP = "="
FIRST_WIDE = 0x2E80  # CJK radicals: from here on scripts write words without spaces between them
MOST_REPRESENTATIONS = 3  # alphabetic, ideographic, phonetic
_UMLAUTS = re.compile("(?<=[aou])e")
TITLES = frozenset(["dr", "prof", "med", "dent", "phd", "md", "mr", "mrs", "ms", "miss", "herr", "frau"])


@lru_cache(maxsize=4096)
def folded_name(name: str) -> str:
    """Return `name` as it is searched: every form of its groups between `=`; empty for an empty name."""
    groups = dict.fromkeys(form for group in name.split(GROUP) for form in search_forms(group))
    return f"{GROUP}{GROUP.join(groups)}{GROUP}" if groups else ""


@lru_cache(maxsize=4096)
def name_order(name: str) -> str:
    """Return what lists of people go by: the folded components of the first group that says anything.

    They stand apart by a tab, which sorts before whatever a name holds: Meier^Zoe comes before Meier Abt^Eva, and
    Meier before both. Empty for an empty name.
    """
    for group in name.split(GROUP):
        components = [fold(component) for component in group.split("^")]
        if any(components):
            return "\t".join(components).rstrip("\t")
    return ""


@lru_cache(maxsize=4096)
def spellings(name: str) -> tuple[tuple[str, str], ...]:
    """Return family and given name, folded, of each representation of a name (PS3.5 6.2.1.2) that says something.

    `ae`, `oe` and `ue` count as the umlauts that they often stand for, titles do not count. A name without `^` is a
    family name.
    """
    found = (_family_and_given(group) for group in name.split(GROUP)[:MOST_REPRESENTATIONS])
    return tuple(dict.fromkeys(pair for pair in found if any(pair)))


@lru_cache(maxsize=4096)
def spellings_text(name: str) -> str:
    """Return the spellings of a name between `=`: one name agrees with another if either text stands in the other's.

    Letters come first, then ideographs, then syllables, so that this is so whichever of two neighbours is left out.
    """
    found = sorted(identity_keys(name), key=_script_rank)
    return f"{GROUP}{GROUP.join(found)}{GROUP}" if found else ""


@lru_cache(maxsize=4096)
def identity_keys(name: str) -> tuple[str, ...]:
    """Return family and given name of each representation, in one: what must not contradict within a study.

    Empty when the name says nothing.
    """
    return tuple(dict.fromkeys(" ".join(pair).strip() for pair in spellings(name)))


def _script_rank(folded: str) -> int:
    if ord(folded[0]) < FIRST_WIDE:
        return 0
    return 1 if unicodedata.name(folded[0], "").startswith("CJK") else 2


def _family_and_given(group: str) -> tuple[str, str]:
    family, given, *_ = [*(_without_titles(fold(one)) for one in group.split("^")[:2]), "", ""]
    return family, given


def _without_titles(folded: str) -> str:
    """Return a component without titles that stand in it instead of in the prefix; one of titles alone stays."""
    words = folded.split()
    kept = [word for word in words if word not in TITLES]
    return _UMLAUTS.sub("", " ".join(kept or words))


def searched_text(description: str, patient_id: str, accession_number: str) -> str:
    """Return the folded text, one line each, that a free search looks through beside the name."""
    return f"\n{fold(description)}\n{fold(patient_id)}\n{fold(accession_number)}"


def is_wide(character: str) -> bool:
    """Say whether a script that writes words without spaces uses `character`."""
    return ord(character) >= FIRST_WIDE and unicodedata.category(character)[0] == "L"


def short_tokens(name_folded: str) -> set[str]:
    """Return the one- and two-character tokens of a folded name.

    They are the beginnings of words, those of groups also led by `=`, and within ideographic and syllabic
    scripts every character and pair.
    """
    tokens: set[str] = set()
    for group in name_folded.split(GROUP):
        if group:
            tokens.add(GROUP + group[0])
        for word in group.split(" "):
            tokens.update(_word_tokens(word))
    return tokens


def _word_tokens(word: str) -> set[str]:
    tokens = {word[:1], word[:2]} - {""}
    for place, character in enumerate(word):
        if is_wide(character):
            tokens.add(character)
            if place + 1 < len(word) and is_wide(word[place + 1]):
                tokens.add(word[place : place + 2])
    return tokens
