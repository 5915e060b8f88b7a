"""Reconciliation: an object from elsewhere under the local patient, and if one is chosen under a local order.

In: a data set as received, or what of it stands before its pixel data, and whose it becomes. Out: the data set with
name, patient ID, issuer and its qualifiers, birth date and sex of the local patient; the accession number, the study ID
and the request attributes only of an order (else a foreign accession number is blanked, for it may collide). The old ID
goes to Other Patient IDs (0010,1002), all that was replaced to Original Attributes (0400,0561; PS3.3 C.12.1.1.9), and
(0008,0015) says when. All else stays byte for byte, but for texts where the character set is widened. It is written by
`radrelay.dicom.reidentify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from radrelay.dicom.characters import encode
from radrelay.dicom.elements import Buffer
from radrelay.dicom.errors import NotWritable
from radrelay.dicom.header import Header, parse
from radrelay.dicom.names import plain_ascii
from radrelay.dicom.reidentify import ORIGINAL_ATTRIBUTES, Edit, Modification, items_of, place_of, reidentify
from radrelay.dicom.rewrite import NewElement, Rules, element_header, item
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.values import parse_date
from radrelay.dicom.writing import pad
from radrelay.importer.digests import digest_of

SYSTEM = "Radrelay"
CHARACTER_SET, COERCED_AT = 0x00080005, 0x00080015
ACCESSION, ACCESSION_ISSUER, STUDY_ID, REQUEST = 0x00080050, 0x00080051, 0x00200010, 0x00400275
NAME, PATIENT_ID, ISSUER, ID_TYPE, QUALIFIERS = 0x00100010, 0x00100020, 0x00100021, 0x00100022, 0x00100024
BIRTH_DATE, SEX, OTHER_IDS = 0x00100030, 0x00100040, 0x00101002
_NAMESPACE, _UNIVERSAL, _UNIVERSAL_TYPE = 0x00400031, 0x00400032, 0x00400033
_PROCEDURE, _STEP_TEXT, _STEP, _PROCEDURE_ID = 0x00321060, 0x00400007, 0x00400009, 0x00401001
REPLACED = frozenset({
    CHARACTER_SET, COERCED_AT, ACCESSION, ACCESSION_ISSUER, NAME, PATIENT_ID, ISSUER, QUALIFIERS, BIRTH_DATE, SEX,
    OTHER_IDS, STUDY_ID, REQUEST, ORIGINAL_ATTRIBUTES,
})  # fmt: skip
"""The attributes that a reconciliation may change; of all others it changes nothing but a text's encoding."""
_LONGEST = {NAME: 194, PATIENT_ID: 64, ISSUER: 64, ACCESSION: 16, STUDY_ID: 16, SEX: 2}

_Texts = tuple[tuple[int, str, str], ...]
"""Elements of an item: tag, VR and text, in ascending order."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who issues numbers, beside its name: a universal entity ID and its type, or a namespace (PS3.3 10.14)."""

    universal_id: str = ""
    universal_type: str = ""
    namespace: str = ""

    @property
    def texts(self) -> _Texts:
        """Return it as elements of an item; empty where it says nothing."""
        told = ((_NAMESPACE, "UT", self.namespace), (_UNIVERSAL, "UT", self.universal_id))
        kind = ((_UNIVERSAL_TYPE, "CS", self.universal_type),) if self.universal_id else ()
        return tuple(one for one in (*told, *kind) if one[2])


@dataclass(frozen=True, slots=True)
class LocalPatient:
    """Whose the object becomes. A birth date (YYYYMMDD) or sex that is not known leaves what the object says."""

    name: str
    patient_id: str
    issuer: str = ""
    authority: Authority = Authority()
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A local import order: what of the study becomes its own (PS3.3 10.6)."""

    accession: str
    accession_authority: Authority = Authority()
    study_id: str = ""
    procedure_id: str = ""
    procedure: str = ""
    step_id: str = ""
    step: str = ""

    @property
    def request(self) -> _Texts:
        """Return the item of Request Attributes."""
        told = (
            (ACCESSION, "SH", self.accession),
            (_PROCEDURE, "LO", self.procedure[:64]),
            (_STEP_TEXT, "LO", self.step[:64]),
            (_STEP, "SH", self.step_id[:16]),
            (_PROCEDURE_ID, "SH", self.procedure_id[:16]),
        )
        return tuple(one for one in told if one[2])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an object is to become."""

    patient: LocalPatient
    order: Order | None = None


def reconcile(data_set: Buffer, ts: str, wanted: Wanted, source: str, at: datetime) -> tuple[bytes, str] | None:
    """Return a data set reconciled, and its transfer syntax; none where it says all that already.

    `source` is who gave it (0400,0564). `data_set` may end where its pixel data begin (see `front_length`): what is
    returned then goes before them. Raises `NotWritable` and what `reidentify` raises.
    """
    header = parse(data_set, ts)
    values, sequences = _values(header, wanted), _sequences(header, wanted)
    if not values and not sequences.there:
        return None
    values[COERCED_AT] = f"{at.astimezone(UTC):%Y%m%d%H%M%S.%f}+0000"
    change = Modification(at, SYSTEM, plain_ascii(source), "COERCE")
    made = reidentify(data_set, ts, values, change, sequences)
    _require_done(header, parse(*made), wanted)
    return made


