"""One object de-identified by PS3.15 E: screened, its text regions covered, written anew, searched for what is left.

In: a data set without file meta information, its transfer syntax, a project, and the alias if the patient has one.
Out: `Deidentified`, whose pieces are the new data set, or `Refused` with the reasons, for a quarantine: what cannot be
made safe never passes. Pixels are neither decoded nor copied unless a region is covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from radrelay.dicom.characters import character_set, encode
from radrelay.dicom.deidentify.covering import cover
from radrelay.dicom.deidentify.keyed import Subject, derived_alias, new_uid, shift_days
from radrelay.dicom.deidentify.notes import without_notes
from radrelay.dicom.deidentify.options import Device, Option, Project
from radrelay.dicom.deidentify.plan import BURNED_IN, Plan, plan_of
from radrelay.dicom.deidentify.profile_table import EDITION
from radrelay.dicom.deidentify.regions import template_of
from radrelay.dicom.deidentify.report import Change, Outcome, Reason, Report, Warned
from radrelay.dicom.deidentify.rewriting import Choices, Level, Rewriting, top_level
from radrelay.dicom.deidentify.screening import reasons, warnings
from radrelay.dicom.elements import PIXEL_DATA, PIXEL_TAGS, Buffer, DataElements
from radrelay.dicom.encapsulated import EXTENDED_TABLES
from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.rewrite import Rules, element_header
from radrelay.dicom.syntaxes import EXPLICIT_LE, Syntax, syntax_of
from radrelay.dicom.transcode import deflate, inflate, transcode
from radrelay.dicom.writing import pad
from radrelay.errors import Invalid, TooLarge

BULK = 0x7FE00000
METHOD = f"Radrelay, PS3.15 {EDITION}"
_MAKERS = (0x00080070, 0x00081090)
_ITEM = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True, slots=True)
class Alias:
    """Who the patient is in the results: what takes the place of ID and name."""

    patient_id: str
    patient_name: str = ""


@dataclass(frozen=True, slots=True)
class Deidentified:
    """An object made safe.

    Attributes
    ----------
    pieces
        The data set in order, to be written one after the other; pixel data is a view of the source's bytes.
    ts, sop_class, sop_uid
        Its transfer syntax and who it is now.
    report
        What was done, without any former value.
    uids
        New UIDs by original ones: only a vault may keep them, since with them results are turned back.
    days
        By how many days dates moved, none where they did not.
    alias
        What the patient is called now.
    """

    pieces: tuple[Buffer, ...]
    ts: str
    sop_class: str
    sop_uid: str
    report: Report
    uids: Mapping[str, str]
    days: int | None
    alias: Alias

    @property
    def data_set(self) -> bytes:
        """Return the data set in one piece."""
        return b"".join(self.pieces)

    @property
    def file(self) -> bytes:
        """Return a DICOM file: a new preamble and new file meta information (PS3.15 E.1.1)."""
        return b"".join((file_meta(self.sop_class, self.sop_uid, self.ts), *self.pieces))


@dataclass(frozen=True, slots=True)
class Refused:
    """An object that cannot be made safe."""

    reasons: tuple[Reason, ...]


def deidentify(
    data_set: Buffer, ts: str, project: Project, alias: Alias | None = None, subject: Subject | None = None
) -> Deidentified | Refused:
    """Return an object without what identifies a person, or why that cannot be done.

    Without an alias the patient gets one that follows from the project's key: two patients are never one. `subject` is
    whose it is where something else than the object itself knows that better.
    """
    try:
        opened = _opened(data_set, ts, project)
        if isinstance(opened, Refused):
            return opened
        plain, ts, syntax, header, device = opened
        noticed = warnings(header)
        if device is not None:
            covered = cover(plain, EXPLICIT_LE if syntax.deflated else ts, device.cover)
            if covered.ts != ts and not syntax.deflated:
                ts, syntax = covered.ts, syntax_of(covered.ts)
                noticed.add(Warned.REENCODED)
            plain = covered.data_set
            header = DataElements.of(plain, syntax)
        result = _Object(plain, ts, syntax, header, project, alias, subject).made(noticed)
    except (Malformed, Invalid, TooLarge, UnicodeError):
        return Refused((Reason.UNREADABLE,))
    if project.defaced and isinstance(result, Deidentified):
        result.report.changes[Change((PIXEL_DATA,), Outcome.FACE_REMOVED)] += 1
    if device is not None and isinstance(result, Deidentified):
        result.report.changes[Change((PIXEL_DATA,), Outcome.PIXELS_COVERED)] += 1
        report = Report(result.report.changes, result.report.warnings, device.cover, device.name)
        return _with_report(result, report)
    return result


def refusal_of(data_set: Buffer, ts: str, project: Project) -> Refused | None:
    """Return why an object is refused before anything of it is changed, none where that is still open."""
    try:
        opened = _opened(data_set, ts, project)
    except (Malformed, Invalid, TooLarge, UnicodeError):
        return Refused((Reason.UNREADABLE,))
    return opened if isinstance(opened, Refused) else None


def _opened(
    data_set: Buffer, ts: str, project: Project
) -> Refused | tuple[Buffer, str, Syntax, DataElements, Device | None]:
    """Return a data set in little endian with its header and the template that covers its text, or why not."""
    plain, ts, syntax = _little_endian(data_set, ts, syntax_of(ts))
    header = DataElements.of(plain, syntax)
    if not header.little_endian or not header.texts(0x00080016) or not header.texts(0x00080018):
        return Refused((Reason.UNREADABLE,))
    if not _whole(plain, header):
        return Refused((Reason.CUT_OFF,))
    device = template_of(header, project) if Option.CLEAN_PIXELS in project.options else None
    found = reasons(header, project, covered=device is not None)
    return Refused(tuple(found)) if found else (plain, ts, syntax, header, device)


def _with_report(made: Deidentified, report: Report) -> Deidentified:
    return Deidentified(made.pieces, made.ts, made.sop_class, made.sop_uid, report, made.uids, made.days, made.alias)


def _little_endian(data_set: Buffer, ts: str, syntax: Syntax) -> tuple[Buffer, str, Syntax]:
    """Return the data set inflated and little endian."""
    if syntax.deflated:
        return inflate(data_set), ts, syntax
    if not syntax.little_endian:
        return transcode(data_set, ts, EXPLICIT_LE), EXPLICIT_LE, syntax_of(EXPLICIT_LE)
    return data_set, ts, syntax


def _whole(plain: Buffer, header: DataElements) -> bool:
    """Return whether the data set ends where its last element ends; what stands behind is no one's to vouch for."""
    if not header.places:
        return False
    last = max(header.places.values(), key=lambda place: place.end)
    rest = bytes(plain[last.end :])
    if rest.strip(b"\0"):
        return False
    if last.undefined:
        return bytes(plain[last.end - 8 : last.end - 4]) == b"\xfe\xff\xdd\xe0"
    size = 2 if last.value - last.start == 8 and header.explicit and last.vr else 4
    declared = int.from_bytes(plain[last.value - size : last.value], "little")
    return declared == last.length


