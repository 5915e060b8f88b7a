"""The hot path before an acknowledgement: one object taken piece by piece, surveyed, digested, made durable.

A buffer is reused for all objects of an association and takes memory only as far as they reach. Objects above
`storage.large_object_bytes` stream into a file of their own while the buffer keeps their beginning for the survey,
so memory stays flat for any size. What is received is looked at to its end: an object may be cut off behind its pixel
data.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from radrelay.dicom.dialects import dialect
from radrelay.dicom.ending import Ending
from radrelay.dicom.errors import CutOff, Malformed
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.walk import HEAD_LIMIT, Bulk, Survey, survey
from radrelay.errors import RadrelayError
from radrelay.intake.envelope import Envelope, Kind, Origin, encode
from radrelay.intake.errors import ObjectMismatch, ObjectTooLarge
from radrelay.storage.scratch import Reserve
from radrelay.storage.segments import LargeWriter, RecordLocation, Ticket

if TYPE_CHECKING:
    from radrelay.intake.landing import Landing

KEPT_BYTES = 1 << 20
"""Of the buffer's memory, what stays between objects; beyond it, what the last object used."""
FLAWED_HEAD_BYTES = 256 << 10

Fragment = bytes | bytearray | memoryview
CutOffs = Literal["refuse", "keep", "take"]
"""What becomes of an object that is cut off behind what the survey looks at: refused (its sender still has it), kept
for the quarantine (of a file there may be no other), or taken (it is written anew here, and was looked at before).

Of a file the elements are stepped over from the first on, and the fragments of its pixel data; of what a sender waits
for, only what is behind native pixel data: nearly always nothing, so that nothing is spent on it.
"""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as sent: its name, size and media type, and which member of which archive it is.

    `thing` is what it is of, however that was packed (`Envelope.thing`).
    """

    name: str = ""
    size: int | None = None
    media_type: str = ""
    item_id: uuid.UUID | None = None
    thing: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """What was made durable. `survey` is none when the object is flawed, which sends it to the quarantine."""

    location: RecordLocation
    sha256: bytes
    size: int
    survey: Survey | None = None
    flaw: str = ""
    code: str = ""


NO_FILE = FileFacts()


class ObjectWriter:
    """Takes objects one after another from one origin; for one thread at a time.

    A failure on the way is kept and raised by `finish`, because a DIMSE sender must be let speak to its end.
    """

    __slots__ = (
        "_buffer",
        "_cut_offs",
        "_digest",
        "_ending",
        "_failure",
        "_given",
        "_inline_limit",
        "_kept",
        "_landing",
        "_large",
        "_length",
        "_reached",
        "_view",
        "origin",
    )

    def __init__(self, landing: Landing, origin: Origin, cut_offs: CutOffs = "take") -> None:
        self.origin = origin
        self._cut_offs = cut_offs
        self._landing = landing
        self._inline_limit = min(landing.settings.storage.large_object_bytes, landing.settings.dicom.max_object_bytes)
        self._buffer = Reserve(max(self._inline_limit, HEAD_LIMIT))
        self._view = self._buffer.view
        self._reached = 0  # how far into the buffer objects have come since it gave memory back
        self._length = 0  # of the object so far
        self._kept = 0  # of it in the buffer: all, or the beginning of a large one
        self._large: LargeWriter | None = None
        self._ending: Ending | None = None  # of a large one, as it passes
        self._digest = hashlib.sha256()
        self._failure: RadrelayError | None = None
        self._given = ("", "", "")

    def begin(self, sop_class_uid: str, sop_uid: str, transfer_syntax: str) -> None:
        """Start an object; what was begun before and not finished is forgotten."""
        self.abort()
        self._given = (sop_class_uid, sop_uid, transfer_syntax)

    def write(self, fragment: Fragment) -> None:
        """Take the next piece of the data set; what goes wrong is raised by `finish`."""
        end = self._length + len(fragment)
        if end <= self._inline_limit and self._large is None and self._failure is None:
            self._view[self._length : end] = fragment
            self._length = self._kept = end
        elif self._failure is None:
            try:
                self._write_beyond(fragment, end)
            except RadrelayError as error:
                self._failure = error
                self._drop_large()

    def _write_beyond(self, fragment: Fragment, end: int) -> None:
        settings = self._landing.settings
        if end > settings.dicom.max_object_bytes:
            raise ObjectTooLarge(
                f"the object is larger than dicom.max_object_bytes, {settings.dicom.max_object_bytes} bytes"
            )
        if self._large is None:
            self._landing.allowance.check(self.origin, end)
            self._large = self._landing.log.open_large()
            self._digest = hashlib.sha256(self._view[: self._kept])
            self._large.write(self._view[: self._kept])
            self._keep_head(fragment)
            self._ending = self._begun_ending()
            self._kept = min(self._kept, HEAD_LIMIT)
            self._buffer.give_back(HEAD_LIMIT)
        else:
            self._keep_head(fragment)
        if self._ending is not None:
            self._ending.feed(memoryview(fragment)[max(0, self._ending.begins - self._length) :])
        self._digest.update(fragment)
        self._large.write(fragment)
        self._length = end

    def _keep_head(self, fragment: Fragment) -> None:
        """Keep the beginning of a large object for the survey, however large the pieces are that it comes in."""
        if self._kept != self._length or self._kept >= HEAD_LIMIT:
            return
        wanted = min(self._kept + len(fragment), HEAD_LIMIT)
        self._view[self._kept : wanted] = memoryview(fragment)[: wanted - self._kept]
        self._kept = wanted

    def _begun_ending(self) -> Ending | None:
        """Return what looks at the rest of a large object; it has seen all that came before the present piece."""
        if self._cut_offs == "take":
            return None
        try:
            ending = self._ending_of(self.survey(1 << 62).bulk)
        except Malformed:  # the survey at its end tells
            ending = self._ending_of(None)
        if ending is not None:
            ending.feed(self._view[ending.begins : self._length])
        return ending

    def _ending_of(self, bulk: Bulk | None) -> Ending | None:
        """Return what is to be fed from the byte on where it begins; none where nothing is looked at."""
        if self._cut_offs == "take" or (self._cut_offs == "refuse" and (bulk is None or not bulk[1])):
            return None
        if bulk is not None:
            return Ending(bulk[2], bulk[0])
        syntax = syntax_of(self._given[2])
        if syntax.deflated:
            return None
        return Ending(dialect(explicit=syntax.explicit, little=syntax.little_endian), met=False)

    def _lacks(self, found: Survey) -> str:
        """Return what of the object is cut off behind what the survey looked at; nothing where all is there."""
        ending, bulk = self._ending, found.bulk
        if bulk is not None and bulk[1] == self._length:  # as nearly all are: nothing is behind
            return ""
        if self._large is None and (bulk is not None or found.head_length < self._length):
            ending = self._ending_of(bulk)
            if ending is not None:
                ending.feed(self._view[ending.begins : self._length])
        return ending.lacks if ending is not None else ""

    def raise_failure(self) -> None:
        """Raise what has gone wrong so far, for a caller that can stop reading."""
        if self._failure is not None:
            failure = self._failure
            self.abort()
            raise failure

    def finish(
        self,
        file: FileFacts = NO_FILE,
        *,
        keep_flawed: bool = False,
        flaw: str = "",
        wait: bool = True,
        received_at: datetime | None = None,
        stands_for: uuid.UUID | None = None,
    ) -> Landed:
        """End the object and make it durable (without `wait`: soon, in order). A known `flaw` spares the survey.

        `received_at` and `stands_for` are of a quarantined object that is landed again, with another identity.

        Raises `Malformed` when its structure cannot be followed (with `keep_flawed` it lands all the same, for the
        quarantine), `CutOff` where those are refused, `ObjectMismatch` when it is not the instance that was announced,
        `OutOfResources` and its kin when there is no room.
        """
        try:
            self.raise_failure()
            self._landing.allowance.check(self.origin, self._length)
            found, code = None, Malformed.code if flaw else ""
            if not flaw:
                found, flaw, code = self._judged(keep_flawed=keep_flawed)
            envelope = self._object_envelope(found, flaw, code, file)
            if stands_for is not None:
                received_at = received_at or envelope.received_at
                envelope = msgspec.structs.replace(envelope, received_at=received_at, stands_for=stands_for)
            return self._land(envelope, found, flaw, wait=wait)
        finally:
            self.abort()

    def finish_as(self, kind: Kind, file: FileFacts, *, wait: bool = True) -> Landed:
        """End what is not a data set (attachment, archive) and make it durable."""
        try:
            self.raise_failure()
            self._landing.allowance.check(self.origin, self._length)
            envelope = Envelope(
                kind=kind,
                origin=self.origin,
                received_at=self._landing.clock.now(),
                sha256=self._sha256(),
                size=self._length,
                file_name=file.name,
                file_size=file.size if file.size is not None else self._length,
                file_type=file.media_type,
                item_id=file.item_id,
                thing=file.thing,
            )
            return self._land(envelope, None, "", wait=wait)
        finally:
            self.abort()

    def survey(self, total: int | None = None) -> Survey:
        """Walk what is here of the object, which may have `total` bytes; raises `Malformed`."""
        sop_class_uid, sop_uid, transfer_syntax = self._given
        return survey(
            self._view,
            self._kept,
            transfer_syntax,
            sop_class_uid=sop_class_uid,
            sop_uid=sop_uid,
            total=self._length if total is None else total,
        )

    def _judged(self, *, keep_flawed: bool) -> tuple[Survey | None, str, str]:
        try:
            found = self.survey()
        except Malformed as error:
            if not keep_flawed or not self._length:
                raise
            return None, error.message, error.code
        lacks = self._lacks(found)
        if lacks and self._cut_offs == "refuse":
            raise CutOff(lacks)
        if lacks:
            return found, lacks, CutOff.code
        if not keep_flawed:
            _must_match("SOP Instance UID", self._given[1], found.sop_uid)
            _must_match("SOP Class UID", self._given[0], found.sop_class_uid)
        return found, "", ""

    def _sha256(self) -> bytes:
        if self._large is not None:
            return self._digest.digest()
        return hashlib.sha256(self._view[: self._length]).digest()

    def _object_envelope(self, found: Survey | None, flaw: str, code: str, file: FileFacts) -> Envelope:
        return Envelope(
            kind="object",
            origin=self.origin,
            received_at=self._landing.clock.now(),
            sha256=self._sha256(),
            size=self._length,
            transfer_syntax=self._given[2],
            sop_class_uid=found.sop_class_uid if found else self._given[0],
            sop_uid=found.sop_uid if found else self._given[1],
            study_uid=found.study_uid if found else "",
            series_uid=found.series_uid if found else "",
            file_name=file.name,
            file_size=file.size,
            file_type=file.media_type,
            flaw=flaw,
            code=code,
            item_id=file.item_id,
        )

    def _land(self, envelope: Envelope, found: Survey | None, flaw: str, *, wait: bool) -> Landed:
        log = self._landing.log
        if found is not None:
            head = min(found.head_length, self._kept)
        else:
            head = min(self._kept, FLAWED_HEAD_BYTES) if envelope.kind == "object" else 0
        ticket: Ticket
        if self._large is not None:
            large, self._large = self._large, None
            try:
                ticket = large.finish(encode(envelope), bytes(self._view[:head]))
            except BaseException:
                large.abort()
                raise
        else:
            ticket = log.append(encode(envelope), self._view[:head], self._view[head : self._length])
        if wait:
            log.wait_durable(ticket)
        whole = None if flaw else found
        return Landed(ticket.location, envelope.sha256, envelope.size, whole, flaw, envelope.code)

    def abort(self) -> None:
        """Forget the object; nothing of it was kept."""
        self._drop_large()
        self._ending = None
        if self._reached > KEPT_BYTES >= self._length > 0:
            self._buffer.give_back(KEPT_BYTES)
            self._reached = 0
        self._reached = max(self._reached, self._length)
        self._length = self._kept = 0
        self._failure = None

    def _drop_large(self) -> None:
        if self._large is not None:
            large, self._large = self._large, None
            large.abort()


def _must_match(what: str, announced: str, found: str) -> None:
    """Compare what the command set says with what the data set says (PS3.4 B.2.3, status A9xx)."""
    if announced and announced != found:
        raise ObjectMismatch(f"the data set's {what} is not the one announced")
