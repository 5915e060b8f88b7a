"""Why a walk becomes no draft, each by a name that whoever recorded it can act on. Nothing of a walk stands in them."""

from __future__ import annotations

from radrelay.errors import Invalid, TooLarge, Unavailable


class WalkUnreadable(Invalid):
    """This is no HAR file: a browser exports one from the network part of its tools."""

    code = "walk-unreadable"


class WalkTooLarge(TooLarge):
    """This walk is too large."""

    code = "walk-too-large"


class WalkEmpty(Invalid):
    """No answer of this walk is a ZIP or a DICOM file."""

    code = "walk-empty"


class WalkElsewhere(Invalid):
    """This walk does not come to the host of the import."""

    code = "walk-elsewhere"


class CodeShort(Invalid):
    """A code of so few characters is not found again in a walk."""

    code = "walk-code-short"


class CodeNowhere(Invalid):
    """The code stands nowhere in this walk: was it entered as it is here?"""

    code = "walk-code-nowhere"


class CodeWanted(Invalid):
    """The import knows no code that stands in this walk: name the one that was entered at the portal."""

    code = "walk-code-wanted"


class BirthDateNowhere(Invalid):
    """The birth date stands nowhere in this walk; if the portal does not ask for it, leave it out."""

    code = "walk-birth-date-nowhere"


class GivesAway(Invalid):
    """The draft would give the code or the birth date away: it stands in the name of a field or a path."""

    code = "walk-gives-away"


class WalkBusy(Unavailable):
    """Another walk is being read just now; try again in a moment."""

    code = "walk-busy"
