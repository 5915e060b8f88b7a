"""What can go wrong with destinations and deliveries."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError, Trouble, Unavailable


class DestinationNotFound(NotFound):
    """There is no such destination."""

    code = "destination-not-found"


class DestinationInvalid(Invalid):
    """The destination's settings cannot be right."""

    code = "destination-invalid"


class DestinationExists(DestinationInvalid):
    """Another destination has this name."""

    code = "destination-exists"


class DestinationInUse(Conflict):
    """Deliveries to this destination are still open; cancel them first."""

    code = "destination-in-use"


class DeliveryNotFound(NotFound):
    """There is no such delivery."""

    code = "delivery-not-found"


class StepRefused(RadrelayError):
    """The destination refuses what a modality said of a step."""

    code = "step-refused"


class StepNotBegun(RadrelayError):
    """The destination was not told that this step began, so it cannot be told how it went on."""

    code = "step-not-begun"


class DeliveryEnded(Conflict):
    """This delivery has already ended."""

    code = "delivery-ended"


class Interrupted(ConnectionError):
    """The way to a destination could not be opened, or was lost; `trouble` says why.

    `down`: nothing else can be sent there now either. `final`: trying again does not help.
    """

    def __init__(self, cause: RadrelayError, *, down: bool = False, final: bool = False) -> None:
        self.trouble = Trouble.of(cause)
        self.down = down
        self.final = final
        super().__init__(cause.message)


class ReceiptsVoid(Interrupted):
    """What had been written for a delivery is not there any more: all of it is sent again."""


class DeliveredStudyGone(NotFound):
    """The study is no longer here."""

    code = "delivered-study-gone"


class ProcessingRestricted(Conflict):
    """The patient has restricted processing: this is not sent until the data protection officer lifts that."""

    code = "processing-restricted"


class OwedAfterRestore(Conflict):
    """A rule sends this, but a backup was restored and it may have gone out since that was made; a person says so."""

    code = "owed-after-restore"


class DestinationOff(Conflict):
    """The destination was removed or switched off."""

    code = "destination-off"


class SecretUnreadable(Conflict):
    """The destination's password cannot be read; enter it again."""

    code = "secret-unreadable"


class ProbeRefused(Conflict):
    """The destination did not take the probe object."""

    code = "probe-refused"


class MailUnset(Unavailable):
    """No mail server is set up, so nobody can be told by mail."""

    code = "notice-mail-unset"


class DestinationPaused(Conflict):
    """The destination is paused; this waits until it goes on."""

    code = "destination-paused"


class DestinationDown(Conflict):
    """The destination does not answer; this waits until it does."""

    code = "destination-down"


class OutsideHours(Conflict):
    """This waits for the hours in which the destination is sent to."""

    code = "outside-hours"


class NotCommitted(Conflict):
    """The destination does not keep objects that it had taken."""

    code = "not-committed"


class CommitmentFromOther(Conflict):
    """A report of storage commitment came from another node than was asked, and does not count."""

    code = "commitment-from-other"


class CommitmentOverdue(Conflict):
    """The destination has all objects and has not said yet that it keeps them."""

    code = "commitment-overdue"


class FolderUnusable(Unavailable):
    """The folder cannot be written to."""

    code = "folder-unusable"


class ObjectsRefused(Conflict):
    """The destination refused some of the objects."""

    code = "objects-refused"


class ObjectsOpen(Conflict):
    """Some of the objects are not there yet."""

    code = "objects-open"


class ProjectDiffers(Invalid):
    """This destination takes copies by another project of pseudonyms."""

    code = "project-differs"


class CopiesNotCarried(Invalid):
    """A notice tells of a patient: no project of pseudonyms goes with it."""

    code = "copies-not-carried"


class ObjectsKeptBack(Conflict):
    """Objects that could not be made safe are kept back until a person has looked at them."""

    code = "objects-kept-back"


class OriginalNotSent(Conflict):
    """Copies alone go there: the original is not sent."""

    code = "original-not-sent"
