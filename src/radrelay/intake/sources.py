"""Sources: the doors that studies come in by, their defaults at the first start, and how they are changed.

`SourceBook` keeps them in memory for the roles that receive, so that a sender is answered while the database is away.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.models import Holding, Instance, Source
from radrelay.archive.source_names import PORTALS
from radrelay.intake.callers import allows, check_ae_title, check_callers, check_waiting
from radrelay.intake.doors import Doors, folder_of_another, require_folder
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import (
    AeTitleTaken,
    QuotaExceeded,
    RetentionTooLong,
    SourceExists,
    SourceInUse,
    SourceInvalid,
    SourceUnknown,
)
from radrelay.settings import Settings
from radrelay.storage.database import Database, DatabaseUnavailable
from radrelay.storage.ids import new_id
from radrelay.storage.models import LandingRecord
from radrelay.storage.node import node_id

log = structlog.get_logger(__name__)

KINDS = ("dicom", "stow", "upload", "import", "folder", "portal")
PUSHED = ("dicom", "stow")
POLICIES = ("quarantine", "supersede", "keep-both")
SHORTEST_SPAN_S = 60
REFRESH_S = 5.0
LONGEST_SLOWING_S = 0.5
PORTAL = "portal"
LONGEST_PORTAL_S = 168 * 3600
"""What was fetched from another institution's portal is kept no longer, filed or not."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source as the rest of the program sees it; the fields are the columns of its row."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    kind: str
    ae_title: str | None
    callers: str
    folder: str | None
    issuer_of_patient_id: str
    retention_s: int | None
    max_age_s: int | None
    quiet_s: int
    duplicate_policy: str
    quota_bytes: int | None
    scan: bool
    enabled: bool
    project_id: uuid.UUID | None
    release_by_hand: str
    created_at: datetime

    def origin(
        self,
        *,
        peer: str = "",
        calling_ae: str = "",
        called_ae: str = "",
        correlation_id: str = "",
        parcel_id: uuid.UUID | None = None,
        account_id: uuid.UUID | None = None,
    ) -> Origin:
        """Return the origin of what this source brings."""
        return Origin(
            self.organisation_id, self.id, self.kind, peer, calling_ae, called_ae, correlation_id, parcel_id,
            account_id, self.scan,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a person may set of a source."""

    name: str
    kind: str
    ae_title: str | None = None
    callers: str = "*"
    folder: str | None = None
    issuer_of_patient_id: str = ""
    retention_s: int | None = None
    max_age_s: int | None = None
    quiet_s: int = 30
    duplicate_policy: str = "quarantine"
    quota_bytes: int | None = None
    scan: bool = True
    enabled: bool = True
    project_id: uuid.UUID | None = None
    release_by_hand: str = ""


_FIELDS = tuple(SourceSpec.__dataclass_fields__)
_VIEW_FIELDS = tuple(SourceView.__dataclass_fields__)


def ensure_defaults(session: Session, organisation_id: uuid.UUID, settings: Settings, now: datetime) -> None:
    """Make the default sources of the first organisation, and one for each folder that the settings watch."""
    ensure_organisation_defaults(session, organisation_id, settings, now)
    watched = {source.folder for source in list_sources(session, organisation_id) if source.kind == "folder"}
    for folder in settings.intake.watch:
        if str(folder) not in watched and not folder_of_another(session, organisation_id, str(folder)):
            name = free_name(session, organisation_id, f"Folder {folder.name or folder}"[:90])
            spec = default_spec(name, "folder", settings, folder=str(folder))
            add_source(session, organisation_id, spec, now, operator=True)


def ensure_organisation_defaults(
    session: Session, organisation_id: uuid.UUID, settings: Settings, now: datetime
) -> None:  # fmt: skip
    """Make the default sources of an organisation that has none yet."""
    if not any(source.kind != "folder" for source in list_sources(session, organisation_id)):
        for name, kind in (("DICOM", "dicom"), ("STOW-RS", "stow"), ("Upload", "upload"), ("Import", "import"),
                           (PORTALS, PORTAL)):  # fmt: skip
            add_source(session, organisation_id, default_spec(name, kind, settings), now)


def default_spec(name: str, kind: str, settings: Settings, folder: str | None = None) -> SourceSpec:
    """Return a source of `kind` with the retention that the settings give to its like."""
    retention = settings.retention
    retention_s = retention.pushed_s if kind in PUSHED else retention.uploaded_s
    if kind == PORTAL:
        retention_s = min(retention_s or LONGEST_PORTAL_S, LONGEST_PORTAL_S)
    return SourceSpec(name, kind, folder=folder, retention_s=retention_s, quiet_s=max(1, round(retention.quiet_s)))


def list_sources(session: Session, organisation_id: uuid.UUID | None = None) -> list[SourceView]:
    """Return all sources, by name; of one organisation if given."""
    query = sa.select(Source).order_by(Source.name)
    if organisation_id is not None:
        query = query.where(Source.organisation_id == organisation_id)
    return [_view(row) for row in session.scalars(query)]


def get_source(session: Session, organisation_id: uuid.UUID, source_id: uuid.UUID) -> SourceView:
    """Return one source; raises `SourceUnknown`."""
    return _view(_row(session, organisation_id, source_id))


def add_source(
    session: Session, organisation_id: uuid.UUID, spec: SourceSpec, now: datetime, *, operator: bool = False
) -> SourceView:
    """Add a source; raises `SourceInvalid` naming what is wrong. An `operator` runs the machine."""
    values = _checked(session, organisation_id, spec, None)
    _require_own_door(session, organisation_id, values, None, operator=operator)
    row = Source(id=new_id(), organisation_id=organisation_id, created_at=now, **values)
    session.add(row)
    session.flush()
    return _view(row)


def change_source(
    session: Session, organisation_id: uuid.UUID, source_id: uuid.UUID, changes: Mapping[str, object]
) -> SourceView:
    """Change some of a source's fields; raises `SourceUnknown`, `SourceInvalid`.

    A new retention counts for what arrives from now on; what is here keeps the end that it was given.
    """
    row = _row(session, organisation_id, source_id)
    unknown = set(changes) - set(_FIELDS)
    if unknown:
        raise SourceInvalid(f"a source has no field {sorted(unknown)[0]}")
    if changes.get("kind", row.kind) != row.kind:
        raise SourceInvalid("a source's kind cannot be changed; add another source")
    merged = {name: changes.get(name, getattr(row, name)) for name in _FIELDS}
    spec = SourceSpec(**merged)  # type: ignore[arg-type]  # _checked looks at every type
    values = _checked(session, organisation_id, spec, source_id)
    _require_own_door(session, organisation_id, values, row, operator=False)
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()
    return _view(row)


def remove_source(session: Session, organisation_id: uuid.UUID, source_id: uuid.UUID) -> None:
    """Remove a source that nothing is here of; raises `SourceUnknown`, `SourceInUse`."""
    row = _row(session, organisation_id, source_id)
    if session.execute(sa.select(Holding.id).where(Holding.source_id == source_id).limit(1)).first() is not None:
        raise SourceInUse
    session.delete(row)


def _row(session: Session, organisation_id: uuid.UUID, source_id: uuid.UUID) -> Source:
    row = session.get(Source, source_id)
    if row is None or row.organisation_id != organisation_id:
        raise SourceUnknown
    return row


def _view(row: Source) -> SourceView:
    return SourceView(**{name: getattr(row, name) for name in _VIEW_FIELDS})


def free_name(session: Session, organisation_id: uuid.UUID, name: str) -> str:
    """Return a name for a source that none has yet."""
    taken = {source.name for source in list_sources(session, organisation_id)}
    names = (name, *(f"{name} {number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in names if candidate not in taken)


def _checked(
    session: Session, organisation_id: uuid.UUID, spec: SourceSpec, source_id: uuid.UUID | None
) -> dict[str, object]:
    """Return the columns of `spec`; raises `SourceInvalid`."""
    name = spec.name.strip()
    if not 1 <= len(name) <= 100:
        raise SourceInvalid("a source's name has 1 to 100 characters", field="name")
    if spec.kind not in KINDS:
        raise SourceInvalid(f"a source's kind is one of {', '.join(KINDS)}")
    if spec.duplicate_policy not in POLICIES:
        raise SourceInvalid(f"a source's duplicate policy is one of {', '.join(POLICIES)}")
    if spec.kind == "folder" and not (spec.folder or "").startswith("/"):
        raise SourceInvalid("a folder source needs the full path of its folder", field="folder")
    if len(spec.issuer_of_patient_id) > 64:
        raise SourceInvalid("an issuer of patient IDs has at most 64 characters", field="issuer_of_patient_id")
    _check_spans(spec)
    if spec.project_id is not None:
        from radrelay.pseudonyms import get_project  # noqa: PLC0415 -- brings the codecs, for which `listen` has no room

        get_project(session, organisation_id, spec.project_id)
    ae_title = check_ae_title(spec.ae_title) if spec.ae_title else None
    for other in list_sources(session, organisation_id):
        if other.id != source_id and other.name == name:
            raise SourceExists(f"there is already a source named {name!r}", name=name)
        if other.id != source_id and ae_title is not None and (other.kind, other.ae_title) == (spec.kind, ae_title):
            message = f"the AE title {ae_title} already leads to the source {other.name!r}"
            raise AeTitleTaken(message, ae_title=ae_title, name=other.name)
    values = {column: getattr(spec, column) for column in _FIELDS}
    return values | {"name": name, "ae_title": ae_title, "callers": check_callers(spec.callers),
                     "release_by_hand": check_waiting(spec.release_by_hand, spec.kind)}  # fmt: skip


def _require_own_door(
    session: Session, organisation_id: uuid.UUID, values: Mapping[str, object], before: Source | None, *,
    operator: bool,
) -> None:  # fmt: skip
    """Raise `TitleNotGiven` or `FolderNotGiven` for a new title or folder that may be another organisation's."""
    doors = Doors.read(session)
    title, folder = values["ae_title"], values["folder"]
    if values["kind"] == "dicom" and title and (before is None or title != before.ae_title):
        doors.require_title(organisation_id, str(title))
    if values["kind"] == "folder" and (before is None or folder != before.folder):
        require_folder(session, organisation_id, str(folder), doors, operator=operator)


def _check_spans(spec: SourceSpec) -> None:
    for name in ("retention_s", "max_age_s"):
        span = getattr(spec, name)
        if span is not None and (not isinstance(span, int) or not SHORTEST_SPAN_S <= span < 1 << 31):
            raise SourceInvalid(f"{name} is at least {SHORTEST_SPAN_S} seconds, or none", field=name)
    if spec.max_age_s is not None and spec.retention_s is not None and spec.retention_s > spec.max_age_s:
        raise RetentionTooLong("a source's retention cannot be longer than its maximum age")
    if spec.kind == PORTAL and (spec.retention_s is None or spec.retention_s > LONGEST_PORTAL_S):
        raise SourceInvalid("what comes from portals is kept 168 hours at most", field="retention_s")
    if not 1 <= spec.quiet_s <= 86_400:
        raise SourceInvalid("quiet_s is 1 to 86400 seconds", field="quiet_s")
    if spec.quota_bytes is not None and spec.quota_bytes < 0:
        raise SourceInvalid("a quota cannot be negative", field="quota_bytes")


@dataclass(frozen=True, slots=True)
class _Page:
    """What was read of the database at one moment; `landed_bytes` wait to be packed."""

    sources: tuple[SourceView, ...] = ()
    doors: Doors = field(default_factory=Doors)
    quota: dict[uuid.UUID, int] = field(default_factory=dict)
    used: dict[uuid.UUID, int] = field(default_factory=dict)
    landed_bytes: int = 0


class SourceBook:
    """The sources as last read, read again every few seconds in the background; thread-safe.

    Also answers whether a source's quota or the landing's high-water mark stands in an object's way.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._page: _Page | None = None
        self._read_at = 0.0

    def resolve(self, kind: str, called_ae: str = "", organisation_id: uuid.UUID | None = None) -> SourceView:
        """Return the enabled source that `called_ae` leads to, else the default of its kind.

        Of the organisation that is given, else of whom `called_ae` means (`Doors.organisation_of`), else the first.
        Raises `SourceUnknown`; `DatabaseUnavailable` when the sources were never read.
        """
        owner = organisation_id or self.organisation_of(called_ae)
        default: SourceView | None = None
        for source in self.sources():
            if not source.enabled or source.kind != kind or source.organisation_id != owner:
                continue
            if called_ae and source.ae_title == called_ae:
                return source
            if source.ae_title is None and default is None:
                default = source
        own, doors = self._settings.dicom, self.doors()
        named = called_ae == own.ae_title or own.accept_any_called or doors.titles.get(called_ae) == owner
        if default is None or (called_ae and not named):
            raise SourceUnknown
        return default

    def organisation_of(self, called_ae: str) -> uuid.UUID:
        """Return whom somebody means who calls `called_ae`, the first without one; raises as `Doors` does."""
        doors = self.doors()
        return doors.organisation_of(called_ae, self._settings.dicom) if called_ae else doors.first

    def retrieve_ae(self, called_ae: str) -> str:
        """Return the AE title that objects are fetched by: our own, or by which an organisation is called."""
        return called_ae if self.doors().several else self._settings.dicom.ae_title

    def admits(self, source: SourceView, calling_ae: str, address: str) -> bool:
        """Return whether the source's list of callers lets this one call."""
        return allows(source.callers, calling_ae, address)

    def sources(self) -> tuple[SourceView, ...]:
        """Return all sources, those last read when the database is away; raises if none was ever read."""
        return self._read().sources

    def doors(self) -> Doors:
        """Return whose door is which, as `sources` does."""
        return self._read().doors

    def _read(self) -> _Page:
        if self._page is None:
            self.refresh()
        return self._fresh()

    def refresh(self) -> None:
        """Read everything again now; raises `DatabaseUnavailable`."""
        with self._database.read() as session:
            sources, doors = tuple(list_sources(session)), Doors.read(session)
            quota = {source.id: source.quota_bytes for source in sources if source.quota_bytes is not None}
            used = used_bytes(session, list(quota)) if quota else {}
            here = LandingRecord.owner.startswith(f"{node_id(self._settings.data_dir)}/")
            landed = session.scalar(sa.select(sa.func.sum(LandingRecord.length)).where(here))
        with self._lock:
            self._page = _Page(sources, doors, quota, used, int(landed or 0))
            self._read_at = time.monotonic()

    def check(self, origin: Origin, size: int) -> None:
        """Count `size` bytes for the origin's source, and take time above the high-water mark.

        Raises `QuotaExceeded` when they are too many.
        """
        page = self._fresh()
        limit = page.quota.get(origin.source_id)
        if limit is not None:
            with self._lock:
                used = page.used.get(origin.source_id, 0) + size
                if used > limit:
                    raise QuotaExceeded(f"The source has used up its quota of {limit} bytes; nothing was kept.")
                page.used[origin.source_id] = used
        mark = self._settings.storage.landing_high_water_bytes
        if page.landed_bytes > mark:
            time.sleep(min(LONGEST_SLOWING_S, (page.landed_bytes - mark) / mark))

    def _fresh(self) -> _Page:
        """Return what is known, and have it read again in the background when it is old."""
        if time.monotonic() - self._read_at > REFRESH_S and self._reading.acquire(blocking=False):
            threading.Thread(target=self._read_again, name="sources", daemon=True).start()
        return self._page or _Page()

    def _read_again(self) -> None:
        try:
            self.refresh()
        except DatabaseUnavailable:
            log.warning("sources cannot be read again; those known go on")
            self._read_at = time.monotonic()
        finally:
            self._reading.release()


def used_bytes(session: Session, source_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return how many bytes of instances each source's holdings brought."""
    rows = session.execute(
        sa.select(Holding.source_id, sa.func.sum(Instance.size))
        .join(Instance, Instance.holding_id == Holding.id)
        .where(Holding.source_id.in_(source_ids))
        .group_by(Holding.source_id)
    )
    return {source_id: int(total or 0) for source_id, total in rows}
