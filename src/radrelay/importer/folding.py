"""Whether two person names may name one person: *same*, *compatible* or *other*, and why.

In: two names as DICOM writes them (PS3.5 6.2.1), or as people type them. Same are names that differ in case, accents,
umlauts (ä = ae = a), ß, titles, hyphens, and the order of their words; compatible are those that a person has to look
at: a middle name more, initials, half of a double name, another script or a slip. Words are left out as titles within
one component alone, and never the last one of it: there are people called Herr, Ing and Med. Folding is that of
`radrelay.dicom.names`, slips are told by `radrelay.archive.persons`. Two that stand for nobody (`placeholders`)
say nothing, and what newborns are called, one word alone, or accents that differ, are never the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from radrelay.archive.folding import GROUP, MOST_REPRESENTATIONS
from radrelay.archive.persons import compare_names
from radrelay.dicom.names import fold, spellings
from radrelay.importer.placeholders import is_newborns, names_nobody
from radrelay.importer.transliteration import evened, latin_spellings

Degree = Literal["same", "compatible", "other"]
Reason = Literal[
    "identical", "spelling", "double-name", "order",
    "middle-names", "initials", "given-unsaid", "part-of-double-name", "slip", "transliteration", "scripts",
    "representations", "family-unsaid", "unsaid",
    "family-name", "names",
]  # fmt: skip
"""Why: the first four are of the same, `family-name` (the given name is the same) and `names` of others."""

_DEGREES: tuple[Degree, ...] = ("same", "compatible", "other")
_RANKS: tuple[Reason, ...] = ("identical", "spelling", "double-name", "order")
_TITLES = frozenset(
    ["dr", "dres", "prof", "phd", "mr", "mrs", "ms", "habil", "dipl", "msc", "bsc", "mba", "rer", "hc", "mult", "priv",
     "doz", "pd", "mme", "mlle"]
)  # fmt: skip
"""Titles that nobody is called."""
_ALSO_NAMES = frozenset(
    ["med", "dent", "nat", "ing", "mag", "md", "herr", "frau", "hr", "fr", "miss", "sir", "dame", "jr", "sr"]
)
"""Titles that are names elsewhere (Md Karim, Med Ali, Mag, Ing, Dent): they are titles in the prefix, or beside another
one; elsewhere a word like any other, of which a person has to look whether it is left out."""
_WORDS = re.compile(r"[\s,;.\-_/‐-―・·]+")
_UMLAUT_SPELT = re.compile(r"(?:(?<=[bcdfghjklmnprstvwxyz])|^)([aou])e(?!l?$)")
"""ae, oe and ue that may stand for an umlaut: not in Bauer, Neuer, Quentin, nor at the end of Michael and Manuel, nor
of Noe, Mae and Sue: those are not No, Ma and Su."""

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
"""Scripts in which whole names are one word."""
_SYLLABLES = "\u1100"
"""From here on a letter may be a name."""
_WHOLE = 3
"""A word of so many of their letters may be a whole name."""
MOST_FORMS = 64
"""More ways to write a name in one word are not tried."""

MOST_WORDS = 24
"""Of longer names only those whose words come in one order are alike."""

Word = frozenset[str]
"""A word in the forms that it may be written in, folded."""
Accents = tuple[str, ...]
"""What each letter of a word has on it."""


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """How two names go together, and why."""

    degree: Degree
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Name:
    """One representation of a name: its script, its words, and all of it as one text.

    `loose`: it stands in one component, whatever of it is the family name. `nobody`: it stands for whoever.
    """

    script: str
    family: tuple[Word, ...]
    given: tuple[Word, ...]
    text: str
    loose: bool = False
    nobody: bool = False

    @property
    def words(self) -> tuple[Word, ...]:
        return self.family + self.given


@lru_cache(maxsize=8192)
def compare(one: str, other: str) -> NameVerdict:
    """Return how two names go together, over all their representations of one script."""
    mine, theirs = _representations(one), _representations(other)
    if not mine or not theirs:
        return NameVerdict("compatible", "unsaid")
    nobodies = [all(name.nobody for name in some) for some in (mine, theirs)]
    if any(nobodies):
        return NameVerdict("compatible", "unsaid") if all(nobodies) else NameVerdict("other", "names")
    if one.strip() == other.strip() and any(_tells(name, name) for name in mine):
        return NameVerdict("same", "identical")
    found = [*_best(mine, theirs), *_best(theirs, mine)]
    return _together(found) if found else _across(mine, theirs)


def is_nobody(name: str) -> bool:
    """Say whether a name says nothing, or stands for nobody."""
    return all(one.nobody for one in _representations(name))


@lru_cache(maxsize=8192)
def same_keys(name: str) -> frozenset[str]:
    """Return what two names share that are the same: their letters without e, whatever stands where.

    So names are found that have to be compared; names that share one need not be the same.
    """
    letters = ("".join(next(iter(word)) for word in one.words) for one in _representations(name))
    return frozenset("".join(sorted(one.replace("e", ""))) for one in letters)


def _best(mine: Sequence[_Name], theirs: Sequence[_Name]) -> list[NameVerdict]:
    """Return how each representation goes together with the one of its script that it fits best."""
    found = []
    for one in mine:
        met = [_compare(one, other) for other in theirs if other.script == one.script]
        if met:
            found.append(min(met, key=lambda verdict: (_DEGREES.index(verdict.degree), verdict.reason)))
    return found


def _together(found: Sequence[NameVerdict]) -> NameVerdict:
    """Return what the verdicts on several representations come to: all have to be the same."""
    degrees = {one.degree for one in found}
    if degrees == {"same"}:
        return NameVerdict("same", max((one.reason for one in found), key=_RANKS.index))
    if len(degrees) > 1:
        return NameVerdict("compatible", "representations")
    reasons = sorted(one.reason for one in found)
    return NameVerdict(found[0].degree, reasons[0])


def _representations(name: str) -> tuple[_Name, ...]:
    found = (_representation(group) for group in name.split(GROUP)[:MOST_REPRESENTATIONS])
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _representation(group: str) -> _Name | None:
    components = unicodedata.normalize("NFC", group).strip().split("^")
    loose = len(components) == 1 and "," not in components[0]
    if len(components) == 1:
        family, _, given = components[0].partition(",")
        components = [family, given]
    family, given, middle, prefix, _ = [*components[:5], "", "", "", "", ""][:5]
    told = (*_prefix(prefix), *_words(family)), (*_words(given), *_words(middle))
    if not any(told):
        return None
    text = f"{family}^{given} {middle}".strip("^ ")
    return _Name(_script(fold(text or prefix)), *told, text, loose, names_nobody((*told[0], *told[1])))


@lru_cache(maxsize=8192)
def _words(component: str) -> tuple[Word, ...]:
    """Return a component's words without titles; of titles alone it is a name."""
    words = _folded(component)
    if words and any(word & _TITLES for word in words):
        return tuple(word for word in words if not word & (_TITLES | _ALSO_NAMES)) or words
    return words


