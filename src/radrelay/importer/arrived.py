"""What arrived in a parcel, object by object: whom it names, where it belongs, and digests by which it is known again.

In: a parsed header and the digests of its bytes. Out: plain facts, on which parting, matching, findings and duplicates
are decided without looking into a file again. `header_digest` tells the same of an object before and after its
reconciliation, in any character set.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from radrelay.dicom.elements import Buffer
from radrelay.dicom.header import Header
from radrelay.dicom.index import bounded
from radrelay.importer.digests import digest_of
from radrelay.importer.reconciling import REPLACED

SEXES = ("M", "F")  # the values that exclude each other; O and none do not
_WORDS_FOR_SEXES = {
    "MALE": "M", "MAN": "M", "MANN": "M", "MAENNLICH": "M", "MÄNNLICH": "M", "FEMALE": "F", "W": "F", "WOMAN": "F",
    "FRAU": "F", "WEIBLICH": "F",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Whom something names; what it does not say is empty. Sex as DICOM has it."""

    name: str = ""
    patient_id: str = ""
    issuer: str = ""
    birth_date: date | None = None
    sex: str = ""

    @classmethod
    def of(cls, header: Header) -> Person:
        """Return whom an object names."""
        return cls(
            bounded(header.person_name(0x00100010), 400),
            bounded(header.text(0x00100020), 64),
            bounded(header.text(0x00100021), 64),
            header.date(0x00100030),
            header.text(0x00100040)[:16].upper(),
        )

    @property
    def said(self) -> int:
        """Return how many of its attributes say something."""
        return sum(bool(one) for one in (self.name, self.patient_id, self.issuer, self.birth_date, self.sex))


NOBODY = Person()


def sexed(text: str) -> str:
    """Return a sex as DICOM has it where a device writes it in words; what it is compared by, never what is written."""
    plain = text.strip().upper()
    return _WORDS_FOR_SEXES.get(plain, plain)


@dataclass(frozen=True, slots=True)
class ArrivedObject:
    """An object of a parcel: `file` is its path there, `digest` of the data set as received (SHA-256, hex).

    `pixels` and `header` are digests of what stands from the pixel data on (empty: it has none) and of the rest.
    """

    file: str
    sop_uid: str
    sop_class: str
    series_uid: str
    study_uid: str
    person: Person
    transfer_syntax: str = ""
    modality: str = ""
    study_date: date | None = None
    description: str = ""
    accession: str = ""
    digest: str = ""
    pixels: str = ""
    header: str = ""

    @classmethod
    def of(cls, header: Header, *, file: str, digest: str, pixels: str = "") -> ArrivedObject:
        """Return what a header tells; `digest` and `pixels` are of the bytes that it was read from."""
        return cls(
            file=file,
            sop_uid=header.text(0x00080018)[:64],
            sop_class=header.text(0x00080016)[:64],
            series_uid=header.text(0x0020000E)[:64],
            study_uid=header.text(0x0020000D)[:64],
            person=Person.of(header),
            transfer_syntax=header.transfer_syntax.uid,
            modality=header.text(0x00080060)[:16],
            study_date=header.date(0x00080020),
            description=bounded(header.text(0x00081030), 1000),
            accession=bounded(header.text(0x00080050), 64),
            digest=digest,
            pixels=pixels,
            header=header_digest(header),
        )

    @classmethod
    def whole(cls, data_set: Buffer, header: Header, *, file: str) -> ArrivedObject:
        """Return what an object tells that is there as a whole."""
        at = None if header.bulk is None else header.bulk[1]
        pixels = "" if at is None else hashlib.sha256(memoryview(header.data)[at:]).hexdigest()
        return cls.of(header, file=file, digest=hashlib.sha256(data_set).hexdigest(), pixels=pixels)


def header_digest(header: Header) -> str:
    """Return a digest of all before the pixel data but what a reconciliation replaces; texts whatever they are in."""
    return digest_of(header, REPLACED)
