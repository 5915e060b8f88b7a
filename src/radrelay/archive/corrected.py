"""Objects of corrected studies as faces hand them out: with the corrected values, though they are not rewritten yet.

Between a correction and the rewriting of its objects (`intake.correcting`) the same bytes are made while reading that
the rewriting lands. What cannot be made so is not handed out before it is written: nothing leaves under an old name.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from radrelay.errors import Invalid, RadrelayError, Unavailable
from radrelay.storage.database import Database
from radrelay.storage.packs import PackStore
from radrelay.storage.segments import SegmentReader

SYSTEM = "Radrelay"
LARGEST = 64 << 20
"""Of larger objects only what stands before their pixel data is made anew, or they wait until they are written."""
LOOK_S = 0.25
LOOKS_KEPT = 64
AGAIN_S = 5
RECENT = timedelta(hours=1)
"""For so long what was found before a correction may still be read by who found it."""


class NotYetCorrected(Unavailable):
    """The patient's data were corrected and this object is still to be written anew; try again in a moment."""

    code = "not-yet-corrected"

    def __init__(self, message: str = "") -> None:
        super().__init__(message, retry_after_s=AGAIN_S)


class TooLargeToCorrect(Invalid):
    """Objects of this size are not written anew."""

    code = "correction-too-large"


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


@dataclass(frozen=True, slots=True)
class Anew:
    """An object with what it lacked: its first bytes, where what was received goes on after them, its transfer syntax.

    All of it is `front` where nothing goes on (`rest` is none).
    """

    front: bytes
    rest: int | None
    ts: str


def anew(reader: InstanceReader, ref: InstanceRef, made: Sequence[Made], largest: int = LARGEST) -> Anew | None:
    """Return an object as it is with all corrections that it lacks; none if it lacks none.

    Of one above `LARGEST` only what stands before its pixel data is read and written; where that cannot be (deflated,
    big endian, no pixel data) it is made whole up to `largest` bytes. Raises `TooLargeToCorrect` above that, and what
    `written` raises.
    """
    if ref.size > LARGEST:
        header, syntax = reader.received_header(ref), syntax_of(ref.transfer_syntax_uid)
        if header.bulk is not None and not syntax.deflated and syntax.little_endian and header.little_endian:
            at = header.bulk[1]
            found = written(header.data[:at], ref.transfer_syntax_uid, made)
            return None if found is None else Anew(found[0], at, found[1])
        if ref.size > largest:
            raise TooLargeToCorrect(f"objects like this of more than {largest} bytes cannot be written anew")
    found = written(reader.received(ref), ref.transfer_syntax_uid, made)
    return None if found is None else Anew(found[0], None, found[1])


@dataclass(frozen=True, slots=True)
class _Look:
    """What a study's objects lacked at a moment of the monotonic clock."""

    at: float
    made: Sequence[Made]
    done: Mapping[uuid.UUID, int]