def _prefix(component: str) -> tuple[Word, ...]:
    """Return the words of a name's prefix that are no titles: von, van der."""
    return tuple(word for word in _folded(component) if not word & (_TITLES | _ALSO_NAMES))


def _folded(component: str) -> tuple[Word, ...]:
    return tuple(word for one in _WORDS.split(component) if one and (word := _forms(one)))


def _forms(word: str) -> Word:
    forms = {form.replace(" ", "") for form in spellings(word)}
    plain = fold(word).replace(" ", "")
    return frozenset(form for form in {*forms, _UMLAUT_SPELT.sub(r"\1", plain)} if form)


def _script(text: str) -> str:
    letter = next((one for one in text if one.isalpha()), "0")
    return unicodedata.name(letter, "").partition(" ")[0]


def _compare(one: _Name, other: _Name) -> NameVerdict:
    """Return how two names of one script go together."""
    same = _same(one, other)
    if same is not None:
        if not _tells(one, other):
            return NameVerdict("compatible", "given-unsaid")
        return NameVerdict("compatible", "slip") if _accents_differ(one.text, other.text) else NameVerdict("same", same)
    compatible = _compatible(one, other)
    if compatible is not None:
        return NameVerdict("compatible", compatible)
    near = compare_names(one.text, other.text)
    if near in ("agree", "near"):
        return NameVerdict("compatible", "slip")
    shared = one.given and other.given and (_alike(one.given, other.given) or _part(one.given, other.given))
    return NameVerdict("other", "family-name" if shared else "names")


