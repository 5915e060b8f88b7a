"""A mail server on loopback (aiosmtpd) that demands STARTTLS, and may refuse, stand still or go away."""

from __future__ import annotations

import email
import email.policy
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_port

PASSWORD = "the server's own"
SENDER = "radrelay@clinic.example"


@dataclass
class MailHost:
    """The server, and what it has taken."""

    authority: trustme.CA
    name: str = "localhost"
    answers: dict[str, str] = field(default_factory=dict)
    """What it says to a recipient, beside 250."""
    protected: bool = True
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    port: int = 0
    _controller: Controller | None = None

    def __post_init__(self) -> None:
        self.port = free_port()

    def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(self.name).configure_cert(context)
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=_authenticate, auth_require_tls=True,
            tls_context=context if self.protected else None, require_starttls=self.protected,
        )  # fmt: skip
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        self.recipients.append(address)
        if address not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get(address, "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server, session
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.letters.append(message)
        return "250 taken"

    def settings(self, folder: Path, **more: object) -> dict[str, object]:
        """Return the settings by which Radrelay sends here."""
        path = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(path)
        own = {"username": "radrelay", "password": PASSWORD} if self.protected else {}
        return {"host": "localhost", "port": self.port, "sender": SENDER, "ca_file": path, "timeout_s": 5} | own | more


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
) -> AuthResult:
    del server, session, envelope, mechanism
    return AuthResult(success=given.password == PASSWORD.encode(), handled=False)
