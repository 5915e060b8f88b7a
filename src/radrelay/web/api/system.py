"""What this installation is: version, addresses, AE titles, disk, roles."""

from __future__ import annotations

import shutil
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from radrelay import __version__
from radrelay.identity import organisations
from radrelay.web.authentication import Authenticated, Services
from radrelay.web.services import WebServices

router = APIRouter(prefix="/system", tags=["system"])


class Disk(BaseModel):
    """Room on the disk that the data directory is on, in bytes."""

    total: int
    free: int
    refuse_below: int


class DicomNode(BaseModel):
    """How DICOM devices reach this installation; no AE title where none leads to one's organisation yet."""

    ae_title: str
    host: str
    ports: list[int]
    tls_port: int | None
    accepts_any_called: bool


class Role(BaseModel):
    """One of the running roles."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    node: str
    alive: bool
    seen_at: datetime | None


class System(BaseModel):
    """What this installation is; disk and roles are for administrators."""

    name: str
    version: str
    now: datetime
    web_address: str
    dicomweb_path: str
    dicom: DicomNode
    scanner: bool
    disk: Disk | None
    roles: list[Role]


@router.get("")
def system(services: Services, principal: Authenticated) -> System:
    """Describe this installation."""
    settings = services.settings
    administrator = principal.role == "admin"
    with services.database.read() as session:
        own = organisations.organisation_of(session, principal.organisation_id)
    is_first = own.id == services.organisation_id
    title = settings.dicom.ae_title if is_first else next(iter(own.ae_titles), "")
    return System(
        name=own.name,
        version=__version__,
        now=services.clock.now(),
        web_address=f"http://{settings.web.host}:{settings.web.port}",
        dicomweb_path="/dicom-web",
        dicom=DicomNode(
            ae_title=title,
            host=settings.dicom.host,
            ports=[settings.dicom.port, *settings.dicom.more_ports],
            tls_port=settings.dicom.tls_port,
            accepts_any_called=settings.dicom.accept_any_called and not services.sources.doors().several,
        ),
        scanner=settings.intake.clamd is not None,
        disk=_disk(services) if administrator else None,
        roles=[Role.model_validate(role) for role in services.roles()] if administrator else [],
    )


def _disk(services: WebServices) -> Disk:
    usage = shutil.disk_usage(services.settings.data_dir)
    return Disk(total=usage.total, free=usage.free, refuse_below=services.settings.storage.min_free_bytes)
