"""Files that came with a study: read where they lie, and made into DICOM objects of the study when somebody says so.

What is made lands through the intake and joins the holding that the file came under: it ends with that, renews nothing,
and where that is gone before the index takes it, it comes too late. Its UIDs and its date come from the attachment:
converting twice gives the same objects, which are kept once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from radrelay.archive.errors import AttachmentNotFound, StudyNotFound
from radrelay.archive.instances import find_instances
from radrelay.archive.models import Attachment, Holding
from radrelay.archive.renditions import Renditions
from radrelay.clock import Clock
from radrelay.dicom.encapsulate import NotADocument, Placing, StudyContext, film_file, pdf_file, picture_files
from radrelay.errors import TooLarge
from radrelay.intake.envelope import Origin
from radrelay.intake.files import FileLander
from radrelay.intake.landing import Landing
from radrelay.intake.sources import get_source
from radrelay.intake.unpacking import location_of
from radrelay.storage.database import Database
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import RecordLocation, SegmentReader
from radrelay.web.services import Conversion

LARGEST = 256 << 20
NAMESPACE = uuid.UUID("7f6d1f0e-52c1-4b6a-9d0b-5a6f3f1f6f0a")


@dataclass(frozen=True, slots=True)
class _Found:
    """An attachment with where its bytes lie."""

    row: Attachment
    location: RecordLocation


class StoredAttachments:
    """Reads and converts attachments. Thread-safe."""

    def __init__(
        self, database: Database, clock: Clock, segments: SegmentReader, renditions: Renditions, landing: Landing
    ) -> None:
        self._database = database
        self._clock = clock
        self._segments = segments
        self._renditions = renditions
        self._landing = landing

    def stream(self, organisation_id: uuid.UUID, attachment_id: uuid.UUID) -> Iterator[bytes]:
        """Return the bytes as sent, in pieces; raises `AttachmentNotFound`."""
        location = self._find(organisation_id, attachment_id).location
        self._segments.require([location.owner])
        return self._segments.stream(location)

    def _find(self, organisation_id: uuid.UUID, attachment_id: uuid.UUID) -> _Found:
        with self._database.read() as session:
            found = session.execute(
                sa.select(Attachment, LandingRecord)
                .join(LandingRecord, LandingRecord.id == Attachment.record_id)
                .where(Attachment.organisation_id == organisation_id, Attachment.id == attachment_id)
            ).one_or_none()
            if found is None:
                raise AttachmentNotFound
            return _Found(found[0], location_of(found[1]))

    def convert(self, conversion: Conversion) -> Sequence[str]:
        """Land objects made from the attachment and return their SOP Instance UIDs.

        Raises `AttachmentNotFound`, `NotADocument` for a kind that DICOM has no object for, `TooLarge`.
        """
        found = self._find(conversion.organisation_id, conversion.attachment_id)
        if found.row.file_size > LARGEST:
            raise TooLarge(f"only files of up to {LARGEST} bytes can be made into DICOM objects")
        context = self._context(conversion)
        data = b"".join(self._segments.stream(found.location))
        lander = FileLander(self._landing, self._origin(conversion, found.row))
        landed = [lander.land(found.row.file_name, [file]) for file in _files(found.row, data, context)]
        return [one.landed.survey.sop_uid for one in landed if one.landed is not None and one.landed.survey is not None]

    def _context(self, conversion: Conversion) -> StudyContext:
        with self._database.read() as session:
            refs = find_instances(
                session,
                self._clock.now(),
                organisation_id=conversion.organisation_id,
                study_id=conversion.study_id,
            )
        if not refs:
            raise StudyNotFound
        return StudyContext.from_header(self._renditions.header(refs[0]))

    def _origin(self, conversion: Conversion, row: Attachment) -> Origin:
        with self._database.read() as session:
            holding = session.get(Holding, row.holding_id) if row.holding_id else None
            if holding is None:
                raise AttachmentNotFound
            source = get_source(session, conversion.organisation_id, holding.source_id)
        origin = source.origin(
            peer=conversion.peer, correlation_id=conversion.correlation_id, account_id=holding.account_id
        )
        return msgspec.structs.replace(origin, joins=holding.id)


def _uid(attachment_id: uuid.UUID, what: str) -> str:
    return f"2.25.{uuid.uuid5(NAMESPACE, f'{attachment_id} {what}').int}"  # PS3.5 B.2


def _files(row: Attachment, data: bytes, study: StudyContext) -> list[bytes]:
    """Return the DICOM files that an attachment becomes."""
    placing = Placing(
        made_at=row.received_at,
        series_uid=_uid(row.id, "series"),
        sop_uid=_uid(row.id, "instance"),
        title=row.file_name.rpartition("/")[2][:64],
    )
    if row.file_type == "application/pdf":
        return [pdf_file(data, study, placing)]
    if row.file_type == "video/mp4":
        return [film_file(data, study, placing)]
    if row.file_type.startswith("image/"):
        return picture_files(data, study, placing)
    raise NotADocument(f"a file of the kind {row.file_type or 'unknown'} cannot be made into a DICOM object")
