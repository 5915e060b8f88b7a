"""The archives elsewhere that an organisation searches and fetches from."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import cast, get_args

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radrelay.clock import Clock
from radrelay.network.titles import AE_TITLE
from radrelay.network.web_service import is_service_address
from radrelay.retrieve.errors import PacsExists, PacsInUse, PacsInvalid, PacsNotFound
from radrelay.retrieve.models import Fetch, Pacs
from radrelay.retrieve.ports import Kind, Method, Model, PacsNode
from radrelay.storage.ids import new_id

OPEN_STATES = ("waiting", "fetching", "held")


@dataclass(frozen=True)
class PacsDraft:
    """What a person enters for a PACS."""

    name: str
    ae_title: str
    host: str
    port: int
    source_id: uuid.UUID
    calling_ae_title: str = ""
    tls: bool = False
    model: str = "study"
    method: str = "move"
    enabled: bool = True
    kind: str = "dicom"
    address: str = ""
    username: str = ""

    def check(self) -> None:
        """Raise `PacsInvalid`, naming the field, unless every field can be right."""
        if not self.name.strip() or len(self.name) > 100:
            raise PacsInvalid("name: 1 to 100 characters", field="name")
        if self.kind not in get_args(Kind):
            raise PacsInvalid("kind: dicom, dicomweb or worklist", field="kind")
        if self.kind == "dicomweb":
            self._check_service()
        else:
            self._check_node()

    def _check_service(self) -> None:
        if not is_service_address(self.address):
            words = "address: https://host/path of the DICOMweb service, without name and password"
            raise PacsInvalid(words, field="url")
        if ":" in self.username:
            raise PacsInvalid("username: without a colon (RFC 7617)", field="username")

    def _check_node(self) -> None:
        for field, title in (("ae_title", self.ae_title), ("calling_ae_title", self.calling_ae_title)):
            if (title or field == "ae_title") and not AE_TITLE.fullmatch(title):
                raise PacsInvalid(f"{field}: an AE title has 1 to 16 printable characters", field=field)
        if not self.host.strip() or len(self.host) > 255 or any(c.isspace() for c in self.host):
            raise PacsInvalid("host: a name or an address without spaces", field="host")
        if not 1 <= self.port <= 65535:
            raise PacsInvalid("port: 1 to 65535", field="port")
        if self.model not in get_args(Model):
            raise PacsInvalid("model: study or patient", field="model")
        if self.method not in get_args(Method):
            raise PacsInvalid("method: move or get", field="method")


def every_pacs(session: Session, organisation_id: uuid.UUID) -> list[Pacs]:
    """Return the organisation's PACS by name."""
    return list(session.scalars(sa.select(Pacs).where(Pacs.organisation_id == organisation_id).order_by(Pacs.name)))


def get_pacs(session: Session, organisation_id: uuid.UUID, pacs_id: uuid.UUID) -> Pacs:
    """Return one PACS; raises `PacsNotFound`."""
    found = session.get(Pacs, pacs_id)
    if found is None or found.organisation_id != organisation_id:
        raise PacsNotFound
    return found


def create_pacs(session: Session, clock: Clock, organisation_id: uuid.UUID, draft: PacsDraft) -> Pacs:
    """Add a PACS; raises `PacsInvalid` for a bad field or a name that is taken."""
    draft.check()
    row = Pacs(id=new_id(), organisation_id=organisation_id, created_at=clock.now())
    session.add(row)
    return _write(session, row, draft)


def update_pacs(session: Session, organisation_id: uuid.UUID, pacs_id: uuid.UUID, draft: PacsDraft) -> Pacs:
    """Replace a PACS's fields; its kind stays, and its secret where it is not sent elsewhere. Raises `PacsInvalid`."""
    row = get_pacs(session, organisation_id, pacs_id)
    if draft.kind != row.kind:
        raise PacsInvalid("kind: stays as it is; add another PACS", field="kind")
    draft.check()
    if (draft.address, draft.username) != (row.address, row.username):
        row.sealed = None  # who changes where it goes enters it anew, so that nobody learns it by that
    return _write(session, row, draft)


def delete_pacs(session: Session, organisation_id: uuid.UUID, pacs_id: uuid.UUID) -> None:
    """Remove a PACS from which nothing is being fetched; what was fetched stays on the list."""
    row = get_pacs(session, organisation_id, pacs_id)
    under_way = sa.select(Fetch.id).where(Fetch.pacs_id == row.id, Fetch.state.in_(OPEN_STATES)).limit(1)
    if session.scalar(under_way) is not None:
        raise PacsInUse
    session.delete(row)


def node_of(row: Pacs) -> PacsNode:
    """Return where and how a row's archive is asked."""
    return PacsNode(
        id=row.id,
        organisation_id=row.organisation_id,
        name=row.name,
        ae_title=row.ae_title,
        host=row.host,
        port=row.port,
        calling_ae_title=row.calling_ae_title,
        tls=row.tls,
        model=cast(Model, row.model),
        method=cast(Method, row.method),
        source_id=row.source_id,
        kind=cast(Kind, row.kind),
        address=row.address,
        username=row.username,
        sealed=row.sealed,
    )


def _write(session: Session, row: Pacs, draft: PacsDraft) -> Pacs:
    row.name = draft.name.strip()
    row.ae_title, row.host, row.port = draft.ae_title, draft.host, draft.port
    row.calling_ae_title, row.tls, row.enabled = draft.calling_ae_title, draft.tls, draft.enabled
    row.kind, row.address, row.username = draft.kind, draft.address, draft.username
    row.model, row.method, row.source_id = draft.model, draft.method, draft.source_id
    try:
        session.flush()
    except IntegrityError as error:
        raise PacsExists("name: another PACS has this name", field="name") from error
    return row
