"""What can go wrong when it is said who may do what."""

from __future__ import annotations

import uuid

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound, RadrelayError, Unauthenticated


class GroupExists(Conflict):
    """A group of this name exists."""

    code = "group-exists"


class LinkRefused(Unauthenticated):
    """This link opens nothing, or nothing any more; ask for a new one."""

    code = "link-refused"


class LinkOver(Unauthenticated):
    """What this link opened is closed again; open the link once more, or ask for a new one."""

    code = "link-over"


class LinkAnswerWrong(Forbidden):
    """That was not right."""

    code = "link-answer-wrong"


class LinkCodeOver(Forbidden):
    """This code is over, or was used; ask for a new one."""

    code = "link-code-over"


class LinkEnded(Forbidden):
    """This link has ended; ask who made it for a new one."""

    code = "link-ended"


class LinkLooksOnly(Forbidden):
    """This link shows images in a browser, and hands none out; ask who made it for one that does."""

    code = "link-looks-only"


class LinkAsksForNone(Conflict):
    """This link asks for no code by e-mail."""

    code = "link-asks-for-none"


class LinkClosed(RadrelayError):
    """After several wrong answers this link is closed for a while."""

    code = "link-closed"
    http_status = 429
    dimse_status = 0x0124


class LaunchRefused(Unauthenticated):
    """This address opens nothing; open the images again from your program."""

    code = "launch-refused"
    organisation_id: uuid.UUID | None = None
    """On whose record it is; none where nobody knows. It is no fact, and not told to who asks."""

    def of(self, organisation_id: uuid.UUID) -> LaunchRefused:
        """Return the same as a refusal of an organisation's launch."""
        self.organisation_id = organisation_id
        return self


class LaunchExpired(LaunchRefused):
    """This address has run out; open the images again from your program."""

    code = "launch-expired"


class LaunchUsed(LaunchRefused):
    """This address was opened before, and opens once; open the images again from your program."""

    code = "launch-used"


class LaunchWithdrawn(LaunchRefused):
    """The program that this address is from may not open images here any more."""

    code = "launch-withdrawn"


class LaunchShut(LaunchRefused):
    """The account that these images are to be opened for is not here any more, or is shut."""

    code = "launch-shut"


class LaunchLost(LaunchRefused):
    """These images are not here any more, or not for the person that they are to be opened for."""

    code = "launch-lost"


class MayNotLaunch(Forbidden):
    """The viewer is opened for people by programs whose token may do so; an administrator makes one."""

    code = "launch-right"


class LaunchForNobody(NotFound):
    """There is no account of this name that can log in."""

    code = "launch-user"


class LinkWanted(Invalid):
    """A link cannot be made like this."""

    code = "link-wanted"


class BirthDateUnknown(LinkWanted):
    """The date of birth cannot protect this link: what it shows has none, or several."""

    code = "link-birth-date"


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


class RuleChanged(Conflict):
    """Somebody else has changed this rule meanwhile."""

    code = "rule-changed"


class RuleHasReleases(Conflict):
    """Studies are released by this rule: say whether these releases stay or end with it."""

    code = "rule-has-releases"
