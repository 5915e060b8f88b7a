"""Objects of corrected studies as faces hand them out: with the corrected values, though they are not rewritten yet.

Between a correction and the rewriting of its objects (`intake.correcting`) the same bytes are made while reading that
the rewriting lands. What cannot be made so is not handed out before it is written: nothing leaves under an old name.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from time import monotonic

from radrelay.archive import uncorrected
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.archive.uncorrected import Made
from radrelay.clock import Clock
from radrelay.dicom.header import Header, parse
from radrelay.dicom.reidentify import Modification, reidentify
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.errors import RadrelayError, Unavailable
from radrelay.storage.database import Database
from radrelay.storage.packs import PackStore
from radrelay.storage.segments import SegmentReader

SYSTEM = "Radrelay"
LARGEST = 64 << 20
"""Larger objects are not made anew in memory for whoever asks; they wait until they are written."""
LOOK_S = 0.25
AGAIN_S = 5
RECENT = timedelta(hours=1)
"""For so long what was found before a correction may still be read by who found it."""


class NotYetCorrected(Unavailable):
    """The patient's data were corrected and this object is still to be written anew; try again in a moment."""

    code = "not-yet-corrected"

    def __init__(self, message: str = "") -> None:
        super().__init__(message, retry_after_s=AGAIN_S)


def written(data_set: bytes, ts: str, made: Sequence[Made]) -> tuple[bytes, str] | None:
    """Return a data set with all corrections that it lacks, and its transfer syntax; none if it lacks none.

    It is the same however often that is done. Raises what `dicom.reidentify` raises.
    """
    changed, last = False, {tag: value for one in made for tag, value in one.after.items()}
    for one in made:
        values = _lacking(data_set, ts, one.after, last)
        if values:
            change = Modification(one.at, f"{SYSTEM}, {one.by}", SYSTEM, "CORRECT" if one.asked else "COERCE")
            data_set, ts = reidentify(data_set, ts, values, change)
            changed = True
    return (data_set, ts) if changed else None


def _lacking(data_set: bytes, ts: str, after: Mapping[int, str], last: Mapping[int, str]) -> dict[int, str]:
    """Return the values that a correction still changes; what says already what the `last` one wants stays."""
    header = parse(data_set, ts)
    return {tag: value for tag, value in after.items() if header.text(tag) not in (value, last[tag])}


class CorrectedReader(InstanceReader):
    """Reads instances for all that goes out. Thread-safe; raises `NotYetCorrected` where `InstanceReader` would not."""

    def __init__(self, database: Database, clock: Clock, segments: SegmentReader, packs: PackStore) -> None:
        super().__init__(database, clock, segments, packs)
        self._studies: frozenset[uuid.UUID] = frozenset()
        self._looked_at = float("-inf")
        self._looking = threading.Lock()

    def pieces(self, ref: InstanceRef) -> list[bytes]:
        """Return the data set, as received or as corrected, in pieces."""
        made = self._made(ref)
        return [made] if made is not None else super().pieces(ref)

    def enclosed(self, ref: InstanceRef) -> bytes | None:
        """Return the data set with its kept HTJ2K frames in it; none, too, for one that is to be corrected."""
        return None if self._made(ref) is not None else super().enclosed(ref)

    def stream(self, ref: InstanceRef) -> Iterator[bytes]:
        """Yield the data set, as received or as corrected, in pieces."""
        made = self._made(ref)
        yield from super().stream(ref) if made is None else (made,)

    def head(self, ref: InstanceRef) -> bytes:
        """Return the data set's beginning; all of it of one that is corrected while it is read."""
        made = self._made(ref)
        return super().head(ref) if made is None else made

    def header(self, ref: InstanceRef) -> Header:
        """Return all attributes before the pixel data, corrected."""
        header, made = self.received_header(ref), self._lacked(ref)
        if not made:
            return header
        if header.bulk is None:
            return parse(b"".join(self.pieces(ref)), ref.transfer_syntax_uid)
        ts = EXPLICIT_LE if syntax_of(ref.transfer_syntax_uid).deflated else ref.transfer_syntax_uid
        at = header.bulk[1]
        front = self._kept(ref, header.data[:at], ts, made)
        return header if front is None else parse(front + header.data[at:], ts)

    def require(self, refs: Iterable[InstanceRef]) -> None:
        """Raise `NodeAway` or `NotYetCorrected` before an answer begins that could not end."""
        wanted = list(refs)
        super().require(wanted)
        if any(ref.size > LARGEST and self._lacked(ref) for ref in wanted):
            raise NotYetCorrected

    def _made(self, ref: InstanceRef) -> bytes | None:
        """Return the data set as it is to be, none if it is to be as received."""
        made = self._lacked(ref)
        if not made:
            return None
        if ref.size > LARGEST:
            raise NotYetCorrected
        return self._kept(ref, self.received(ref), ref.transfer_syntax_uid, made)

    @staticmethod
    def _kept(ref: InstanceRef, data_set: bytes, ts: str, made: Sequence[Made]) -> bytes | None:
        try:
            found = written(data_set, ts, made)
        except RadrelayError as error:
            raise NotYetCorrected(f"object {ref.sop_uid} cannot be given with corrected values: {error}") from error
        if found is not None and found[1] != ts:  # written anew it has another transfer syntax than is known of it
            raise NotYetCorrected
        return None if found is None else found[0]

    def _lacked(self, ref: InstanceRef) -> Sequence[Made]:
        if not ref.lacks and ref.study_id not in self._corrected_lately():
            return ()
        with self._database.read() as session:
            return uncorrected.lacked(session, ref.study_id, ref.id)

    def _corrected_lately(self) -> frozenset[uuid.UUID]:
        """Return the studies of which something may be read that was found before it was corrected."""
        with self._looking:
            if monotonic() - self._looked_at > LOOK_S:
                with self._database.read() as session:
                    self._studies = uncorrected.corrected_since(session, self._clock.now() - RECENT)
                self._looked_at = monotonic()
            return self._studies
