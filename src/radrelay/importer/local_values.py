"""What local systems and people say of a patient and an order, as objects can hold it (PS3.5 6.2).

In: names, IDs, sexes and numbers as they stand in HL7, the worklist, the PACS, or were typed in. Out: the same without
what means nothing in DICOM: padding, tabs, sexes that say that nobody knows. What no object can hold is refused with
its field, when it is chosen and not when it is filed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from radrelay.importer.arrived import Person
from radrelay.importer.import_errors import PatientUnusable, ValueTooLong, ValueUnwritable
from radrelay.importer.reconciling import Authority, LocalPatient, Order

LONGEST = {"name": 194, "patient_id": 64, "issuer": 64, "accession": 16}
_SEXES = {"M": "M", "F": "F", "O": "O", "A": "O", "D": "O", "X": "O", "U": "", "W": "", "N": "", "": ""}
"""DICOM has M, F and O; HL7's A, and D and X of German systems, are O. W is not guessed at: the images say it."""
_UNIVERSAL = frozenset({"DNS", "EUI64", "ISO", "URI", "UUID", "X400", "X500"})
_OID = re.compile(r"[0-2](?:\.\d+)+")
_DATE = re.compile(r"(\d{4})[.\-/]?(\d\d)[.\-/]?(\d\d)")


def written(patient: LocalPatient) -> LocalPatient:
    """Return a local patient as objects hold it; raises `PatientUnusable`, `ValueTooLong`, `ValueUnwritable`."""
    name, patient_id, issuer = (plain(one) for one in (patient.name, patient.patient_id, patient.issuer))
    if not name.strip("^= ") or not patient_id:
        raise PatientUnusable
    for field, text in (("name", name), ("patient_id", patient_id), ("issuer", issuer)):
        _require(field, text)
    sex, born = _SEXES.get(patient.sex.strip().upper()), _date(patient.birth_date)
    if sex is None:
        raise ValueUnwritable(field="sex")
    authority = replace(authority_held(patient.authority), namespace="")  # that is the issuer
    return LocalPatient(name, patient_id, issuer, authority, born, sex)


def written_order(order: Order) -> Order:
    """Return an order as objects hold it; raises `ValueTooLong`, `ValueUnwritable`."""
    made = tidied_order(order)
    if not made.accession:
        raise ValueUnwritable(field="accession")
    _require("accession", made.accession)
    return made


def tidied(person: Person) -> Person:
    """Return somebody as a local system tells of them, without what means nothing in DICOM."""
    sex = person.sex.strip().upper()
    return Person(
        plain(person.name), plain(person.patient_id), plain(person.issuer), person.birth_date, _SEXES.get(sex, sex)
    )


def tidied_order(order: Order) -> Order:
    """Return an order without what means nothing in DICOM: of its texts as much as objects hold."""
    return replace(
        order, accession=plain(order.accession), accession_authority=authority_held(order.accession_authority),
        study_id=_held(order.study_id, 16), procedure_id=_held(order.procedure_id, 16),
        procedure=_held(order.procedure, 64), step_id=_held(order.step_id, 16), step=_held(order.step, 64),
    )  # fmt: skip


def plain(text: str) -> str:
    """Return a text without padding; tabs, line ends and spaces of other widths become spaces."""
    return "".join(" " if one.isspace() else one for one in text).strip()


def _held(text: str, most: int) -> str:
    """Return of a text that is for people what an object holds of it."""
    return plain("".join(one if one.isprintable() and one != "\\" else " " for one in plain(text)))[:most].rstrip()


def authority_held(authority: Authority) -> Authority:
    """Return who issues numbers as objects hold it: of universal IDs those of a type that DICOM knows (PS3.3 10.14)."""
    universal, kind = _held(authority.universal_id, 200), _held(authority.universal_type.upper(), 16)
    kind = "UUID" if kind == "GUID" else kind or ("ISO" if _OID.fullmatch(universal) else "")
    if kind not in _UNIVERSAL:
        universal = kind = ""
    return Authority(universal, kind if universal else "", _held(authority.namespace, 200))


def _date(text: str) -> str:
    """Return a date as DICOM writes it, nothing for none."""
    if not text.strip():
        return ""
    found = _DATE.fullmatch(text.strip())
    try:
        born = date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        born = None
    if born is None:
        raise ValueUnwritable(field="birth_date")
    return f"{born:%Y%m%d}"


def _require(field: str, text: str) -> None:
    if "\\" in text or not text.isprintable():
        raise ValueUnwritable(field=field)
    if len(text) > LONGEST[field]:
        raise ValueTooLong(field=field, most=LONGEST[field])
