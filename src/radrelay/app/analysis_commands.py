"""The commands of analyses: listed, switched, started, cancelled and looked up without the pages."""

from __future__ import annotations

import json
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.analysis import service, switching
from radrelay.analysis.errors import AnalysisRunNotFound
from radrelay.analysis.kinds import Kinds
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.service import Asked
from radrelay.app.commands import command_principal, opened
from radrelay.app.prepare import Prepared
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.models import Study
from radrelay.errors import Misconfigured
from radrelay.settings import Settings


def list_command(settings: Settings) -> int:
    """Print the analyses, one a line."""
    kinds = Kinds(settings.analysis, settings.mail.language)
    with opened(settings) as (core, prepared), core.database.read() as session:
        counted = service.counts(session, prepared.organisation_id)
        for kind in kinds:
            here = switching.switched(session, prepared.organisation_id, kind)
            waiting, running = counted.get((kind.name, "waiting"), 0), counted.get((kind.name, "running"), 0)
            titles = f"  called {','.join(here.called_ae_titles)}" if here.called_ae_titles else ""
            state = "on" if here.enabled else "off"
            print(f"{kind.name}  {kind.version}  {state}{titles}  {waiting} waiting, {running} running")  # noqa: T201
    return 0


def switch_command(settings: Settings, name: str, *, enabled: bool) -> int:
    """Switch an analysis on or off."""
    kind = Kinds(settings.analysis, settings.mail.language).get(name)
    with opened(settings) as (core, prepared), core.database.write() as session:
        switching.change(session, prepared.organisation_id, kind, {"enabled": enabled}, core.clock.now())
        detail: dict[str, object] = {"kind": name, "enabled": enabled, "fields": ["enabled"]}
        who = command_principal(prepared)
        audit.record(session, audit.AuditRecord("analysis.set", who, "analysis", name, detail))
    return 0


def run_command(settings: Settings, name: str, study_uid: str, parameters: str) -> int:
    """Ask for a run on a study; the role `work` carries it out. Prints its id."""
    kind = Kinds(settings.analysis, settings.mail.language).get(name)
    values = _values(parameters)
    with opened(settings) as (core, prepared), core.database.write() as session:
        study = _study(session, prepared, study_uid)
        who = command_principal(prepared)
        asked = Asked(prepared.organisation_id, study.id, "command", who.name, values)
        row = service.request_run(session, core.clock.now(), kind, asked)
        _record(session, prepared, "analysis.start", row, study)
        print(row.id)  # noqa: T201
    return 0


def runs_command(settings: Settings, state: str) -> int:
    """Print runs, newest first, one a line."""
    with opened(settings) as (core, prepared), core.database.read() as session:
        for row in service.list_runs(session, prepared.organisation_id, state=state):
            how = f"  {row.step} {row.share:.0%}" if row.state == "running" else ""
            why = f"  {row.error_code}: {row.error}" if row.error_code else ""
            print(f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {row.kind} {row.version}  {row.state}{how}{why}")  # noqa: T201
    return 0


def cancel_command(settings: Settings, run_id: str) -> int:
    """Stop a run."""
    with opened(settings) as (core, prepared), core.database.write() as session:
        row = service.cancel_run(session, prepared.organisation_id, _id(run_id), core.clock.now())
        _record(session, prepared, "analysis.cancel", row, session.get(Study, row.study_id))
    return 0


def _values(parameters: str) -> dict[str, object]:
    try:
        values = json.loads(parameters or "{}")
    except ValueError as error:
        raise Misconfigured(f"--parameters: {error}") from error
    if not isinstance(values, dict):
        raise Misconfigured("--parameters: names and values")
    return values


def _id(run_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(run_id)
    except ValueError as error:
        raise AnalysisRunNotFound from error


def _study(session: Session, prepared: Prepared, study_uid: str) -> Study:
    mine = (Study.organisation_id == prepared.organisation_id, Study.study_uid == study_uid)
    found = session.scalar(sa.select(Study).where(*mine))
    if found is None:
        raise StudyNotFound
    return found


def _record(session: Session, prepared: Prepared, action: str, row: AnalysisRun, study: Study | None) -> None:
    detail: dict[str, object] = {"kind": row.kind, "version": row.version, "run": row.id}
    patient = None if study is None else (study.patient_issuer, study.patient_id_value, study.patient_name)
    who = command_principal(prepared)
    audit.record(session, audit.AuditRecord(action, who, "study", row.study_id, detail, patient))