class _Object:
    """One object on its way."""

    def __init__(
        self, plain: Buffer, ts: str, syntax: Syntax, header: DataElements, project: Project, alias: Alias | None,
        subject: Subject | None,
    ) -> None:  # fmt: skip
        self.view = memoryview(plain)
        self.ts, self.syntax = ts, syntax
        self.header = header
        self.project = project
        self.sop_class = (header.texts(0x00080016) or [""])[0]
        subject = subject or subject_of(header)
        self.alias = alias or Alias(derived_alias(project, subject))
        modified = Option.MODIFIED_DATES in project.options
        self.days = shift_days(project, subject) if modified else None
        caps = project.age_limit is not None and Option.PATIENT in project.options
        self.plan: Plan = plan_of(project.options, self.sop_class, project.keep_documents, caps)
        self.choices = Choices(
            new_uid=self._new_uid,
            days=self.days,
            own_words=project.allowed_words,
            keeps_patient=Option.PATIENT in project.options,
            age_limit=project.age_limit,
        )

    def _new_uid(self, original: str) -> str:
        return new_uid(self.project, original)

    def made(self, noticed: set[Warned]) -> Deidentified | Refused:
        """Return the result: written once, and once more if what it lost stands elsewhere in it."""
        run = Rewriting(self.view, self.plan, self.choices, self.header)
        head, bulk = self._written(run)
        maker = " ".join(text for tag in _MAKERS for text in self.header.decoded(tag))
        lowered = head.lower()
        needles = run.identity.needles(self._terms(), maker).narrowed(lowered)
        if needles.encoded or any(uid.encode("latin-1", "replace") in lowered for uid in run.identity.uids):
            again = Rewriting(self.view, self.plan, self.choices, self.header, needles, run.identity)
            head, bulk = self._written(again)
            run = again
        if run.document_tells:
            return Refused((Reason.DOCUMENT,))
        pieces: tuple[Buffer, ...] = (head, *bulk)
        if self.syntax.deflated:
            pieces = (deflate(b"".join(pieces)),)
        original = (self.header.texts(0x00080018) or [""])[0]
        sop_uid = run.uids.get(original, original)
        report = Report(run.changes, frozenset(noticed))
        uids = {old: new for old, new in run.uids.items() if old != new}
        return Deidentified(pieces, self.ts, self.sop_class, sop_uid, report, uids, self.days, self.alias)

    def _terms(self) -> tuple[str, ...]:
        return character_set(self.header.raw(0x00080005)).terms

    def _written(self, run: Rewriting) -> tuple[bytes, list[Buffer]]:
        level = top_level(self.header, self.view, keeps_safe_private=Option.SAFE_PRIVATE in self.project.options)
        places = sorted(self.header.places.values(), key=lambda place: place.tag)
        head = list(takewhile(lambda place: place.tag < BULK, places))
        written = b"".join(run.elements(head, level, self._added(level)))
        needles, run.needles = run.needles, None  # pixels are looked at by a person, or covered
        rest = places[len(head) :]
        notes = (
            without_notes(self.view, pixels, self.syntax) if (pixels := self.header.places.get(PIXEL_DATA)) else None
        )
        if notes is None or pixels is None:
            bulk = run.elements(rest, level)
        else:
            others = [place for place in rest if place.tag not in (PIXEL_DATA, *EXTENDED_TABLES)]
            begin: bytes = bytes(self.view[pixels.start : pixels.value])
            bulk = run.elements(others, level, [(PIXEL_DATA, b"".join((begin, *notes)))])
            run.changes[Change((PIXEL_DATA,), Outcome.NOTES_REMOVED)] += 1
        run.needles = needles
        return written, bulk

    def _added(self, level: Level) -> list[tuple[int, bytes]]:
        """Return what says that the object is de-identified and how (PS3.15 E.1.1, E.2), and the alias."""
        options, rules = self.project.options, level.rules
        terms = self._terms() or ("ISO_IR 6",)
        name = self.alias.patient_name or self.alias.patient_id
        dates = "UNMODIFIED" if Option.FULL_DATES in options else "REMOVED"
        texts = {
            0x00100010: (b"PN", encode(name, terms)),
            0x00100020: (b"LO", encode(self.alias.patient_id, terms)),
            0x00120062: (b"CS", b"YES"),
            0x00120063: (b"LO", encode("\\".join((METHOD, self.project.name[:64])), terms)),
            0x00280303: (b"CS", b"MODIFIED" if Option.MODIFIED_DATES in options else dates.encode()),
        }
        if Option.CLEAN_PIXELS in options and any(tag in self.header for tag in PIXEL_TAGS):
            texts[BURNED_IN] = (b"CS", b"NO")
        found = {tag: _element(tag, vr, value, rules) for tag, (vr, value) in texts.items()}
        earlier = [(item.texts(0x00080100) or [""])[0] for item in self.header.items(0x00120064)]
        items = b"".join(
            _item(
                _element(0x00080100, b"SH", code.encode(), rules)
                + _element(0x00080102, b"SH", b"DCM", rules)
                + _element(0x00080104, b"LO", meaning.encode(), rules)
            )
            for code, meaning in self.project.method_codes(earlier).items()
        )
        found[0x00120064] = _element(0x00120064, b"SQ", items, rules)
        return sorted(found.items())


def subject_of(header: DataElements) -> Subject:
    """Return whose object it is; without a patient ID by name and birth date, without these by study."""
    issuer, patient_id = ((header.decoded(tag) or [""])[0] for tag in (0x00100021, 0x00100020))
    if patient_id:
        return Subject(issuer, patient_id)
    name, born = ((header.decoded(tag) or [""])[0] for tag in (0x00100010, 0x00100030))
    study = (header.texts(0x0020000D) or [""])[0]
    return Subject("name", f"{name}\n{born}") if name.strip("^ ") else Subject("study", study)


def _element(tag: int, vr: bytes, value: bytes, rules: Rules) -> bytes:
    padded = pad(value, vr.decode())
    return element_header(tag, vr, len(padded), rules) + padded


def _item(content: bytes) -> bytes:
    return _ITEM + len(content).to_bytes(4, "little") + content
