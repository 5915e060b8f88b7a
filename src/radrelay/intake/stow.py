"""Take one instance of a STOW-RS request (PS3.18 10.5): landed, or refused with the standard's failure reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import parse_preamble
from radrelay.errors import RadrelayError
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import ObjectMismatch
from radrelay.intake.files import HEAD_BYTES
from radrelay.intake.landing import Landing
from radrelay.intake.object_writer import FileFacts, Fragment, Landed, ObjectWriter

CANNOT_UNDERSTAND = 0xC000
MISMATCH = 0xA900
OUT_OF_RESOURCES = 0xA700
PROCESSING_FAILURE = 0x0110


@dataclass(frozen=True, slots=True)
class StowOutcome:
    """What became of one part. `failure_reason` (0008,1197) is none for a success; `error` says it in words.

    The UIDs are empty as far as they are not known.
    """

    sop_class_uid: str
    sop_uid: str
    study_uid: str
    series_uid: str
    landed: Landed | None = None
    failure_reason: int | None = None
    error: str = ""
    http_status: int = 200


class StowIntake:
    """Takes the parts of one request, one after another; for one thread."""

    def __init__(self, landing: Landing, origin: Origin, study_uid: str = "") -> None:
        """Take parts of any study, or of the one that the request's address names."""
        self._writer = ObjectWriter(landing, origin, "refuse")
        self._study_uid = study_uid

    def take_file(self, chunks: Iterable[Fragment], name: str = "") -> StowOutcome:
        """Take a part of type application/dicom: a DICOM file (PS3.10)."""
        stream = iter(chunks)
        prefix = bytearray()
        for chunk in stream:
            prefix += chunk
            if len(prefix) >= HEAD_BYTES:
                break
        try:
            head = parse_preamble(bytes(prefix))
        except Malformed as error:
            return self._refused(error, "", "")
        first: Iterator[Fragment] = iter([memoryview(prefix)[head.dataset_offset :]])
        count = [len(prefix)]

        def rest() -> Iterator[Fragment]:
            yield from first
            for chunk in stream:
                count[0] += len(chunk)
                yield chunk

        announced = (head.sop_class_uid, head.sop_uid)
        return self._take(rest(), head.transfer_syntax_uid, announced, name, count)

    def take_dataset(
        self,
        chunks: Iterable[Fragment],
        transfer_syntax_uid: str,
        announced: tuple[str, str] = ("", ""),
        name: str = "",
    ) -> StowOutcome:
        """Take a data set without file meta information, made from metadata and bulk data."""
        return self._take(iter(chunks), transfer_syntax_uid, announced, name, None)

    def _take(
        self, chunks: Iterator[Fragment], syntax: str, announced: tuple[str, str], name: str, count: list[int] | None
    ) -> StowOutcome:
        self._writer.begin(*announced, syntax)
        try:
            for chunk in chunks:
                self._writer.write(chunk)
                self._writer.raise_failure()
            found = self._writer.survey()
            if self._study_uid and found.study_uid != self._study_uid:
                raise ObjectMismatch("The instance is not of the study that the request's address names.")
            landed = self._writer.finish(FileFacts(name, count[0] if count else None, "application/dicom"))
        except RadrelayError as error:
            return self._refused(error, *announced)
        finally:
            self._writer.abort()
        return StowOutcome(found.sop_class_uid, found.sop_uid, found.study_uid, found.series_uid, landed)

    @staticmethod
    def _refused(error: RadrelayError, sop_class_uid: str, sop_uid: str) -> StowOutcome:
        status = error.dimse_status
        known = status if status in (CANNOT_UNDERSTAND, MISMATCH, OUT_OF_RESOURCES) else PROCESSING_FAILURE
        return StowOutcome(
            sop_class_uid,
            sop_uid,
            "",
            "",
            failure_reason=known,
            error=error.message,
            http_status=error.http_status,
        )
