"""Attachments: read as sent, and made into DICOM objects of their study through the intake when a person says so."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from radrelay.app.core import Core
from radrelay.archive.errors import AttachmentNotFound, StudyNotFound
from radrelay.archive.models import Attachment, Study
from radrelay.dicom import encapsulate
from radrelay.dicom.encapsulate import NotADocument, Placing, StudyContext
from radrelay.dicom.part10 import parse_preamble
from radrelay.errors import TooLarge
from radrelay.intake.files import FileLander
from radrelay.intake.landing import Landing
from radrelay.intake.sources import SourceBook
from radrelay.storage.models import LandingRecord
from radrelay.storage.segments import RecordLocation
from radrelay.web.services import Conversion

CONVERTED_LIMIT = 512 << 20
PICTURES = ("image/jpeg", "image/png", "image/tiff", "image/bmp", "image/heic", "image/heif")


@dataclass(frozen=True)
class StoredAttachments:
    """Fulfils `web.services.Attachments`."""

    core: Core
    landing: Landing
    sources: SourceBook

    def stream(self, organisation_id: uuid.UUID, attachment_id: uuid.UUID) -> Iterator[bytes]:
        """Return an attachment's bytes as sent; raises `AttachmentNotFound` at once."""
        return self.core.segments.stream(self._place(organisation_id, attachment_id)[1])

    def convert(self, conversion: Conversion) -> Sequence[str]:
        """Land a PDF, a picture or a film as objects of its study; returns their SOP Instance UIDs."""
        row, place = self._place(conversion.organisation_id, conversion.attachment_id)
        if row.file_size > CONVERTED_LIMIT:
            raise TooLarge(f"a file of more than {CONVERTED_LIMIT} bytes is not converted")
        content = b"".join(self.core.segments.stream(place))
        files = self._files(row, content, self._study(conversion))
        source = self.sources.resolve("upload", organisation_id=conversion.organisation_id)
        origin = source.origin(
            peer=conversion.peer, correlation_id=conversion.correlation_id, account_id=conversion.account_id
        )
        lander = FileLander(self.landing, origin)
        for file in files:
            lander.land(row.file_name, [file])
        return [parse_preamble(file[:4096]).sop_uid for file in files]

    def _place(self, organisation_id: uuid.UUID, attachment_id: uuid.UUID) -> tuple[Attachment, RecordLocation]:
        with self.core.database.read() as session:
            row = session.get(Attachment, attachment_id)
            if row is None or row.organisation_id != organisation_id or row.record_id is None:
                raise AttachmentNotFound
            record = session.get(LandingRecord, row.record_id)
            if record is None:
                raise AttachmentNotFound
            session.expunge_all()
        return row, RecordLocation(record.id, record.owner, record.segment, record.epoch, record.offset, record.length)

    def _study(self, conversion: Conversion) -> StudyContext:
        with self.core.database.read() as session:
            study = session.scalar(
                sa.select(Study).where(
                    Study.organisation_id == conversion.organisation_id, Study.id == conversion.study_id
                )
            )
            if study is None:
                raise StudyNotFound
            return StudyContext(
                study_uid=study.study_uid,
                patient_name=study.patient_name,
                patient_id=study.patient_id_value,
                issuer=study.patient_issuer,
                birth_date=study.patient_birth_date,
                sex=study.patient_sex,
                study_date=study.study_date,
                study_time=study.study_time,
                accession=study.accession_number,
                study_id=study.study_id_value,
                study_description=study.description,
                referring=study.referring_physician,
            )

    def _files(self, row: Attachment, content: bytes, study: StudyContext) -> list[bytes]:
        placing = Placing(
            made_at=self.core.clock.now().astimezone(),
            series_uid=encapsulate.new_uid(),
            sop_uid=encapsulate.new_uid(),
            title=row.file_name.rsplit("/", 1)[-1][:64],
        )
        if row.file_type == "application/pdf":
            return [encapsulate.pdf_file(content, study, placing)]
        if row.file_type in PICTURES:
            return encapsulate.picture_files(content, study, placing)
        if row.file_type == "video/mp4":
            return [encapsulate.film_file(content, study, placing)]
        raise NotADocument("Only PDF, pictures and MP4 films become DICOM objects.")
