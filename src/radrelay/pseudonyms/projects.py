"""Projects: how patients are called and de-identified for one purpose, set up by a person, changed with care.

A project's key never changes and never leaves the vault: UIDs, date shifts and the letters of aliases follow from it.
What would give a patient who has an alias another date shift, or other UIDs, can be changed only before the first.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Source
from radrelay.dicom.deidentify import AliasNotWritable, Option, Project, read_devices, read_pattern
from radrelay.dicom.deidentify.options import KEY_BYTES
from radrelay.errors import Invalid
from radrelay.pseudonyms.errors import (
    AliasesNotAscii,
    ProjectDisabled,
    ProjectExists,
    ProjectFull,
    ProjectInUse,
    ProjectInvalid,
    ProjectUnknown,
)
from radrelay.pseudonyms.forgetting import AT_ONCE, forget_aliases
from radrelay.pseudonyms.models import (
    PseudonymAlias,
    PseudonymHandout,
    PseudonymHeld,
    PseudonymProject,
)
from radrelay.pseudonyms.sealing import VaultSeal
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_gone

KEEP_DAYS = (1, 36_500)
_FORBIDDEN = frozenset("\\^=*?")


class Settings(msgspec.Struct, frozen=True):
    """What a person sets of a project's de-identification; see `dicom.deidentify.Project`."""

    options: tuple[Option, ...] = ()
    shift_days: tuple[int, int] = (30, 1095)
    age_limit: int | None = 89
    allowed_words: tuple[str, ...] = ()
    devices: str = ""
    """Region templates of the site, as TOML."""
    trust_unmarked: tuple[str, ...] = ()
    hold_faces: bool = False
    deface: bool = False


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """A project as it shall be."""

    name: str
    pattern: str
    settings: Settings = field(default_factory=Settings)
    keep_days: int = 365
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project as it is; `aliases` counts its patients."""

    id: uuid.UUID
    name: str
    pattern: str
    settings: Settings
    keep_days: int
    enabled: bool
    revision: int
    created_at: datetime
    aliases: int


def add_project(
    session: Session, seal: VaultSeal, organisation_id: uuid.UUID, spec: ProjectSpec, now: datetime
) -> ProjectView:
    """Add a project with a key of its own; raises `ProjectInvalid`, `ProjectExists`."""
    key = secrets.token_bytes(KEY_BYTES)
    checked = _checked(session, organisation_id, spec, key, None)
    row_id = new_id()
    row = PseudonymProject(
        id=row_id, organisation_id=organisation_id, sealed=seal.close(row_id, key), next_number=1, revision=1,
        created_at=now, **_columns(checked),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _view(row, 0)


def change_project(
    session: Session, seal: VaultSeal, organisation_id: uuid.UUID, project_id: uuid.UUID, spec: ProjectSpec
) -> ProjectView:
    """Change a project; raises `ProjectUnknown`, `ProjectInvalid`, `ProjectExists`."""
    row = project_row(session, organisation_id, project_id)
    key = seal.open(row.id, row.sealed)
    checked = _checked(session, organisation_id, spec, key, row.id)
    used = _aliases(session, [row.id]).get(row.id, 0)
    ties = _ties(row.name, row.pattern, settings_of(row))
    if used and _ties(checked.name, checked.pattern, checked.settings) != ties:
        raise ProjectInvalid(
            "Pattern, kept UIDs and dates stay as they are once a patient has an alias: results would not find back.",
            field="settings",
        )
    for name, value in _columns(checked).items():
        setattr(row, name, value)
    row.revision += 1
    session.flush()
    return _view(row, used)


def delete_project(session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID) -> int:
    """Delete a project, its aliases and its key: nothing can be turned back any more. Returns how many aliases."""
    row = project_row(session, organisation_id, project_id)
    if session.scalar(sa.select(Source.id).where(Source.project_id == row.id).limit(1)) is not None:
        raise ProjectInUse(name=row.name)
    ids = session.scalars(sa.select(PseudonymAlias.id).where(PseudonymAlias.project_id == row.id)).all()
    for begin in range(0, len(ids), AT_ONCE):
        forget_aliases(session, organisation_id, ids[begin : begin + AT_ONCE])
    for model in (PseudonymHandout, PseudonymHeld):
        session.execute(sa.delete(model).where(model.project_id == row.id))
    session.delete(row)
    remember_gone(session, organisation_id, PseudonymProject.__tablename__, {"id": row.id})
    session.flush()
    return len(ids)


def list_projects(session: Session, organisation_id: uuid.UUID) -> list[ProjectView]:
    """Return an organisation's projects by name."""
    rows = session.scalars(
        sa.select(PseudonymProject)
        .where(PseudonymProject.organisation_id == organisation_id)
        .order_by(PseudonymProject.name)
    ).all()
    counts = _aliases(session, [row.id for row in rows])
    return [_view(row, counts.get(row.id, 0)) for row in rows]


