"""What can go wrong with destinations and deliveries."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound


class DestinationNotFound(NotFound):
    """There is no such destination."""

    code = "destination-not-found"


class DestinationInvalid(Invalid):
    """The destination's settings cannot be right."""

    code = "destination-invalid"


class DestinationInUse(Conflict):
    """Deliveries to this destination are still open; cancel them first."""

    code = "destination-in-use"


class DeliveryNotFound(NotFound):
    """There is no such delivery."""

    code = "delivery-not-found"


class DeliveryEnded(Conflict):
    """This delivery has already ended."""

    code = "delivery-ended"
