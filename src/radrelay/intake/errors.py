"""What intake refuses, and why."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound, OutOfResources, TooLarge, Unavailable


class ObjectTooLarge(TooLarge):
    """The object is larger than dicom.max_object_bytes allows."""

    code = "object-too-large"


class ObjectMismatch(Invalid):
    """The data set is not the SOP instance that the request names (PS3.4 B.2.3)."""

    code = "object-mismatch"
    dimse_status = 0xA900


class QuotaExceeded(OutOfResources):
    """The source has used up its quota; nothing was kept."""

    code = "quota-exceeded"


class SourceUnknown(NotFound):
    """No source of this kind is set up, or it is switched off."""

    code = "source-unknown"


class SourceInvalid(Invalid):
    """The source cannot be set up like this."""

    code = "source-invalid"


class SourceExists(SourceInvalid):
    """There is already a source of this name."""

    code = "source-exists"


class AeTitleTaken(SourceInvalid):
    """This AE title already leads to another source."""

    code = "ae-title-taken"


class RetentionTooLong(SourceInvalid):
    """A source's retention cannot be longer than its maximum age."""

    code = "retention-too-long"


class SourceInUse(Conflict):
    """The source still has studies; switch it off instead, or delete them first."""

    code = "source-in-use"


class ParcelUnknown(NotFound):
    """No such parcel is here."""

    code = "parcel-unknown"


class QuarantinedUnknown(NotFound):
    """Nothing by this id is in the quarantine."""

    code = "quarantined-unknown"


class AwaitingUnknown(NotFound):
    """Nothing by this id waits for release; somebody else may have been quicker."""

    code = "awaiting-unknown"


class ReleaseRefused(Conflict):
    """This object cannot be released from the quarantine like this."""

    code = "release-refused"


class ReleaseTooLate(ReleaseRefused):
    """The time that its source's objects may be kept is over."""

    code = "release-too-late"


class ReleaseWithoutSource(ReleaseRefused):
    """Its source was deleted, so nothing says how long it may be kept."""

    code = "release-without-source"


class ReleaseNotWritable(ReleaseRefused):
    """The object cannot be written with another identity."""

    code = "release-not-writable"


class ScannerUnavailable(Unavailable):
    """The virus scanner does not answer; what came in waits unseen until it does."""

    code = "scanner-unavailable"


class ArchiveRefused(Invalid):
    """The archive cannot be unpacked."""

    code = "archive-refused"


class ArchiveLimit(ArchiveRefused):
    """The archive goes beyond a limit on unpacking."""

    code = "archive-limit"


class ImportNotFound(NotFound):
    """There is nothing at this path."""

    code = "import-not-found"


class FileUnreadable(Invalid):
    """The file cannot be read."""

    code = "unreadable"