def get_project(session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID) -> ProjectView:
    """Return one project; raises `ProjectUnknown`."""
    row = project_row(session, organisation_id, project_id)
    return _view(row, _aliases(session, [row.id]).get(row.id, 0))


def engine_project(
    session: Session, seal: VaultSeal, organisation_id: uuid.UUID, project_id: uuid.UUID, *, enabled: bool = True
) -> Project:
    """Return a project as the engine takes it, its key in it; raises `ProjectUnknown`, `ProjectDisabled`."""
    row = project_row(session, organisation_id, project_id)
    if enabled and not row.enabled:
        raise ProjectDisabled(name=row.name)
    return _engine(row.name, settings_of(row), seal.open(row.id, row.sealed))


def next_alias(row: PseudonymProject, project: Project) -> str:
    """Return the alias that the next patient of a project gets; raises `ProjectFull`, `AliasesNotAscii`."""
    try:
        return read_pattern(row.pattern).alias(project, row.next_number)
    except AliasNotWritable as error:
        raise AliasesNotAscii(error.message, field="pattern") from error
    except Invalid as error:
        raise ProjectFull(name=row.name) from error


def project_row(session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID) -> PseudonymProject:
    """Return a project's row; raises `ProjectUnknown`."""
    row = session.get(PseudonymProject, project_id)
    if row is None or row.organisation_id != organisation_id:
        raise ProjectUnknown
    return row


def settings_of(row: PseudonymProject) -> Settings:
    """Return what a project's row says of its de-identification."""
    return msgspec.json.decode(row.settings, type=Settings)


def _engine(name: str, settings: Settings, key: bytes) -> Project:
    return Project(
        name=name,
        key=key,
        options=frozenset(settings.options),
        shift_days=settings.shift_days,
        age_limit=settings.age_limit,
        allowed_words=frozenset(word.casefold() for word in settings.allowed_words),
        devices=read_devices(settings.devices) if settings.devices.strip() else (),
        trust_unmarked=frozenset(settings.trust_unmarked),
        hold_faces=settings.hold_faces,
        deface=settings.deface,
    )


def _checked(
    session: Session, organisation_id: uuid.UUID, spec: ProjectSpec, key: bytes, row_id: uuid.UUID | None
) -> ProjectSpec:
    name = spec.name.strip()
    if not 1 <= len(name) <= 32 or _FORBIDDEN & set(name) or not name.isprintable():
        raise ProjectInvalid("A project's name has 1 to 32 letters, none of them \\ ^ = * ?", field="name")
    if not KEEP_DAYS[0] <= spec.keep_days <= KEEP_DAYS[1]:
        raise ProjectInvalid("Aliases are kept for at least a day after their last use.", field="keep_days")
    try:
        engine = _engine(name, spec.settings, key)
        read_pattern(spec.pattern).alias(engine, 1)
    except AliasNotWritable as error:
        raise AliasesNotAscii(error.message, field="pattern") from error
    except Invalid as error:
        field = "pattern" if "pattern" in error.message.casefold() or "alias" in error.message else "settings"
        raise ProjectInvalid(error.message, field=field) from error
    other = sa.select(PseudonymProject.id).where(
        PseudonymProject.organisation_id == organisation_id, PseudonymProject.name == name
    )
    if session.scalar(other) not in (None, row_id):
        raise ProjectExists(name=name)
    return ProjectSpec(name, spec.pattern, spec.settings, spec.keep_days, spec.enabled)


def _ties(name: str, pattern: str, settings: Settings) -> tuple[object, ...]:
    """Return what ties copies that were handed out to those that will be."""
    options = {Option.UIDS, Option.MODIFIED_DATES, Option.FULL_DATES} & set(settings.options)
    return (name if "{project}" in pattern else "", pattern, settings.shift_days, options)


def _columns(spec: ProjectSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "pattern": spec.pattern,
        "settings": msgspec.json.encode(spec.settings).decode(),
        "keep_days": spec.keep_days,
        "enabled": spec.enabled,
    }


def _aliases(session: Session, project_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = session.execute(
        sa.select(PseudonymAlias.project_id, sa.func.count())
        .where(PseudonymAlias.project_id.in_(project_ids))
        .group_by(PseudonymAlias.project_id)
    )
    return dict(rows.all())


def _view(row: PseudonymProject, aliases: int) -> ProjectView:
    return ProjectView(
        row.id, row.name, row.pattern, settings_of(row), row.keep_days, row.enabled, row.revision, row.created_at,
        aliases,
    )  # fmt: skip