def _same(one: _Name, other: _Name) -> Reason | None:
    if not one.family and not other.family:
        return None  # Anna and Anna: of how many families
    if one.family and other.family and _alike(one.family, other.family) and _alike(one.given, other.given):
        in_order = len(one.words) == len(other.words) and all(
            mine & theirs for mine, theirs in zip(one.words, other.words, strict=True)
        )
        return "spelling" if in_order else "double-name"
    told = (one.family and other.family) or len(one.words) > 1
    return "order" if told and _alike_across(one, other) else None


def _alike_across(one: _Name, other: _Name) -> bool:
    """Say whether two names are the same wherever their family names end: Li Na is not Lin A."""
    if _covers(one.words, other.words, exact=True):
        return True
    if one.family and one.given and other.family and other.given:
        return _alike(one.family, other.given) and _alike(one.given, other.family)
    unspaced = one.script.startswith(_UNSPACED)
    return unspaced and bool(_run_together(one.words) & _run_together(other.words))


def _tells(one: _Name, other: _Name) -> bool:
    """Say whether names of which all is the same tell one person from others.

    Neither a family name alone does, nor an initial, nor what newborns are called.
    """
    if not (one.family or other.family) or is_newborns(one.family, one.given):
        return False
    given = one.given or other.given
    unspaced = one.script.startswith(_UNSPACED)
    if given:
        return any(len(form) > 1 or form >= _SYLLABLES for word in given for form in word)
    return one.loose and other.loose and (len(one.text) >= _WHOLE if unspaced else len(one.text.split()) > 1)


def _accents_differ(one: str, other: str) -> bool:
    """Say whether both write accents, and others: Hùng is not Hưng, but may be Hung."""
    mine, theirs = _accents(one), _accents(other)
    return any(
        all(_contradict(these, those) for these in mine[word] for those in theirs[word])
        for word in mine.keys() & theirs.keys()
    )


def _contradict(these: Accents, those: Accents) -> bool:
    return any(here and there and here != there for here, there in zip(these, those, strict=True))


@lru_cache(maxsize=8192)
def _accents(text: str) -> Mapping[str, Sequence[Accents]]:
    """Return the words of a name without accents, and for each letter of them which it has, as often as it comes."""
    found: dict[str, list[Accents]] = {}
    for word in _WORDS.split(unicodedata.normalize("NFD", text.casefold()).replace("^", " ")):
        letters: list[str] = []
        marks: list[str] = []
        for letter in word:
            if unicodedata.combining(letter) and letters:
                marks[-1] += letter
            else:
                letters.append(letter)
                marks.append("")
        found.setdefault("".join(letters), []).append(tuple(marks))
    return found


def _compatible(one: _Name, other: _Name) -> Reason | None:
    if not one.family and not other.family:
        return "family-unsaid" if _alike(one.given, other.given) or _part(one.given, other.given) else None
    found = _parts(one, other)
    if found is not None:
        return found
    if _parts(one, _turned(other)) is not None or _parts(_turned(one), other) is not None:
        return _part(one.words, other.words) or "part-of-double-name"
    return _part(one.words, other.words) if min(len(one.words), len(other.words)) > 1 else None


def _turned(name: _Name) -> _Name:
    return _Name(name.script, name.given, name.family, name.text)


