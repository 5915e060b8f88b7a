"""What can go wrong when somebody comes by single sign-on."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable


class SignOnUnavailable(Unavailable):
    """The provider of single sign-on does not answer just now; accounts with a password can log in all the same."""

    code = "oidc-unavailable"


class SignOnUntrusted(SignOnUnavailable):
    """The certificate of the provider of single sign-on does not hold; nothing was sent to it."""

    code = "oidc-untrusted"


class SignOnUnreadable(SignOnUnavailable):
    """What the provider of single sign-on answers makes no sense, or is too much."""

    code = "oidc-unreadable"


class SignOnRefusesUs(SignOnUnavailable):
    """The provider of single sign-on does not take what Radrelay says; see its client id, secret and redirect URI."""

    code = "oidc-refuses-us"


class NoSignOn(Conflict):
    """No single sign-on is set (RADRELAY_OIDC__ISSUER)."""

    code = "no-oidc"


class SignOnOver(Unauthenticated):
    """This sign-on took too long, was used before, or began in another browser; begin again."""

    code = "oidc-over"


class SignOnDeclined(Unauthenticated):
    """The provider of single sign-on did not let you in."""

    code = "oidc-declined"


class TokenDoubtful(Unauthenticated):
    """What the provider of single sign-on says of you does not hold; nobody was let in."""

    code = "oidc-token-doubtful"


class LoginTooWeak(Unauthenticated):
    """You logged in at the provider in a way that is not enough here."""

    code = "oidc-too-weak"


class NotAllowed(Forbidden):
    """Your account at the provider is in none of the groups that may come in here."""

    code = "oidc-not-allowed"


class NoNameGiven(Forbidden):
    """The provider does not say what you are called; an administrator sets the claim (oidc.username_claim)."""

    code = "oidc-no-name"


class GroupsNotGiven(Forbidden):
    """The provider did not send your groups, as a rule because they are too many; an administrator can narrow them."""

    code = "oidc-groups-not-given"


class NameTaken(Conflict):
    """An account with your name is here already; an administrator has to link it to your sign-on first."""

    code = "oidc-name-taken"


class NoAccount(Forbidden):
    """You have no account here yet; an administrator has to link one to your sign-on first."""

    code = "oidc-no-account"


class Suspended(Forbidden):
    """Your account here is suspended."""

    code = "oidc-suspended"


class AlreadyLinked(Conflict):
    """This account, or this sign-on, is linked already; end that first."""

    code = "oidc-already-linked"


class SignOnUnknown(NotFound):
    """There is no such sign-on."""

    code = "oidc-sign-on-unknown"


class LogoutRefused(Invalid):
    """This is no logout of the provider of single sign-on."""

    code = "oidc-logout-refused"
