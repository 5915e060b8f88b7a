"""Data types of fields as typed values: HD, EI, CX, XPN, XCN, CE and CWE (HL7 v2.5 2.A), from one repetition each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from radrelay.hl7.message.encoding import Encoding
from radrelay.hl7.message.model import parts, picked

REPRESENTATIONS = {"": 0, "A": 0, "I": 1, "P": 2}
"""Which group of a DICOM person name each representation is (XPN-8, table 0465): alphabetic, ideographic, phonetic."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who issued an identifier (HD): by a name of the site's, or by one that the world knows, of a type."""

    namespace: str = ""
    universal_id: str = ""
    universal_type: str = ""

    @property
    def name(self) -> str:
        """Return the site's name for it, else the universal one; empty where nobody is named."""
        return self.namespace or self.universal_id

    @property
    def text(self) -> str:
        """Return it as it is kept; empty where nobody is named."""
        told = [self.namespace, self.universal_id, self.universal_type]
        return json.dumps(told, ensure_ascii=False) if self.name else ""

    @classmethod
    def of(cls, text: str) -> Authority:
        """Return what was kept."""
        return cls(*json.loads(text)) if text else cls()


@dataclass(frozen=True, slots=True)
class Identifier:
    """A patient's identifier (CX), its authority, and what kind it is (table 0203: PI, MR, SS …)."""

    value: str
    authority: Authority = Authority()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded value (CE, CWE): code, text and coding scheme."""

    code: str = ""
    text: str = ""
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person's name in one representation (XPN, or XCN behind its identifier)."""

    family: str = ""
    given: str = ""
    middle: str = ""
    suffix: str = ""
    prefix: str = ""
    degree: str = ""
    kind: str = ""
    representation: str = ""

    @property
    def dicom(self) -> str:
        """Return it as a group of a DICOM person name (PS3.5 6.2.1.1)."""
        suffix = " ".join(filter(None, (self.suffix, self.degree)))
        group = "^".join(map(_plain, (self.family, self.given, self.middle, self.prefix, suffix)))
        return group.rstrip("^")


def _plain(text: str) -> str:
    """Take what parts a DICOM name out of a component."""
    return " ".join(text.translate({ord("^"): " ", ord("="): " ", ord("\\"): " "}).split())


def authority(raw: str, encoding: Encoding) -> Authority:
    """Return the HD in a component, whose parts are subcomponents."""
    return Authority(*(picked(raw, encoding, 1, place) for place in (1, 2, 3)))


def entity_authority(raw: str, encoding: Encoding) -> Authority:
    """Return who issued the number of an EI, whose parts are components."""
    return Authority(*(picked(raw, encoding, place) for place in (2, 3, 4)))


def identifier(raw: str, encoding: Encoding) -> Identifier:
    """Return a CX; one without value is empty."""
    found = parts(raw, encoding.component)
    issuer = authority(found[3], encoding) if len(found) > 3 else Authority()
    return Identifier(picked(raw, encoding), issuer, picked(raw, encoding, 5))


def coded(raw: str, encoding: Encoding) -> Coded:
    """Return a CE or CWE; its alternative where that alone is given."""
    first = Coded(*(picked(raw, encoding, place) for place in (1, 2, 3)))
    if first.code or first.text:
        return first
    return Coded(*(picked(raw, encoding, place) for place in (4, 5, 6)))


def person_name(raw: str, encoding: Encoding, skipped: int = 0) -> PersonName:
    """Return an XPN; of an XCN `skipped` is 1, for its identifier stands before the name."""
    family, given, middle, suffix, prefix, degree = (picked(raw, encoding, place + skipped) for place in range(1, 7))
    kind, representation = (picked(raw, encoding, place) for place in ((10, 15) if skipped else (7, 8)))
    return PersonName(family, given, middle, suffix, prefix, degree, kind, representation)


def dicom_name(names: list[PersonName]) -> str:
    """Return names of one person as one DICOM person name, each representation its group.

    The legal name counts (L), else the first that is no maiden name, alias or nickname, else the first.
    """
    groups = ["", "", ""]
    for place in range(3):
        own = [one for one in names if REPRESENTATIONS.get(one.representation, 0) == place and one.dicom]
        if own:
            legal = [one for one in own if one.kind in ("L", "D")]
            usual = [one for one in own if one.kind not in ("M", "A", "N", "B", "S", "P")]
            groups[place] = (legal or usual or own)[0].dicom
    return "=".join(groups).rstrip("=")
