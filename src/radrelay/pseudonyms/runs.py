"""One run of de-identification over the objects of a study: aliases asked for once, what turns results back kept.

What is in a run's hands goes no further before `remember`: with that the vault can turn back what comes of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from radrelay.dicom.deidentify import (
    Alias,
    Change,
    Deidentified,
    Outcome,
    Project,
    Reason,
    Refused,
    StudyReport,
    Subject,
    deidentify,
    refusal_of,
    subject_of,
)
from radrelay.dicom.elements import Buffer, DataElements
from radrelay.dicom.errors import Malformed
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import inflate, transcode
from radrelay.errors import RadrelayError
from radrelay.pseudonyms import held
from radrelay.pseudonyms.vault import OF_PATIENT, OF_STUDY, StoredVault

WRITTEN_ANEW = frozenset((0x00080001, 0x00120062, 0x00120063, 0x00120064, 0x00280301, 0x00280302, 0x00280303))
STUDY, COLUMNS, ROWS = 0x0020000D, 0x00280011, 0x00280010


@dataclass(slots=True)
class Run:
    """De-identification of some objects by one project; `inward` says that the originals are not kept.

    `person` is whose all of them are, by issuer and patient ID as the index has them; none goes by each object.
    """

    project: Project = field(repr=False)
    vault: StoredVault
    inward: bool = False
    person: Subject | None = None
    report: StudyReport = field(default_factory=StudyReport)
    _aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    _studies: dict[tuple[str, str], uuid.UUID] = field(default_factory=dict)
    _known: dict[uuid.UUID, set[str]] = field(default_factory=dict)
    _waiting: dict[uuid.UUID, dict[str, str]] = field(default_factory=dict)

    def made(
        self, data_set: Buffer, ts: str, cover: tuple[held.Rectangle, ...] | None = None, *, defaced: bool = False
    ) -> Deidentified | Refused:
        """Return an object de-identified, or why not.

        `cover` is of one that a person looked at; `defaced` says that its face was taken out before.
        """
        header = header_of(data_set, ts)
        if header is None:
            return self._refused(Refused((Reason.UNREADABLE,)))
        project = replace(self.project, defaced=True) if defaced else self.project
        if cover is not None:
            columns, rows = ((header.integers(tag) or [0])[0] for tag in (COLUMNS, ROWS))
            project = held.passing(project, cover, columns, rows)
        subject = self.person if self.person is not None and self.person.patient_id else subject_of(header)
        if (subject.issuer, subject.patient_id) not in self._aliases:  # nobody gets one of whom nothing leaves
            refused = refusal_of(data_set, ts, project)
            if refused is not None:
                return self._refused(refused)
        made = deidentify(data_set, ts, project, self._alias(header, subject), subject)
        if isinstance(made, Refused):
            return self._refused(made)
        self.report.add(made.report)
        self._count_kept(made, header)
        self._note(made, header)
        return made

    def remember(self) -> None:
        """Put what turns results back into the vault, before anything leaves."""
        for row, uids in self._waiting.items():
            self.vault.keep_uids(row, uids)
        self._waiting.clear()

    def _count_kept(self, made: Deidentified, header: DataElements) -> None:
        """Count what stayed as it was; groups and marks that are written anew are none of it."""
        changed = {change.path[0] for change in made.report.changes} | WRITTEN_ANEW
        kept = (tag for tag in header.places if tag not in changed and tag & 0xFFFF and not tag >> 16 & 1)
        self.report.changes.update(Change((tag,), Outcome.KEPT) for tag in kept)

    def _refused(self, made: Refused) -> Refused:
        self.report.refuse(made.reasons)
        return made

    def _alias(self, header: DataElements, subject: Subject) -> Alias:
        key = (subject.issuer, subject.patient_id)
        if key not in self._aliases:
            values = texts_of(header, OF_PATIENT)
            self._aliases[key] = self.vault.alias_of(self.project.name, subject, values)
        return self._aliases[key]

    def _note(self, made: Deidentified, header: DataElements) -> None:
        original = (header.texts(STUDY) or [""])[0]
        key = (made.alias.patient_id, original)
        if key not in self._studies:
            new = made.uids.get(original, original)
            values = texts_of(header, OF_STUDY)
            row = self.vault.hand_out(self.project.name, made.alias, (original, new), values, inward=self.inward)
            self._studies[key] = row
            self._known[row] = set(self.vault.known_uids(row))
        row = self._studies[key]
        fresh = {old: new for old, new in made.uids.items() if old not in self._known[row]}
        self._known[row].update(fresh)
        self._waiting.setdefault(row, {}).update(fresh)


def header_of(data_set: Buffer, ts: str) -> DataElements | None:
    """Return a data set's elements, none if it cannot be followed."""
    try:
        syntax = syntax_of(ts)
        if syntax.deflated:
            data_set = inflate(data_set)
        elif not syntax.little_endian:
            data_set, syntax = transcode(data_set, ts, EXPLICIT_LE), syntax_of(EXPLICIT_LE)
        return DataElements.of(data_set, syntax)
    except (Malformed, RadrelayError, UnicodeError):
        return None


def texts_of(header: DataElements, tags: Iterable[int]) -> dict[int, str]:
    """Return the first values of some attributes, decoded: they are shown, and written into objects of other sets."""
    return {tag: (header.decoded(tag) or [""])[0] for tag in tags}
