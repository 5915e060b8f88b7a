"""What can go wrong when someone says who they are."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError, Unauthenticated


class LoginRefused(Unauthenticated):
    """The user name or the password is wrong."""

    code = "login-refused"


class ProofWanted(Unauthenticated):
    """This server takes no passwords: ask for a challenge and prove that you know it (docs/operations.md)."""

    code = "proof-wanted"


class ChallengeOver(LoginRefused):
    """This challenge is over, was answered before, or is none of ours; ask for a new one."""

    code = "challenge-over"


class DirectoryPasswordExpired(LoginRefused):
    """Your password has run out: set a new one where you log in to your workstation, then come back."""

    code = "directory-password-expired"


class SessionEnded(Unauthenticated):
    """This login has ended; log in again."""

    code = "session-ended"


class TokenRefused(Unauthenticated):
    """This API token is not valid, has expired or was revoked."""

    code = "token-refused"


class TooManyAttempts(RadrelayError):
    """Too many failed logins; wait before trying again."""

    code = "too-many-attempts"
    http_status = 429
    dimse_status = 0x0124


class PasswordWeak(Invalid):
    """The new password is too short, too long, or easily guessed."""

    code = "password-weak"


class PasswordCommon(PasswordWeak):
    """The new password is among those that are guessed first."""

    code = "password-common"


class PasswordNamesUser(PasswordWeak):
    """The new password contains the user name."""

    code = "password-names-user"


class AccountExists(Conflict):
    """An account with this user name exists."""

    code = "account-exists"


class OwnAccount(Conflict):
    """Nobody disables their own account."""

    code = "own-account"


class LastAdmin(Conflict):
    """This is the last administrator; make another one first."""

    code = "last-admin"


class PasswordInTheClear(Unauthenticated):
    """A password is taken over HTTPS alone; it was not looked at."""

    code = "password-in-the-clear"


class DirectoryKeepsPassword(Conflict):
    """The directory keeps this password; it is changed there."""

    code = "directory-keeps-password"


class OwnPasswordOnly(Conflict):
    """This account is not the directory's; without a password of its own nobody could log in with it."""

    code = "own-password-only"


class AccountDisabled(Conflict):
    """This account is disabled."""

    code = "account-disabled"


class SignUpClosed(NotFound):
    """Nobody signs up here by themselves; ask the site's administrators for an account."""

    code = "sign-up-closed"


class SignUpOver(NotFound):
    """This link was used before, is over, or a newer one was asked for; sign up again."""

    code = "sign-up-over"


class AddressLinkOver(NotFound):
    """This link was used before, is over, or another address was asked for since."""

    code = "address-link-over"


class KeptElsewhere(Conflict):
    """The directory or single sign-on keeps this name; it is changed there."""

    code = "kept-elsewhere"


class PasswordLinkOver(NotFound):
    """This link was used before, is over, or was taken back; ask for a new one."""

    code = "password-link-over"
