"""Where everything lands: durable and encrypted before it is acknowledged, indexed after.

One `Landing` per process writes one owner's segment log. Nothing here needs the database to answer: what the rows
will say stands in each record's envelope, and the order of records in one log says what came before what.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Protocol, Self

from radrelay.clock import Clock
from radrelay.intake.envelope import Envelope, Kind, Origin, encode
from radrelay.intake.files import FileLander, LandedFile
from radrelay.intake.object_writer import CutOffs, FileFacts, Fragment, Landed, ObjectWriter
from radrelay.settings import Settings
from radrelay.storage.keys import Keyring
from radrelay.storage.node import node_id, owner_name
from radrelay.storage.segment_owner import LandingInUse
from radrelay.storage.segments import SegmentLog

PROCESSES = 16  # of one role on one machine


class Allowance(Protocol):
    """Says whether a source may bring more; answers from memory, for it stands before each acknowledgement."""

    def check(self, origin: Origin, size: int) -> None:
        """Raise `QuotaExceeded` when `size` bytes more are too many for the origin's source."""
        ...


class Unlimited:
    """No quota."""

    def check(self, origin: Origin, size: int) -> None:
        """Allow everything."""


class Landing:
    """One process's way of making things durable; thread-safe."""

    def __init__(self, log: SegmentLog, settings: Settings, clock: Clock, allowance: Allowance | None = None) -> None:
        self.log = log
        self.settings = settings
        self.clock = clock
        self.allowance: Allowance = allowance or Unlimited()

    @classmethod
    def open(
        cls, settings: Settings, owner: str, keyring: Keyring, clock: Clock, allowance: Allowance | None = None
    ) -> Self:
        """Open the segment log of `owner` under the data directory, which no other process may have open.

        Where one has, as of several processes of one role, it is `owner-2`, and so on. Raises `LandingInUse`.
        """
        node = node_id(settings.data_dir)
        for number in range(1, PROCESSES + 1):
            name = owner_name(node, owner if number == 1 else f"{owner}-{number}")
            try:
                log = SegmentLog.open(settings.landing_dir, name, keyring, settings.storage)
                break
            except LandingInUse:
                if number == PROCESSES:
                    raise
        return cls(log, settings, clock, allowance)

    def open_object(
        self, origin: Origin, *, sop_class_uid: str = "", sop_uid: str = "", transfer_syntax: str = "",
        cut_offs: CutOffs = "take",
    ) -> ObjectWriter:  # fmt: skip
        """Return a writer for objects of `origin`, one after another; the first has begun if a syntax is given."""
        writer = ObjectWriter(self, origin, cut_offs)
        if transfer_syntax:
            writer.begin(sop_class_uid, sop_uid, transfer_syntax)
        return writer

    def land_file(self, origin: Origin, name: str, chunks: Iterable[Fragment]) -> LandedFile:
        """Land the file `name` as what its bytes say it is, durable on return.

        Raises `OutOfResources` and its kin when there is no room, and whatever `chunks` raises; then nothing is kept.
        """
        return FileLander(self, origin).land(name, chunks)

    def land_bytes(self, kind: Kind, origin: Origin, chunks: Iterable[Fragment], file: FileFacts) -> Landed:
        """Land an attachment or an archive as it is; durable on return unless it is a member of an archive."""
        writer = ObjectWriter(self, origin)
        try:
            for chunk in chunks:
                writer.write(chunk)
                writer.raise_failure()
            return writer.finish_as(kind, file, wait=file.item_id is None)
        finally:
            writer.abort()

    def note(self, origin: Origin, file: FileFacts, code: str, text: str, sop_uid: str = "") -> None:
        """Record that a file was not kept, and why; it becomes a finding of the origin's parcel."""
        if origin.parcel_id is None:
            return
        envelope = Envelope(
            kind="finding",
            origin=origin,
            received_at=self.clock.now(),
            file_name=file.name,
            file_size=file.size,
            file_type=file.media_type,
            code=code,
            text=text,
            sop_uid=sop_uid,
            item_id=file.item_id,
        )
        self.log.append(encode(envelope), b"", b"")

    def end(self, origin: Origin, archive_id: uuid.UUID | None = None, code: str = "", text: str = "") -> None:
        """Record that no more of this parcel (or archive) comes from here; durable on return, with all before.

        A `code` says that the archive could not be unpacked to its end, `text` why.
        """
        envelope = Envelope(
            kind="end",
            origin=origin,
            received_at=self.clock.now(),
            code=code,
            text=text,
            archive_id=archive_id,
        )
        self.log.wait_durable(self.log.append(encode(envelope), b"", b""))

    def close(self) -> None:
        """Close the log."""
        self.log.close()