def _require_done(before: Header, after: Header, wanted: Wanted) -> None:
    """Raise `NotWritable` unless an object says what it should and, beyond that, what it said: some are broken."""
    lacks = _values(after, wanted) or _sequences(after, wanted).there
    if lacks or digest_of(before, REPLACED) != digest_of(after, REPLACED):
        raise NotWritable("The object is broken: it cannot be written anew under the local patient.")


def front_length(header: Header) -> int | None:
    """Return how much of an object is enough to reconcile it, the rest staying; none where all of it is needed."""
    syntax = syntax_of(header.transfer_syntax.uid)
    can = header.bulk is not None and not syntax.deflated and syntax.little_endian and header.little_endian
    return header.bulk[1] if can and header.bulk else None


def _values(header: Header, wanted: Wanted) -> dict[int, str]:
    """Return the texts that become other ones, by tag."""
    patient, order = wanted.patient, wanted.order
    said = {NAME: patient.name, PATIENT_ID: patient.patient_id}
    if patient.issuer:
        said[ISSUER] = patient.issuer
    said |= {tag: text for tag, text in ((BIRTH_DATE, patient.birth_date), (SEX, patient.sex)) if text}
    if order is not None:
        said |= {ACCESSION: order.accession} | ({STUDY_ID: order.study_id} if order.study_id else {})
    elif header.text(ACCESSION):
        said[ACCESSION] = ""
    _require(said, patient)
    return {tag: text for tag, text in said.items() if header.text(tag) != text}


def _require(said: Mapping[int, str], patient: LocalPatient) -> None:
    if not patient.name or not patient.patient_id:
        raise NotWritable("A local patient has a name and an ID.")
    for tag, text in said.items():
        if "\\" in text or not text.isprintable() or len(text) > _LONGEST.get(tag, 64):
            raise NotWritable(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) cannot hold what the local patient or order says.")
    if patient.sex not in ("", "M", "F", "O"):
        raise NotWritable("Sex is M, F, O or not known.")
    if patient.birth_date and (len(patient.birth_date) != 8 or parse_date(patient.birth_date) is None):
        raise NotWritable("A birth date is written YYYYMMDD.")


@dataclass(frozen=True, slots=True)
class _Sequences:
    """The sequences that become other ones: `whole` by tag (nothing: taken out), `old` the ID that is added."""

    whole: Mapping[int, _Texts]
    old: _Texts

    @property
    def there(self) -> bool:
        return bool(self.whole or self.old)

    @property
    def texts(self) -> Sequence[str]:
        return [text for one in (*self.whole.values(), self.old) for _, _, text in one]

    def __call__(self, data_set: Buffer, rules: Rules, terms: tuple[str, ...]) -> Mapping[int, Edit]:
        made: dict[int, Edit] = {
            tag: NewElement(tag, b"SQ", item(b"".join(_elements(one, rules, terms)))) if one else None
            for tag, one in self.whole.items()
        }
        if self.old:
            parts = list(_elements(self.old, rules, terms))
            place = place_of(data_set, QUALIFIERS, rules)
            if place is not None:
                parts.append(bytes(memoryview(data_set)[place.start : place.end]))
            value = items_of(data_set, OTHER_IDS, rules) + item(b"".join(parts))
            made[OTHER_IDS] = NewElement(OTHER_IDS, b"SQ", value)
        return made


def _sequences(header: Header, wanted: Wanted) -> _Sequences:
    patient, order = wanted.patient, wanted.order
    moves = (header.text(PATIENT_ID), header.text(ISSUER)) != (patient.patient_id, patient.issuer)
    whole: dict[int, _Texts] = {}
    if moves or patient.authority.texts:
        whole[QUALIFIERS] = patient.authority.texts
    if moves and not patient.issuer:
        whole[ISSUER] = ()  # the old issuer did not issue the new ID
    if order is not None:
        whole |= {ACCESSION_ISSUER: order.accession_authority.texts, REQUEST: order.request}
    elif header.text(ACCESSION):
        whole[ACCESSION_ISSUER] = ()
    return _Sequences({tag: one for tag, one in whole.items() if not _says(header, tag, one)}, _old_id(header, patient))


def _old_id(header: Header, patient: LocalPatient) -> _Texts:
    """Return the item of Other Patient IDs for the ID that is replaced; nothing where it is there already."""
    old = (header.text(PATIENT_ID), header.text(ISSUER))
    known = [(one.text(PATIENT_ID), one.text(ISSUER)) for one in header.items(OTHER_IDS)]
    if not old[0] or old == (patient.patient_id, patient.issuer) or old in known:
        return ()
    told = ((PATIENT_ID, "LO", old[0]), (ISSUER, "LO", old[1]), (ID_TYPE, "CS", header.text(ID_TYPE) or "TEXT"))
    return tuple(one for one in told if one[2])


def _says(header: Header, tag: int, wanted: _Texts) -> bool:
    """Say whether a sequence holds one item of these texts and nothing else; nothing: whether it is not there."""
    if not wanted:
        return tag not in header
    found = header.items(tag)
    return len(found) == 1 and [(one, found[0].text(one)) for one in found[0]] == [
        (one, text) for one, _, text in wanted
    ]


def _elements(texts: _Texts, rules: Rules, terms: tuple[str, ...]) -> Iterator[bytes]:
    for tag, vr, text in texts:
        value = pad(encode(text, terms), vr)
        yield element_header(tag, vr.encode(), len(value), rules) + value
