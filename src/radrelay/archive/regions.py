"""Which parts of the body a study is of, from its Body Part Examined and what its description says.

In: codes of PS3.16 Annex L and words of descriptions, English or German, as devices and people write them. Out: names
of regions that can be compared. It serves to put earlier studies of the same region first, and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from radrelay.dicom.names import fold

_WORDS: dict[str, tuple[str, ...]] = {
    "head": ("head", "brain", "skull", "cranium", "neurocranium", "kopf", "schadel", "gehirn", "hirn", "ccrani", "cct"),
    "face": ("face", "sinus", "orbit", "jaw", "mandible", "maxilla", "dental", "nnh", "gesicht", "kiefer", "zahn"),
    "neck": ("neck", "larynx", "thyroid", "carotid", "hals", "schilddruse"),
    "chest": ("chest", "thorax", "lung", "lunge", "mediastinum", "rib", "rippe", "sternum"),
    "heart": ("heart", "cardiac", "coronary", "herz", "cor", "echo", "tte", "koronar"),
    "breast": ("breast", "mamma", "mammography", "mammographie", "brust"),
    "abdomen": ("abdomen", "abdominal", "liver", "leber", "kidney", "niere", "pancreas", "pankreas", "spleen", "bowel",
                "stomach", "oberbauch", "bauch"),
    "pelvis": ("pelvis", "becken", "prostate", "prostata", "bladder", "blase", "uterus", "rectum", "rektum"),
    "spine": ("spine", "cspine", "tspine", "lspine", "sspine", "hws", "bws", "lws", "wirbelsaule", "vertebra", "lumbar",
              "sacrum"),
    "shoulder": ("shoulder", "schulter", "clavicle", "scapula"),
    "arm": ("arm", "humerus", "elbow", "ellenbogen", "forearm", "unterarm", "oberarm", "radius", "ulna"),
    "hand": ("hand", "wrist", "handgelenk", "finger", "thumb", "daumen"),
    "hip": ("hip", "hufte"),
    "leg": ("leg", "femur", "thigh", "oberschenkel", "tibia", "fibula", "calf", "unterschenkel"),
    "knee": ("knee", "knie", "patella"),
    "foot": ("foot", "fuss", "ankle", "sprunggelenk", "osg", "toe", "zeh", "calcaneus"),
}  # fmt: skip
_SEVERAL = {"wholebody": ("chest", "abdomen", "pelvis"), "tap": ("chest", "abdomen", "pelvis"),
            "abdomenpelvis": ("abdomen", "pelvis"), "chestabdomen": ("chest", "abdomen"),
            "chestabdpelvis": ("chest", "abdomen", "pelvis"), "polytrauma": ("head", "chest", "abdomen", "pelvis"),
            "headneck": ("head", "neck"), "ganzkorper": ("chest", "abdomen", "pelvis")}  # fmt: skip
_REGION = {word: (region,) for region, words in _WORDS.items() for word in words} | _SEVERAL
_STEM = 5  # letters from which on a longer word is taken for one that it begins with
_WORD = re.compile(r"\w+")
_SAYING_NOTHING = frozenset({
    "the", "and", "with", "without", "mit", "ohne", "und", "nativ", "native", "contrast", "kontrast", "kontrastmittel",
    "standard", "routine", "protocol", "study", "exam", "untersuchung", "kontrolle", "control", "follow", "scan",
    "image", "images", "series", "axial", "sagittal", "coronal",
})  # fmt: skip
_SHORTEST = 3


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of descriptions that may tell two studies' purposes alike, folded."""
    words = {word for text in texts for word in _WORD.findall(fold(text))}
    return frozenset(w for w in words if len(w) >= _SHORTEST and not w.isdigit() and w not in _SAYING_NOTHING)


def regions_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the regions that body parts and descriptions name."""
    found: set[str] = set()
    for text in texts:
        for word in _WORD.findall(fold(text)):
            found.update(_REGION.get(word) or _by_stem(word))
    return frozenset(found)


def _by_stem(word: str) -> tuple[str, ...]:
    """Return the region of a word that begins with a known one, as German's compounds do (Schädelbasis)."""
    for length in range(len(word) - 1, _STEM - 1, -1):
        if word[:length] in _REGION:
            return _REGION[word[:length]]
    return ()
