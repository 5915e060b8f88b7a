"""Objects of a multipart answer of WADO-RS, each landed as it comes and none of it held (PS3.18 8.7.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

from radrelay.dicom.multipart import PartEnded, PartEvent, PartStarted
from radrelay.dicom.part10 import parse_preamble
from radrelay.errors import RadrelayError
from radrelay.network.ports import Peer, StoreOutcome
from radrelay.network.statuses import SUCCESS
from radrelay.retrieve.dicom import FOREIGN, OfOneStudy, StudyStorage
from radrelay.retrieve.ports import Came, Order, Stop, Tell

HEAD_BYTES = 4096
NOT_ALL = 0xB000


class Taking:
    """Takes the objects of one order, over one request or many; counts what came, failed, and was of other studies."""

    def __init__(self, storage: StudyStorage, address: str, order: Order, tell: Tell, stop: Stop) -> None:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        peer = Peer(parts.hostname or "", port, "", "", None, order.correlation_id or uuid.uuid4().hex)
        self._gate = OfOneStudy(storage, order.study_uid)
        self._writer = self._gate.open_writer(peer)
        self._tell = tell
        self._stop = stop
        self._completed = self._failed = 0
        self._comment = ""
        self._cancelled = False

    def stopped(self) -> bool:
        """Tell whether nobody wants the rest any more."""
        self._cancelled = self._cancelled or self._stop()
        return self._cancelled

    def failed(self, comment: str) -> None:
        """Count an object that did not come."""
        self._failed += 1
        self._comment = comment

    def take(self, events: Iterator[PartEvent]) -> None:
        """Land each object; ends where nobody wants the rest. Raises `BadMultipart` where the answer breaks off."""
        try:
            for event in events:
                if isinstance(event, PartStarted):
                    if self.stopped():
                        return
                    self._one(events)
                if self._cancelled:
                    return
        finally:
            self._writer.abort()

    def came(self) -> Came:
        """Return how the order stands."""
        whole = not self._failed and not self._gate.foreign and not self._cancelled
        return Came(
            completed=self._completed,
            failed=self._failed,
            foreign=self._gate.foreign,
            status=SUCCESS if whole else NOT_ALL,
            comment=self._comment,
            cancelled=self._cancelled,
        )

    def _one(self, events: Iterator[PartEvent]) -> None:
        """Land one object; one that cannot be kept is read to its end, for the next to begin."""
        trouble: RadrelayError | None = None
        head = bytearray()
        begun = False
        for event in events:
            if isinstance(event, PartEnded):
                break
            if isinstance(event, PartStarted) or trouble is not None:
                continue
            if self.stopped():
                return
            if begun:
                self._writer.write(memoryview(event))
                continue
            head += event
            if len(head) >= HEAD_BYTES:
                trouble = self._begin(head)
                begun = True
        else:
            return
        if not begun and trouble is None:
            trouble = self._begin(head)
        self._end(trouble)

    def _begin(self, head: bytearray) -> RadrelayError | None:
        try:
            read = parse_preamble(bytes(head))
        except RadrelayError as error:
            return error
        self._writer.begin(read.sop_class_uid, read.sop_uid, read.transfer_syntax_uid)
        self._writer.write(memoryview(head)[read.dataset_offset :])
        return None

    def _end(self, trouble: RadrelayError | None) -> None:
        outcome = StoreOutcome(SUCCESS)
        if trouble is None:
            try:
                outcome = self._writer.finish()
            except RadrelayError as error:
                trouble = error
        if trouble is not None:
            self._writer.abort()
            self.failed(trouble.message)
        elif outcome.status == SUCCESS:
            self._completed += 1
        elif outcome.status != FOREIGN:
            self.failed(outcome.comment)
        self._tell(self.came())
