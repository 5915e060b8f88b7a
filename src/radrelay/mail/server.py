"""The site's mail server, by SMTP (RFC 5321) over TLS: STARTTLS (RFC 3207) or TLS from the first byte (RFC 8314).

Its certificate is verified always. In the clear only a server on this machine is spoken to, which the settings hold.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from radrelay.errors import Misconfigured, RadrelayError
from radrelay.mail.errors import (
    LetterPutOff,
    LetterRefused,
    MailLoginRefused,
    MailNotProtected,
    MailNotSet,
    MailSenderRefused,
    MailServerAway,
    MailServerTrouble,
    MailServerUntrusted,
    RecipientRefused,
)
from radrelay.mail.letters import Letter
from radrelay.settings import MailSettings

PORTS = {"starttls": 587, "tls": 465, "none": 25}
LONGEST_SAID = 200


class MailServer:
    """One server, as the settings name it."""

    def __init__(self, settings: MailSettings, house: str) -> None:
        self._settings = settings
        self._house = house

    @property
    def place(self) -> str:
        """Return host:port."""
        return f"{self._settings.host}:{self._port}"

    @property
    def _port(self) -> int:
        return self._settings.port or PORTS[self._settings.security]

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
        """Hold a connection on which the server knows who sends; raises `MailServerTrouble`."""
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise _trouble_of(error, self.place) from error
        try:
            yield server
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.host is None:
            raise MailNotSet
        own, timeout_s = socket.gethostname() or "localhost", settings.timeout_s
        context = self._context()
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, self._port, local_hostname=own, timeout=timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, self._port, local_hostname=own, timeout=timeout_s)
        try:
            if settings.security == "starttls":
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if settings.username:
                server.login(settings.username, self._password())
        except BaseException:
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        authorities = self._settings.ca_file
        try:
            return ssl.create_default_context(cafile=None if authorities is None else str(authorities))
        except OSError as error:
            raise Misconfigured(f"mail.ca_file {authorities} cannot be read: {error.strerror}") from error

    def _password(self) -> str:
        settings = self._settings
        if settings.password_file is None:
            return settings.password or ""
        try:
            return settings.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"mail.password_file {settings.password_file} cannot be read") from error

    def check(self) -> None:
        """Connect, log in, and ask for nothing; raises `MailServerTrouble`, `MailNotSet` or `Misconfigured`."""
        with self.connected() as server:
            try:
                server.noop()
            except (OSError, smtplib.SMTPException) as error:
                raise _trouble_of(error, self.place) from error

    def hand_over(self, server: smtplib.SMTP, recipient: str, letter: Letter, name: str, now: datetime) -> None:
        """Give the server a letter; `name` tells it from all others, each time that it is tried.

        Raises `RecipientRefused` or `LetterRefused` for good, `LetterPutOff` for now, `MailServerTrouble` for all.
        """
        message = self.message(recipient, letter, name, now)
        try:
            server.send_message(message, self._settings.sender, [recipient])
        except smtplib.SMTPRecipientsRefused as error:
            code, said = error.recipients[recipient]
            raise _refusal(code, said, RecipientRefused, recipient) from error
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, error.smtp_error, LetterRefused, recipient) from error
        except (OSError, smtplib.SMTPException) as error:
            raise _trouble_of(error, self.place) from error

    def send(self, recipient: str, letter: Letter, name: str, now: datetime) -> None:
        """Send one letter at once; raises as `connected` and `hand_over`."""
        with self.connected() as server:
            self.hand_over(server, recipient, letter, name, now)

    def message(self, recipient: str, letter: Letter, name: str, now: datetime) -> EmailMessage:
        """Return the message (RFC 5322; Auto-Submitted: RFC 3834)."""
        sender = self._settings.sender
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(self._house, addr_spec=sender)
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message["Content-Language"] = letter.language
        message.set_content(letter.text, charset="utf-8", cte="quoted-printable")
        return message


def _said(answer: bytes | str) -> str:
    """Return what a server said, as far as it can be shown."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LONGEST_SAID]


def _refusal(code: int, said: bytes | str, final: type[RadrelayError], recipient: str) -> RadrelayError:
    kind = final if 500 <= code < 600 else LetterPutOff
    text = f"the mail server answered {code} {_said(said)}"
    return kind(text, said=f"{code} {_said(said)}", recipient=recipient)


def _trouble_of(error: Exception, place: str) -> MailServerTrouble:
    """Return what an error means for whoever looks after the server."""
    if isinstance(error, ssl.SSLError):
        what = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason or str(error)
        return MailServerUntrusted(f"no TLS with {place}, its certificate does not hold: {what}", address=place)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return MailNotProtected(f"{place} lacks what is asked for: {_said(str(error))}", address=place)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return MailLoginRefused(f"{place} answered {error.smtp_code} {_said(error.smtp_error)}", address=place)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return MailSenderRefused(f"{place} answered {error.smtp_code} {_said(error.smtp_error)}", address=place)
    if isinstance(error, smtplib.SMTPServerDisconnected | OSError):
        reason = getattr(error, "strerror", None) or _said(str(error)) or type(error).__name__
        return MailServerAway(f"{place} does not answer: {reason}", address=place)
    return MailServerTrouble(f"{place} answers otherwise than it should: {_said(str(error))}", address=place)
