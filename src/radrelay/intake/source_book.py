"""The sources in memory, for the roles that receive: a sender is answered while the database is away.

Also answers, from memory, whether a source's quota or the landing's high-water mark stands in an object's way.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from radrelay.archive.models import Holding, Instance
from radrelay.intake.callers import allows
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import QuotaExceeded, SourceUnknown
from radrelay.intake.sources import SourceView, list_sources
from radrelay.settings import Settings
from radrelay.storage.database import Database, DatabaseUnavailable
from radrelay.storage.models import LandingRecord

log = structlog.get_logger(__name__)

REFRESH_S = 5.0
LONGEST_SLOWING_S = 0.5


@dataclass(frozen=True, slots=True)
class _Page:
    """What was read of the database at one moment; `landed_bytes` wait to be packed."""

    sources: tuple[SourceView, ...] = ()
    quota: dict[uuid.UUID, int] = field(default_factory=dict)
    used: dict[uuid.UUID, int] = field(default_factory=dict)
    landed_bytes: int = 0


class SourceBook:
    """The sources as last read, read again every few seconds in the background; thread-safe."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._page: _Page | None = None
        self._read_at = 0.0

    def resolve(self, kind: str, called_ae: str = "", organisation_id: uuid.UUID | None = None) -> SourceView:
        """Return the enabled source that `called_ae` leads to, else the default of its kind.

        Raises `SourceUnknown`; `DatabaseUnavailable` when the sources were never read.
        """
        default: SourceView | None = None
        for source in self.sources():
            fits = source.enabled and source.kind == kind
            if not fits or organisation_id not in (None, source.organisation_id):
                continue
            if called_ae and source.ae_title == called_ae:
                return source
            if source.ae_title is None and default is None:
                default = source
        own = self._settings.dicom
        if default is None or (called_ae and called_ae != own.ae_title and not own.accept_any_called):
            raise SourceUnknown
        return default

    def admits(self, source: SourceView, calling_ae: str, address: str) -> bool:
        """Return whether the source's list of callers lets this one call."""
        return allows(source.callers, calling_ae, address)

    def sources(self) -> tuple[SourceView, ...]:
        """Return all sources, those last read when the database is away; raises if none was ever read."""
        if self._page is None:
            self.refresh()
        return self._fresh().sources

    def refresh(self) -> None:
        """Read everything again now; raises `DatabaseUnavailable`."""
        with self._database.read() as session:
            sources = tuple(list_sources(session))
            quota = {source.id: source.quota_bytes for source in sources if source.quota_bytes is not None}
            used = used_bytes(session, list(quota)) if quota else {}
            landed = session.scalar(sa.select(sa.func.sum(LandingRecord.length)))
        with self._lock:
            self._page = _Page(sources, quota, used, int(landed or 0))
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
