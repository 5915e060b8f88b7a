"""Faces of stored head series: what goes of each slice, decided once over the whole series.

A part of a series is never judged by itself, whatever of it is asked for: a delivery that is tried again sends slices
that fit those of before.
"""

from __future__ import annotations

import uuid

import structlog

from radrelay.archive.instances import InstanceRef, find_in_series
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.clock import Clock
from radrelay.dicom.deface import MOST_CELLS, Cut, Defaced, Slice, cuts_of, deface, read_slice
from radrelay.dicom.deidentify import shows_face
from radrelay.dicom.elements import Buffer
from radrelay.dicom.errors import Malformed
from radrelay.errors import Invalid
from radrelay.pseudonyms.runs import header_of
from radrelay.storage.database import Database

MOST_SLICES, LARGEST = 4000, 8 << 20
ROWS, COLUMNS = 0x00280010, 0x00280011
log = structlog.get_logger(__name__)


class Faces:
    """The faces of one study while it is handed out."""

    def __init__(self, database: Database, clock: Clock, reader: InstanceReader) -> None:
        self._database = database
        self._clock = clock
        self._reader = reader
        self._cuts: dict[uuid.UUID, dict[str, Cut]] = {}

    def without(self, ref: InstanceRef, data_set: Buffer) -> Defaced | None:
        """Return an object without its face; None where it shows none, and where that cannot be done surely."""
        header = header_of(data_set, ref.transfer_syntax_uid)
        if header is None or not shows_face(header):
            return None
        cut = self._of(ref).get(str(ref.id))
        if cut is None:
            return None
        rows, columns = ((header.integers(tag) or [0])[0] for tag in (ROWS, COLUMNS))
        try:
            return deface(data_set, ref.transfer_syntax_uid, cut.of(rows, columns))
        except (Malformed, Invalid):
            return None

    def _of(self, ref: InstanceRef) -> dict[str, Cut]:
        """Return what goes of each slice of an object's series; nothing where it is not sure."""
        if ref.series_id not in self._cuts:
            self._cuts[ref.series_id] = self._decided(ref)
        return self._cuts[ref.series_id]

    def _decided(self, ref: InstanceRef) -> dict[str, Cut]:
        with self._database.read() as session:
            found = find_in_series(session, self._clock.now(), ref.organisation_id, ref.series_id)
            refs = list(found.refs)
        if len(refs) > MOST_SLICES or any(one.size > LARGEST for one in refs):
            return {}
        slices: dict[str, Slice | None] = {}
        cells = 0
        for one in refs:
            slices[str(one.id)] = reduced = self._slice(one)
            cells += 0 if reduced is None else reduced.mean.size
            if reduced is None or cells > MOST_CELLS:
                break
        decided = cuts_of(slices)
        if not isinstance(decided, dict):
            log.info("a face is not taken out", reason=decided.value, slices=len(refs))
            return {}
        return decided

    def _slice(self, ref: InstanceRef) -> Slice | None:
        try:
            return read_slice(self._reader.data_set(ref), ref.transfer_syntax_uid)
        except (InstanceGone, Malformed, Invalid):
            return None
