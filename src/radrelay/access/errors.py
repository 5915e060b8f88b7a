"""What can go wrong when it is said who may do what."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound


class GroupExists(Conflict):
    """A group of this name exists."""

    code = "group-exists"


class DirectoryMember(Conflict):
    """This member comes from the directory; take it out of the group there."""

    code = "directory-member"


class GrantChanged(Conflict):
    """Somebody else has changed this grant meanwhile."""

    code = "grant-changed"


class LastSight(Conflict):
    """After this nobody could see any study here."""

    code = "last-sight"


class GranteeGone(NotFound):
    """Whom this is for is not here, or no longer."""

    code = "grantee-gone"


class EndPast(Invalid):
    """A grant ends in the future."""

    code = "end-past"


class BeyondOwn(Forbidden):
    """Nobody gives more than they have themselves, nor for longer."""

    code = "beyond-own"
