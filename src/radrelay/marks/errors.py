"""Errors of marks; the first paragraph of a docstring is the message.

RadrelayError
├── NotFound    MarkNotFound  NoMarks
├── Invalid     MarkInvalid  TooManyMarks
└── Conflict    MarkChanged  MarkDeleted
"""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound


class MarkNotFound(NotFound):
    """This mark is not here, or not for you to see."""

    code = "mark-not-found"


class NoMarks(NotFound):
    """There are no marks here that such an object could be made of."""

    code = "no-marks"


class MarkInvalid(Invalid):
    """This mark cannot be kept as it is."""

    code = "mark-invalid"


class TooManyMarks(Invalid):
    """This study has as many marks as it may have.

    Facts: `most`, and whether of `marks` or of `bytes`.
    """

    code = "too-many-marks"


class MarkChanged(Conflict):
    """Somebody else has changed this mark meanwhile.

    Fact: `mark`, as it is now.
    """

    code = "mark-changed"


class MarkDeleted(Conflict):
    """Somebody else has deleted this mark meanwhile.

    Fact: `revision`, which a change that brings it back is based on.
    """

    code = "mark-deleted"
