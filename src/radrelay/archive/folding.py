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
_UMLAUTS = re.compile("(?<=[aou])e")


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
def identity_keys(name: str) -> frozenset[str]:
    """Return what must not contradict between two spellings of one person: family and given name per group.

    `ae`, `oe` and `ue` count as the umlauts that they often stand for. Empty when the name says nothing.
    """
    keys = set()
    for group in name.split(GROUP):
        components = group.split("^")[:2]
        key = fold(" ".join(components))
        if key:
            keys.add(_UMLAUTS.sub("", key))
    return frozenset(keys)


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
