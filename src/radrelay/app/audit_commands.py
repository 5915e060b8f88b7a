"""`radrelay audit …`: proves the record, searches it, writes files of it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console

from radrelay import audit
from radrelay.app.commands import command_principal, open_command
from radrelay.app.core import Core
from radrelay.app.plain import plain
from radrelay.audit.disclosures import COLUMNS, seen_by
from radrelay.audit.export import ENTRY_COLUMNS, Flat, Form, flat_entry, written
from radrelay.audit.proofs import note_heads
from radrelay.errors import Invalid
from radrelay.mail import filled
from radrelay.privacy.accounting import account_of, people_under
from radrelay.privacy.requests import SeveralPeople
from radrelay.settings import Settings


@dataclass(frozen=True, slots=True)
class Sought:
    """What a command looks for, as it was typed; empty does not restrict."""

    since: str = ""
    until: str = ""
    action: str = ""
    person: str = ""
    patient: str = ""
    issuer: str | None = None
    study: str = ""
    outcome: str = ""
    limit: int = 50

    def query(self) -> audit.AuditQuery:
        """Return the query; raises `Invalid` for a time that is none."""
        return audit.AuditQuery(
            since=moment_given("since", self.since),
            until=moment_given("until", self.until),
            action=self.action,
            actor=self.person,
            outcome=self.outcome,
            patient=(self.issuer, self.patient) if self.patient else None,
            study=study_of(self.study) if self.study else None,
            limit=self.limit,
        )


def verify_command(settings: Settings) -> int:
    """Prove every chain, say what does not hold and where, and return 1 if anything does not."""
    core, prepared = open_command(settings)
    console = Console(soft_wrap=True)
    try:
        key = core.keyring.metadata_key
        report = audit.prove(core.database, core.clock, key, settings.data_dir)
        with core.database.write() as session:
            detail = {"events": report.events, "faults": report.faults}
            principal = command_principal(prepared)
            audit.record(session, audit.AuditRecord("audit.proof", principal, detail=detail))
        for broken in report.broken:
            console.print(f"{broken.writer} at {broken.sequence}: {broken.fault}", markup=False)
        counted = f"{report.events} events in {report.writers} chains, {report.roots} signed roots"
        if not report.intact:
            console.print(filled("BROKEN in {n|place|places}; ", n=report.faults) + counted)
            return 1
        note_heads(core.database, core.clock, key, settings.data_dir)
        console.print(f"whole: {counted}")
        return 0
    finally:
        core.close()


def search_command(settings: Settings, sought: Sought) -> int:
    """Print the newest events that match."""
    query = sought.query()
    core, prepared = open_command(settings)
    try:
        record = audit.AuditRecord("audit.view", command_principal(prepared))
        _note(core, prepared.organisation_id, record, sought)
        with core.database.read() as session:
            page = audit.search(session, prepared.organisation_id, query)
        for entry in page.entries:
            print(_line(entry))  # noqa: T201 -- what was asked for
        if page.more:
            print("there are more; narrow the search, or use `radrelay audit export`", file=sys.stderr)  # noqa: T201
        return 0
    finally:
        core.close()


def export_command(settings: Settings, sought: Sought, form: Form) -> int:
    """Write all events that match to standard output."""
    query = sought.query()
    core, prepared = open_command(settings)
    try:
        record = audit.AuditRecord("audit.export", command_principal(prepared), detail={"form": form})
        _note(core, prepared.organisation_id, record, sought)
        found = audit.every(core.database, prepared.organisation_id, query)
        write_rows(map(flat_entry, found), form, ENTRY_COLUMNS)
        return 0
    finally:
        core.close()


def seen_command(settings: Settings, study: str, form: Form) -> int:
    """Write who has seen a study, or taken it away."""
    core, prepared = open_command(settings)
    try:
        record = audit.AuditRecord("audit.seen", command_principal(prepared), detail={"form": form})
        _note(core, prepared.organisation_id, record, Sought(study=study))
        found = seen_by(core.database, prepared.organisation_id, study_of(study))
        write_rows(map(flat_entry, found), form, ENTRY_COLUMNS)
        return 0
    finally:
        core.close()


def disclosures_command(
    settings: Settings, patient_id: str, issuer: str | None, form: Form, study_uid: str | None = None
) -> int:  # fmt: skip
    """Write to whom a patient's data went in the last six years; several people who have the ID are told apart."""
    core, prepared = open_command(settings)
    try:
        record = audit.AuditRecord("audit.disclosures", command_principal(prepared), detail={"form": form})
        _note(core, prepared.organisation_id, record, Sought(patient=patient_id, issuer=issuer))
        now, organisation_id = core.clock.now(), prepared.organisation_id
        if study_uid is None:
            _require_one(core, organisation_id, issuer, patient_id)
        found = account_of(core.database, organisation_id, issuer, patient_id, now, study_uid)
        write_rows((one.row() for one in found), form, COLUMNS)
        return 0
    finally:
        core.close()


def _require_one(core: Core, organisation_id: uuid.UUID, issuer: str | None, patient_id: str) -> None:
    """Raise `SeveralPeople` that says who they are."""
    with core.database.read() as session:
        people = people_under(session, organisation_id, issuer, patient_id)
    if len(people) > 1:
        told = "; ".join(
            f"{one.patient_name or '(no name)'}, born {one.birth_date or '?'}, issuer {one.issuer or '(none)'}: "
            f"--issuer '{one.issuer}' --study {next(iter(one.study_uids), '')}"
            for one in people
        )
        raise SeveralPeople(f"{len(people)} people have this patient ID. {told}", people=len(people))


def study_of(given: str) -> uuid.UUID | str:
    """Return a study as it is looked for: by its row or by its Study Instance UID."""
    try:
        return uuid.UUID(given)
    except ValueError:
        return given


def _note(core: Core, organisation_id: uuid.UUID, record: audit.AuditRecord, about: Sought | None = None) -> None:
    """Put on record that somebody looks, and after whom, before anything is shown."""
    with core.database.write() as session:
        detail, patient = dict(record.detail), None
        if about is not None and about.patient:
            patient = audit.known_patient(session, organisation_id, about.issuer, about.patient)
        if about is not None and about.study:
            known = audit.known_study(session, organisation_id, study_of(about.study))
            detail |= {} if known is None else {"study": known}
        audit.record(session, audit.AuditRecord(record.action, record.principal, detail=detail, patient=patient))


def _line(entry: audit.AuditEntry) -> str:
    patient = "" if entry.patient is None else f"{entry.patient.patient_id} {entry.patient.name}"
    subject = entry.study.study_uid if entry.study else f"{entry.subject_kind} {entry.subject_id}".strip()
    when = f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    parts = (when, entry.action, entry.outcome, entry.actor_name, entry.peer, patient, subject)
    text = "  ".join(part for part in parts if part)
    return plain(text)


def write_rows(rows: Iterable[Flat], form: Form, columns: Iterable[str]) -> None:
    """Write rows as a file to standard output."""
    for piece in written(rows, form, columns):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def moment_given(name: str, given: str) -> datetime | None:
    """Return the moment that an option gives, UTC where it names no zone; none for none. Raises `Invalid`."""
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise Invalid(f"--{name} is a date or a time such as 2026-03-01 or 2026-03-01T12:00+01:00") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
