"""What can go wrong with destinations and deliveries."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError, Trouble


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


class DeliveryEnded(Conflict):
    """This delivery has already ended."""

    code = "delivery-ended"


class Interrupted(ConnectionError):
    """An association could not be opened, or was lost; `trouble` says why."""

    def __init__(self, cause: RadrelayError) -> None:
        self.trouble = Trouble.of(cause)
        super().__init__(cause.message)


class DeliveredStudyGone(NotFound):
    """The study is no longer here."""

    code = "delivered-study-gone"


class ProcessingRestricted(Conflict):
    """The patient has restricted processing: this is not sent until the data protection officer lifts that."""

    code = "processing-restricted"


class DestinationOff(Conflict):
    """The destination was removed or switched off."""

    code = "destination-off"


class ObjectsRefused(Conflict):
    """The destination refused some of the objects."""

    code = "objects-refused"


class ObjectsOpen(Conflict):
    """Some of the objects are not there yet."""

    code = "objects-open"
