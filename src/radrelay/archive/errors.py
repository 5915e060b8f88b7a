"""What the archive refuses, and how it says so."""

from __future__ import annotations

from radrelay.errors import Forbidden, Invalid, NotFound


class StudyNotFound(NotFound):
    """This study is not here, or not for you to see."""

    code = "study-not-found"


class SeriesNotFound(NotFound):
    """This series is not here, or not for you to see."""

    code = "series-not-found"


class InstanceNotFound(NotFound):
    """This instance is not here, or not for you to see."""

    code = "instance-not-found"


class AttachmentNotFound(NotFound):
    """This attachment is not here, or not for you to see."""

    code = "attachment-not-found"


class CursorInvalid(Invalid):
    """This place in the list is not known; start again from its beginning."""

    code = "cursor-invalid"


class IdentityHidden(Forbidden):
    """You may look at this study, but not at whom it is of: it cannot be handed out as it is."""

    code = "identity-hidden"
