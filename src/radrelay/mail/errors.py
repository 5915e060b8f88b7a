"""What can go wrong with mail; of the server's troubles each says what to look at."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, RadrelayError, Unavailable


class MailNotSet(Conflict):
    """No mail server is set (mail.host, mail.sender)."""

    code = "mail-not-set"


class AddressInvalid(Invalid):
    """This is no e-mail address."""

    code = "mail-address"


class MailServerTrouble(Unavailable):
    """The mail server does not take letters just now; they wait."""

    code = "mail-server"


class MailServerAway(MailServerTrouble):
    """The mail server does not answer."""

    code = "mail-server-away"


class MailServerUntrusted(MailServerTrouble):
    """The mail server's certificate does not hold: letters wait until it does (mail.host, mail.ca_file)."""

    code = "mail-certificate"


class MailNotProtected(MailServerTrouble):
    """The mail server offers no TLS by STARTTLS, and nothing is sent in the clear (mail.security)."""

    code = "mail-no-tls"


class MailLoginRefused(MailServerTrouble):
    """The mail server refuses the user name or the password (mail.username, mail.password)."""

    code = "mail-login"


class MailSenderRefused(MailServerTrouble):
    """The mail server refuses the sender (mail.sender)."""

    code = "mail-sender"


class LetterPutOff(RadrelayError):
    """The mail server does not take this letter yet."""

    code = "mail-put-off"


class RecipientRefused(RadrelayError):
    """The mail server does not know the recipient, or does not send there."""

    code = "mail-recipient"


class LetterRefused(RadrelayError):
    """The mail server refuses this letter."""

    code = "mail-refused"


class LetterLate(RadrelayError):
    """The letter could not be sent in time, and was given up."""

    code = "mail-late"
