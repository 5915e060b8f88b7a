"""What can go wrong with displays and their checks."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound


class DisplayNotFound(NotFound):
    """There is no such display."""

    code = "display-not-found"


class DisplayInvalid(Invalid):
    """What was entered of the display cannot be right."""

    code = "display-invalid"


class DisplayExists(DisplayInvalid):
    """Another display of this workstation has this name."""

    code = "display-exists"


class TooManyDisplays(Conflict):
    """This workstation has as many displays as it may have; retire one of them first."""

    code = "too-many-displays"


class ElsewhereChecked(Forbidden):
    """This display belongs to another workstation; it can be checked there alone."""

    code = "display-elsewhere"


class CheckInvalid(Invalid):
    """What was entered of the check cannot be right."""

    code = "check-invalid"


class ReadingsUnusable(CheckInvalid):
    """The luminances do not rise with the grey values; one of them may be mistyped."""

    code = "readings-unusable"


class CheckTaken(Conflict):
    """Another check has this number already; a check is never changed."""

    code = "check-taken"
