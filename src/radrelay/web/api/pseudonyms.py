"""Pseudonyms: projects, aliases and who stands behind them, what was handed out, what was kept back."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay import pseudonyms
from radrelay.access import GUEST, Right
from radrelay.dicom.deidentify import Option
from radrelay.errors import Conflict
from radrelay.pseudonyms import ProjectSpec, Settings
from radrelay.routing import destinations
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Authenticated, Services
from radrelay.web.reach import require_everything
from radrelay.web.unveiling import require_may_look

router = APIRouter(prefix="/pseudonyms", tags=["pseudonyms"])
PAGE = 100
Days = Annotated[int, Field(ge=1, le=36_500)]
Word = Annotated[str, Field(min_length=1, max_length=64)]


class ProjectChanged(Conflict):
    """Somebody has changed this project meanwhile; look at it again."""

    code = "project-changed"


class ProjectFields(BaseModel):
    """How a project names patients and de-identifies (options of PS3.15 E.3)."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    pattern: str = Field("{project}-{number:05}{check}", min_length=1, max_length=64)
    options: list[Option] = []
    shift_days: tuple[Days, Days] = (30, 1095)
    age_limit: int | None = Field(89, ge=0, le=120)
    allowed_words: list[Word] = Field([], max_length=2000)
    devices: str = Field("", max_length=100_000)
    trust_unmarked: list[Annotated[str, Field(min_length=2, max_length=16)]] = Field([], max_length=50)
    hold_faces: bool = False
    deface: bool = False
    keep_days: Days = 365
    enabled: bool = True


class Project(ProjectFields):
    """A project as it is; `aliases` counts its patients."""

    model_config = ConfigDict(extra="ignore")

    id: uuid.UUID
    revision: int
    created_at: datetime
    aliases: int


class ChangedProject(ProjectFields):
    """A project as it shall be; `revision` is the one that was looked at."""

    revision: int


class Projects(BaseModel):
    """All projects, by name."""

    projects: list[Project]


class Alias(BaseModel):
    """An alias: it names nobody."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    project_id: uuid.UUID
    project: str
    alias: str
    used_on: date
    studies: int


class Aliases(BaseModel):
    """Aliases in their order; `more` says that others follow."""

    aliases: list[Alias]
    more: bool = False


class Look(BaseModel):
    """Why somebody looks who stands behind an alias."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=500)


class PatientLook(Look):
    """Whose aliases somebody looks for, and why."""

    issuer: str = Field("", max_length=64)
    patient_id: str = Field(min_length=1, max_length=64)


class Identity(BaseModel):
    """Who stands behind an alias."""

    model_config = ConfigDict(from_attributes=True)

    alias: str
    project: str
    patient_name: str
    patient_id: str
    issuer: str
    birth_date: str
    sex: str
    study_uids: list[str]


def _spec(wanted: ProjectFields) -> ProjectSpec:
    settings = Settings(
        options=tuple(dict.fromkeys(wanted.options)), shift_days=wanted.shift_days, age_limit=wanted.age_limit,
        allowed_words=tuple(wanted.allowed_words), devices=wanted.devices, trust_unmarked=tuple(wanted.trust_unmarked),
        hold_faces=wanted.hold_faces, deface=wanted.deface,
    )  # fmt: skip
    return ProjectSpec(wanted.name, wanted.pattern, settings, wanted.keep_days, wanted.enabled)


def _shown(view: pseudonyms.ProjectView) -> Project:
    one = view.settings
    return Project(
        id=view.id, name=view.name, pattern=view.pattern, options=list(one.options), shift_days=one.shift_days,
        age_limit=one.age_limit, allowed_words=list(one.allowed_words), devices=one.devices,
        trust_unmarked=list(one.trust_unmarked), hold_faces=one.hold_faces, deface=one.deface, keep_days=view.keep_days,
        enabled=view.enabled, revision=view.revision, created_at=view.created_at, aliases=view.aliases,
    )  # fmt: skip


@router.get("/projects")
def list_projects(services: Services, principal: Authenticated) -> Projects:
    """List the projects of pseudonyms; none to who signed up."""
    if principal.role == GUEST:
        return Projects(projects=[])
    with services.database.read() as session:
        return Projects(projects=[_shown(one) for one in pseudonyms.list_projects(session, principal.organisation_id)])