def _parts(one: _Name, other: _Name) -> Reason | None:
    """Return how family and given name, each for itself, are parts of the other's."""
    if not (one.family and other.family):
        return None
    families = _alike(one.family, other.family)
    if not families and not _part(one.family, other.family):
        return None
    if not one.given or not other.given:
        return "given-unsaid" if families else "part-of-double-name"
    if _alike(one.given, other.given):
        return "part-of-double-name"
    given = _part(one.given, other.given)
    return given if given is None or families else "part-of-double-name"


def _alike(one: Sequence[Word], other: Sequence[Word]) -> bool:
    """Say whether both are the same words in any order, or one has some of the other's in one word."""
    if _covers(one, other, exact=True):
        return True
    short, long = sorted((one, other), key=len)
    return 0 < len(short) < len(long) <= MOST_WORDS and _joined(short, long)


def _joined(short: Sequence[Word], long: Sequence[Word]) -> bool:
    """Say whether each word of `short` is one or more of `long`, in their order: Karlheinz Otto, Karl-Heinz Otto."""
    reached = {0}
    for word in short:
        reached = {end for start in reached for end in _ends(word, long, start)}
    return len(long) in reached


def _ends(word: Word, long: Sequence[Word], start: int) -> Iterator[int]:
    """Yield where words from `start` on end that are a word together."""
    most, joined = max(map(len, word)), frozenset(("",))
    for end in range(start, len(long)):
        joined = frozenset(made for one in joined for form in long[end] if len(made := one + form) <= most)
        if not joined or len(joined) > MOST_FORMS:
            return
        if word & joined:
            yield end + 1


def _run_together(words: Sequence[Word]) -> frozenset[str]:
    """Return the words as one: Karl-Heinz is Karlheinz, and O Neill is ONeill."""
    joined = frozenset(("",))
    for word in words:
        joined = frozenset(start + form for start in joined for form in word)
        if len(joined) > MOST_FORMS:
            return frozenset()
    return joined - {""}


def _part(one: Sequence[Word], other: Sequence[Word]) -> Reason | None:
    """Return how one is a part of the other: words are left out, or begin only."""
    short, long = sorted((one, other), key=len)
    if _covers(short, long, exact=False):
        return "middle-names"
    initials = _covers(short, long, exact=False, initials=True)
    return "initials" if initials else None


def _covers(short: Sequence[Word], long: Sequence[Word], *, exact: bool, initials: bool = False) -> bool:
    """Say whether each word of `short` has one of its own in `long`, and if `exact` none is left."""
    if not short or len(short) > len(long) or (exact and len(short) != len(long)):
        return not short and not long
    if len(long) > MOST_WORDS:
        return all(mine & theirs for mine, theirs in zip(short, long, strict=False))
    taken: dict[int, int] = {}

    def find(at: int, tried: set[int]) -> bool:
        """Give a word of `short` one of `long`, another one to whoever has it (Kuhn's augmenting paths)."""
        for place, word in enumerate(long):
            if place in tried or not (short[at] & word or (initials and _begins(short[at], word))):
                continue
            tried.add(place)
            if place not in taken or find(taken[place], tried):
                taken[place] = at
                return True
        return False

    return all(find(at, set()) for at in range(len(short)))


def _begins(one: Word, other: Word) -> bool:
    """Say whether either is the other's initial."""
    return any(len(min(a, b, key=len)) == 1 and a[0] == b[0] for a in one for b in other)


def _across(mine: Sequence[_Name], theirs: Sequence[_Name]) -> NameVerdict:
    """Return how names of different scripts go together: Cyrillic ones in the ways that they are written in Latin."""
    told = {one.script: one for one in (*theirs, *mine)}
    if "LATIN" not in told or "CYRILLIC" not in told:
        return NameVerdict("compatible", "scripts")
    latin = _representation(evened(told["LATIN"].text))
    for spelt in latin_spellings(told["CYRILLIC"].text):
        tried = _representation(spelt)
        if latin is not None and tried is not None and _compare(latin, tried).degree != "other":
            return NameVerdict("compatible", "transliteration")
    return NameVerdict("other", "names")
