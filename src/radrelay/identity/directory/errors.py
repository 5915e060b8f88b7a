"""What can go wrong with the directory that people come from."""

from __future__ import annotations

from radrelay.errors import Conflict, Misconfigured, NotFound, Unavailable


class DirectoryUnavailable(Unavailable):
    """The directory does not answer just now; accounts with a password of their own can log in all the same."""

    code = "directory-unavailable"


class DirectoryBusy(DirectoryUnavailable):
    """Many ask the directory at once; try again in a moment."""

    code = "directory-busy"


class DirectoryUntrusted(DirectoryUnavailable):
    """The directory's certificate does not hold; nothing was sent to it."""

    code = "directory-untrusted"


class DirectoryRefusesUs(DirectoryUnavailable):
    """The directory does not let the reading account in; see directory.bind_dn and its password."""

    code = "directory-refuses-us"


class DirectoryUnreadable(DirectoryUnavailable):
    """What the directory answers makes no sense, or is not all; nothing was changed."""

    code = "directory-unreadable"


class NoDirectory(Conflict):
    """No directory is set (RADRELAY_DIRECTORY__URLS)."""

    code = "no-directory"


class DirectoryRunning(Conflict):
    """The directory is being read already; wait until that has ended."""

    code = "directory-running"


class DirectoryRunUnknown(NotFound):
    """There is no such run of the directory."""

    code = "directory-run-unknown"


class BonsaiMissing(Misconfigured):
    """A directory is set (directory.urls), but its library is not installed: pip install 'radrelay[ldap]'."""

    code = "bonsai-missing"
