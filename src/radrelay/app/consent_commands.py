"""`radrelay consent …`: the register of consents to transfers at the command line, on record as the page's is."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table

from radrelay import audit
from radrelay.app.audit_commands import moment_given
from radrelay.app.commands import WIDE, command_principal, opened
from radrelay.app.plain import cells, plain
from radrelay.errors import NotFound
from radrelay.intake.quarantine import Quarantine
from radrelay.privacy import erasure, transfers, withdrawing
from radrelay.privacy.transfers import Capacity, ShownBy, TransferDraft, TransferView
from radrelay.privacy.withdrawing import Hands
from radrelay.settings import Settings


@dataclass(frozen=True, slots=True)
class Agreed:
    """A consent as it was typed: for all that one source has brought of one patient's studies."""

    patient: str
    issuer: str
    source: str
    giver: str
    capacity: Capacity
    shown_by: ShownBy
    text_version: str
    note: str
    given: str


def list_command(settings: Settings) -> int:
    """Print the register: consents that stand, then those that were withdrawn."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        audit.record(session, audit.AuditRecord("consent.list", command_principal(prepared)))
        found = transfers.transfers(session, prepared.organisation_id)
    table = Table(Column("id", no_wrap=True, min_width=36), "patient", "given by", "text", "given", "studies", "state")
    for one in found:
        who = f"{one.patient_id} {one.patient_issuer}".strip()
        still = sum(study.state != "gone" for study in one.studies)
        table.add_row(
            str(one.id), *cells(who, f"{one.giver} ({one.capacity})", one.text_version), f"{one.given_at:%Y-%m-%d}",
            f"{still} of {len(one.studies)}", _state(one),
        )  # fmt: skip
    Console(width=max(WIDE, Console().width)).print(table)
    return 0


def add_command(settings: Settings, agreed: Agreed) -> int:
    """Enter a consent for what a source has brought of a patient, and print its id."""
    given = moment_given("given", agreed.given)
    with opened(settings) as (core, prepared):
        who, now = command_principal(prepared), core.clock.now()
        with core.database.write() as session:
            brought = [
                (one.study_id, one.source_id)
                for one in transfers.brought(session, prepared.organisation_id, agreed.patient)
                if one.patient_issuer == agreed.issuer and one.source_name == agreed.source
            ]
            if not brought:
                raise NotFound(f"nothing of this patient was brought by a source {agreed.source!r}")
            draft = TransferDraft(
                agreed.issuer, agreed.patient, agreed.giver, agreed.capacity, agreed.shown_by, agreed.text_version,
                agreed.note, given or now, brought,
            )  # fmt: skip
            made = transfers.enter(session, prepared.organisation_id, draft, by=who.name, now=now)
            detail = {"shown_by": made.shown_by, "studies": len(made.studies)}
            event = audit.AuditRecord("consent.enter", who, "consent", made.id, detail, patient=_patient(made))
            audit.record(session, event)
    print(f"{made.id}  studies {len(made.studies)}")  # noqa: T201 -- the answer of a command
    return 0


def withdraw_command(settings: Settings, named: str, how: str, *, sure: bool) -> int:
    """Withdraw a consent: what came by it is deleted at once, but for what a hold keeps. Not `sure`: say what would."""
    with opened(settings) as (core, prepared):
        who = command_principal(prepared)
        if not sure:
            with core.database.read() as session:
                _print_covered(transfers.transfer_of(session, prepared.organisation_id, _id(named)))
            return 1

        def note(
            action: str, study_id: uuid.UUID, patient: tuple[str, str, str], detail: dict[str, object]
        ) -> audit.AuditRecord:
            return audit.AuditRecord(action, who, "study", study_id, detail=detail, patient=patient)

        hands = Hands(who.name, note, Quarantine(core.database, core.segments, core.clock).delete)
        with core.database.write() as session:
            one = transfers.transfer_of(session, prepared.organisation_id, _id(named))
            made = withdrawing.withdraw(
                session, prepared.organisation_id, one.id, hands, how=how, revision=one.revision, now=core.clock.now()
            )
            proof = erasure.decoded(made.proof)
            erased, kept = (0, 0) if proof is None else (len(proof.studies), len(proof.kept))
            detail = {"studies": erased, "kept": kept}
            event = audit.AuditRecord("consent.withdraw", who, "consent", made.id, detail, patient=_patient(made))
            audit.record(session, event)
    print(f"withdrawn; studies erased {erased}, held {kept}")  # noqa: T201
    return 0


def _print_covered(one: TransferView) -> None:
    for study in one.studies:
        others = f"; stays with {', '.join(study.others)}" if study.others else ""
        print(plain(f"{study.study_uid}  {study.source_name}: {study.state}{others}"))  # noqa: T201
    print("nothing is deleted yet: say --yes to withdraw the consent")  # noqa: T201


def _patient(one: TransferView) -> tuple[str, str, str]:
    return (one.patient_issuer, one.patient_id, "")


def _id(named: str) -> uuid.UUID:
    try:
        return uuid.UUID(named)
    except ValueError as error:
        raise NotFound(f"{named!r} is no consent's id; `radrelay consent list` has them") from error


def _state(one: TransferView) -> str:
    return "stands" if one.withdrawn_at is None else f"withdrawn {one.withdrawn_at:%Y-%m-%d}"
