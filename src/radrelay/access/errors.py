"""What can go wrong when it is said who may do what."""

from __future__ import annotations

from radrelay.errors import Conflict


class GroupExists(Conflict):
    """A group of this name exists."""

    code = "group-exists"
