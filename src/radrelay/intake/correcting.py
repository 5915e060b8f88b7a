"""Objects of corrected studies written anew: with the corrected values and an item of the Original Attributes Sequence.

In: what the index says is still open, again and again. Out: landed objects that the index puts in the place of what was
received, which stays, byte for byte. It is the same bytes however often that is tried, so a crash in between adds
nothing; of several corrections each leaves an item of its own.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import msgspec
import structlog

from radrelay.archive import corrected, uncorrected
from radrelay.archive.corrected import Anew
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Holding
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.errors import Invalid, RadrelayError
from radrelay.intake.envelope import Origin
from radrelay.intake.landing import Landing
from radrelay.intake.sources import get_source
from radrelay.storage.database import Database

log = structlog.get_logger(__name__)

BATCH = 200
AGAIN = timedelta(minutes=2)  # what has landed is in the index long before
HOPELESS = timedelta(hours=1)  # what cannot be written is tried again, for what it lacks may be mended
LARGEST = 512 << 20
"""So large is what is written anew as a whole, where what stands before the pixel data cannot be by itself."""


class CorrectionLanding:
    """Writes and lands what is open; for one process of an installation."""

    def __init__(self, database: Database, reader: InstanceReader, landing: Landing, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._landing = landing
        self._clock = clock
        self._not_before: dict[tuple[uuid.UUID, int], datetime] = {}

    def run(self) -> int:
        """Look once; returns how many objects have landed."""
        now, landed = self._clock.now(), 0
        with self._database.read() as session:
            if not uncorrected.any_open(session):
                return 0
            found = uncorrected.pending(session, BATCH + len(self._not_before))
        still = {(instance_id, done) for _, _, instance_id, done in found}
        self._not_before = {one: at for one, at in self._not_before.items() if one in still and at > now}
        for organisation_id, study_id, instance_id, done in found:
            if (instance_id, done) in self._not_before:
                continue
            pause = AGAIN
            try:
                landed += self._correct(organisation_id, study_id, instance_id, done)
            except RadrelayError as error:
                pause = HOPELESS if isinstance(error, Invalid) else AGAIN
                log.error("object not corrected", instance=str(instance_id), reason=error.code)
            self._not_before[instance_id, done] = now + pause
        with self._database.read() as session:
            written = uncorrected.settled(session)
        if written:
            with self._database.write() as session:
                uncorrected.settle(session, now)
        return landed

    def _correct(self, organisation_id: uuid.UUID, study_id: uuid.UUID, instance_id: uuid.UUID, done: int) -> bool:
        with self._database.read() as session:
            made = [one for one in uncorrected.corrections_of(session, study_id) if one.number > done]
            refs = find_instances(
                session, self._clock.now(), organisation_id=organisation_id, instance_ids=[instance_id]
            )
            if not made or not refs:
                return False
            holding = session.get(Holding, refs[0].holding_id)
            source = get_source(session, organisation_id, holding.source_id) if holding is not None else None
        if holding is None or source is None:
            return False
        anew = corrected.anew(self._reader, refs[0], made, LARGEST)
        if anew is None:
            with self._database.write() as session:
                uncorrected.note_conforming(session, instance_id, made[-1].number)
            return False
        origin = msgspec.structs.replace(
            source.origin(account_id=holding.account_id), scan=False, joins=holding.id, corrects=instance_id,
            correction=made[-1].number,
        )  # fmt: skip
        self._land(origin, refs[0], anew)
        return True

    def _land(self, origin: Origin, ref: InstanceRef, anew: Anew) -> None:
        writer = self._landing.open_object(
            origin, sop_class_uid=ref.sop_class_uid, sop_uid=ref.sop_uid, transfer_syntax=anew.ts
        )
        try:
            writer.write(anew.front)
            if anew.rest is not None:
                for piece in self._reader.received_stream(ref, anew.rest):
                    writer.write(piece)
            writer.finish()
        finally:
            writer.abort()
