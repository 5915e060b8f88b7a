"""What an organisation says of each kind of analysis: on or off, values of its parameters, who starts it, where to.

A kind that is switched on and is called by an AE title gets a source of that title, whose studies are kept for a day at
most: what came only to be analysed leaves by itself, whether or not results have reached anybody.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.analysis.errors import AnalysisOff, SettingInvalid
from radrelay.analysis.kinds import Kind, Limits, Value
from radrelay.analysis.models import AnalysisSetting
from radrelay.intake.callers import check_ae_title
from radrelay.intake.sources import SourceSpec, add_source, free_name, list_sources
from radrelay.storage.ids import new_id

DAY_S = 86_400
QUIET_S = 10
LEAST_MEMORY = 64 << 20
FIELDS = ("enabled", "parameters", "called_ae_titles", "destination_id", "memory_bytes", "cores")


@dataclass(frozen=True, slots=True)
class Switched:
    """A kind as an organisation has it."""

    kind: Kind
    enabled: bool
    parameters: dict[str, Value]
    called_ae_titles: tuple[str, ...]
    destination_id: uuid.UUID | None
    memory_bytes: int
    cores: int

    @property
    def limits(self) -> Limits:
        """The kind's limits as they count here."""
        own = self.kind.limits
        return Limits(self.memory_bytes, self.cores, own.seconds, own.output_bytes, own.at_once)


def switched(session: Session, organisation_id: uuid.UUID, kind: Kind) -> Switched:
    """Return how a kind stands in an organisation; without a word of it, off."""
    row = _row(session, organisation_id, kind)
    if row is None:
        titles: tuple[str, ...] = (kind.name.upper()[:16],) if kind.name == "perfusion" else ()
        return Switched(kind, False, kind.filled(), titles, None, kind.limits.memory_bytes, kind.limits.cores)
    given = json.loads(row.parameters)
    titles = tuple(one for one in row.called_ae_titles.split(",") if one)
    memory, cores = row.memory_bytes or kind.limits.memory_bytes, row.cores or kind.limits.cores
    return Switched(kind, row.enabled, kind.filled(given), titles, row.destination_id, memory, cores)


def require_on(session: Session, organisation_id: uuid.UUID, kind: Kind) -> Switched:
    """Return how a kind stands; raises `AnalysisOff` unless it is on."""
    found = switched(session, organisation_id, kind)
    if not found.enabled:
        raise AnalysisOff(f"the analysis {kind.name} is not switched on here", kind=kind.name)
    return found


def change(
    session: Session, organisation_id: uuid.UUID, kind: Kind, changes: Mapping[str, object], now: datetime,
    destinations: Sequence[uuid.UUID] = (),
) -> Switched:  # fmt: skip
    """Change what is said of a kind; raises `SettingInvalid`, `ParametersInvalid`. `destinations` are those there are.

    Whoever is called by a title needs a source of it, which is made once the kind is on.
    """
    row = _row(session, organisation_id, kind)
    if row is None:
        before = switched(session, organisation_id, kind)
        row = AnalysisSetting(
            id=new_id(), organisation_id=organisation_id, kind=kind.name, enabled=False, parameters="{}",
            called_ae_titles=",".join(before.called_ae_titles), changed_at=now,
        )  # fmt: skip
        session.add(row)
    for name, value in changes.items():
        setattr(row, name, _checked(kind, name, value, destinations))
    row.changed_at = now
    session.flush()
    found = switched(session, organisation_id, kind)
    if found.enabled:
        for title in found.called_ae_titles:
            _ensure_source(session, organisation_id, title, now)
    return found


def _row(session: Session, organisation_id: uuid.UUID, kind: Kind) -> AnalysisSetting | None:
    mine = (AnalysisSetting.organisation_id == organisation_id, AnalysisSetting.kind == kind.name)
    return session.scalar(sa.select(AnalysisSetting).where(*mine))


def _checked(kind: Kind, name: str, value: object, destinations: Sequence[uuid.UUID]) -> object:
    """Return the column of a setting; raises `SettingInvalid` naming it."""
    if name == "enabled" and isinstance(value, bool):
        return value
    if name == "parameters" and isinstance(value, Mapping):
        return json.dumps(kind.checked(value))
    if name == "called_ae_titles" and isinstance(value, list | tuple) and len(value) <= 16:
        return ",".join(dict.fromkeys(check_ae_title(str(one)) for one in value))
    if name == "destination_id" and (value is None or value in destinations):
        return value
    if name == "memory_bytes" and _whole(value, LEAST_MEMORY, 1 << 44):
        return value
    if name == "cores" and _whole(value, 1, 256):
        return value
    raise SettingInvalid(f"{name}: that is no setting of an analysis", field=name)


def _whole(value: object, least: int, most: int) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most)


def _ensure_source(session: Session, organisation_id: uuid.UUID, title: str, now: datetime) -> None:
    if any(one.kind == "dicom" and one.ae_title == title for one in list_sources(session, organisation_id)):
        return
    spec = SourceSpec(
        free_name(session, organisation_id, title), "dicom", ae_title=title, retention_s=DAY_S, max_age_s=DAY_S,
        quiet_s=QUIET_S,
    )  # fmt: skip
    add_source(session, organisation_id, spec, now)