class CorrectedReader(InstanceReader):
    """Reads instances for all that goes out. Thread-safe; raises `NotYetCorrected` where `InstanceReader` would not."""

    def __init__(self, database: Database, clock: Clock, segments: SegmentReader, packs: PackStore) -> None:
        super().__init__(database, clock, segments, packs)
        self._lately: tuple[float, frozenset[uuid.UUID]] = float("-inf"), frozenset()
        self._looks: dict[uuid.UUID, _Look] = {}

    def pieces(self, ref: InstanceRef) -> list[bytes]:
        """Return the data set, as received or as corrected, in pieces."""
        made = self._made(ref)
        return super().pieces(ref) if made is None else list(self._joined(ref, made))

    def enclosed(self, ref: InstanceRef) -> bytes | None:
        """Return the data set with its kept HTJ2K frames in it; none, too, for one that is to be corrected."""
        return None if self._lacked(ref) else super().enclosed(ref)

    def stream(self, ref: InstanceRef) -> Iterator[bytes]:
        """Return the data set, as received or as corrected, in pieces; what cannot be given raises here, not later."""
        return self.measured(ref)[1]

    def measured(self, ref: InstanceRef) -> tuple[int, Iterator[bytes]]:
        """Return how many bytes the data set has, as received or as corrected, and its pieces."""
        made = self._made(ref)
        if made is None:
            return ref.size, self.received_stream(ref)
        return len(made.front) + (0 if made.rest is None else ref.size - made.rest), self._joined(ref, made)

    def mark(self, ref: InstanceRef) -> bytes:
        """Return what changes with any byte of the data set, as received or as corrected."""
        made = self._made(ref)
        return ref.sha256 if made is None else ref.sha256 + hashlib.sha256(made.front).digest()

    def head(self, ref: InstanceRef) -> bytes:
        """Return the data set's beginning; more of it, or all, of one that is corrected while it is read."""
        made = self._made(ref)
        return super().head(ref) if made is None else made.front

    def header(self, ref: InstanceRef) -> Header:
        """Return all attributes before the pixel data, corrected."""
        header, made = self.received_header(ref), self._lacked(ref)
        if not made:
            return header
        if header.bulk is None:
            return parse(b"".join(self.pieces(ref)), ref.transfer_syntax_uid)
        ts = EXPLICIT_LE if syntax_of(ref.transfer_syntax_uid).deflated else ref.transfer_syntax_uid
        at = header.bulk[1]
        with _as_corrected(ref):
            front = written(header.data[:at], ts, made)
        if front is not None and front[1] != ts:
            raise NotYetCorrected
        return header if front is None else parse(front[0] + header.data[at:], ts)

    def require(self, refs: Iterable[InstanceRef]) -> None:
        """Raise `NodeAway` or `NotYetCorrected` before an answer begins that could not end."""
        wanted = list(refs)
        super().require(wanted)
        for ref in wanted:
            if ref.size > LARGEST:
                self._made(ref)

    def _made(self, ref: InstanceRef) -> Anew | None:
        """Return the data set as it is to be, none if it is to be as received."""
        made = self._lacked(ref)
        if not made:
            return None
        with _as_corrected(ref):
            found = anew(self, ref, made)
        if found is not None and found.ts != ref.transfer_syntax_uid:
            raise NotYetCorrected  # written anew it has another transfer syntax than is known of it
        return found

    def _joined(self, ref: InstanceRef, made: Anew) -> Iterator[bytes]:
        yield made.front
        if made.rest is not None:
            yield from self.received_stream(ref, made.rest)

    def _lacked(self, ref: InstanceRef) -> Sequence[Made]:
        if not ref.lacks and ref.study_id not in self._corrected_lately():
            return ()
        look = self._looks.get(ref.study_id)
        if look is None or monotonic() - look.at > LOOK_S or (ref.lacks and ref.id not in look.done):
            at = monotonic()
            with self._database.read() as session:
                look = _Look(at, *uncorrected.lacking(session, ref.study_id))
            if len(self._looks) >= LOOKS_KEPT:
                self._looks = {}
            self._looks[ref.study_id] = look
        done = look.done.get(ref.id)
        return () if done is None else [one for one in look.made if one.number > done]

    def _corrected_lately(self) -> frozenset[uuid.UUID]:
        """Return the studies of which something may be read that was found before it was corrected."""
        at, studies = self._lately
        if monotonic() - at > LOOK_S:
            at = monotonic()
            with self._database.read() as session:
                studies = uncorrected.corrected_since(session, self._clock.now() - RECENT)
            self._lately = at, studies
        return studies


@contextmanager
def _as_corrected(ref: InstanceRef) -> Iterator[None]:
    """Say of whatever an object cannot be written anew for that it cannot be handed out yet."""
    try:
        yield
    except RadrelayError as error:
        raise NotYetCorrected(f"object {ref.sop_uid} cannot be given with corrected values: {error}") from error