@router.post("/projects", status_code=201)
def create_project(request: Request, services: Services, principal: Administrator, wanted: ProjectFields) -> Project:
    """Add a project, with a key of its own from which aliases, UIDs and shifts of dates follow."""
    with services.database.write() as session:
        made = pseudonyms.add_project(
            session, services.vault_seal, principal.organisation_id, _spec(wanted), services.clock.now()
        )
        detail = {"name": made.name, "options": ", ".join(made.settings.options)}
        trail.write(session, trail.event(request, principal, "pseudonym.create", ("project", made.id), detail=detail))
    return _shown(made)


@router.put("/projects/{project_id}")
def change_project(
    request: Request, services: Services, principal: Administrator, project_id: uuid.UUID, wanted: ChangedProject
) -> Project:
    """Change a project; what ties copies that are out to the vault stays once a patient has an alias."""
    organisation_id = principal.organisation_id
    with services.database.write() as session:
        if pseudonyms.get_project(session, organisation_id, project_id).revision != wanted.revision:
            raise ProjectChanged
        changed = pseudonyms.change_project(session, services.vault_seal, organisation_id, project_id, _spec(wanted))
        detail = {"name": changed.name, "options": ", ".join(changed.settings.options)}
        subject = ("project", project_id)
        trail.write(session, trail.event(request, principal, "pseudonym.change", subject, detail=detail))
    return _shown(changed)


@router.delete("/projects/{project_id}", status_code=204)
def delete_project(request: Request, services: Services, principal: Administrator, project_id: uuid.UUID) -> None:
    """Delete a project with its key and all its aliases: results cannot be turned back any more."""
    with services.database.write() as session:
        name = pseudonyms.get_project(session, principal.organisation_id, project_id).name
        if destinations.uses_project(session, principal.organisation_id, project_id):
            raise pseudonyms.ProjectInUse(name=name)
        gone = pseudonyms.delete_project(session, principal.organisation_id, project_id)
        detail = {"name": name, "aliases": gone}
        subject = ("project", project_id)
        trail.write(session, trail.event(request, principal, "pseudonym.delete", subject, detail=detail))


@router.get("/aliases")
def list_aliases(
    services: Services,
    principal: Authenticated,
    project_id: uuid.UUID | None = None,
    text: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> Aliases:
    """List aliases by their beginning; for who may re-identify every patient. None of them names anybody."""
    require_everything(services, principal, Right.REIDENTIFY)
    vault = services.vault(principal.organisation_id)
    with services.database.read() as session:
        found = vault.search(session, project_id, text.strip(), after, PAGE + 1)
    return Aliases(aliases=[Alias.model_validate(one) for one in found[:PAGE]], more=len(found) > PAGE)


@router.post("/aliases/{alias_id}/identity")
def reidentify(
    request: Request, services: Services, principal: Authenticated, alias_id: uuid.UUID, look: Look
) -> Identity:
    """Say who stands behind an alias, to who may re-identify; each look is on record, with its reason."""
    vault = services.vault(principal.organisation_id)
    with services.database.write() as session:
        who = vault.identity_of(session, alias_id)
        require_may_look(services, session, principal, (who.issuer, who.patient_id), who.study_uids)
        record = trail.event(
            request, principal, "pseudonym.reidentify", ("alias", alias_id),
            detail={"project": who.project, "reason": look.reason},
            patient=(who.issuer, who.patient_id, who.patient_name),
        )  # fmt: skip
        trail.write(session, record)
    return Identity.model_validate(who)


@router.post("/lookups")
def find_aliases(request: Request, services: Services, principal: Authenticated, look: PatientLook) -> Aliases:
    """Say which aliases a patient has, to who may re-identify; each look is on record, with its reason."""
    vault = services.vault(principal.organisation_id)
    with services.database.write() as session:
        require_may_look(services, session, principal, (look.issuer, look.patient_id), ())
        found = vault.aliases_of(session, look.issuer, look.patient_id)
        record = trail.event(
            request, principal, "pseudonym.find", detail={"reason": look.reason, "aliases": len(found)},
            patient=(look.issuer, look.patient_id, ""),
        )  # fmt: skip
        trail.write(session, record)
    return Aliases(aliases=[Alias.model_validate(one) for one in found])
