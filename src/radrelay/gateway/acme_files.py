"""What a site keeps of its certificate authority: whom to ask and as whom, the account's key, how it stands.

In the gateway's folder: `acme.json` (the plan), `acme-account.pem`, `acme-state.json`, and the certificate itself in
`public.pem`. Keys and the binding's key are encrypted under a key of the installation's keyring.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from radrelay.errors import Invalid
from radrelay.gateway.acme_account import AcmeAccount
from radrelay.gateway.authority import new_key
from radrelay.storage.durable_files import make_private_directory, write_durably

PURPOSE = "certificate for outside"
"""What the key of the keyring is derived for."""

CERTIFICATE_BYTES = 64 << 10
"""More than a certificate with its chain, its key and the state take."""

FILES = ("acme.json", "acme-account.pem", "acme-state.json")


@dataclass(frozen=True)
class AcmePlan:
    """Whom to ask, as it is kept."""

    directory: str
    contacts: tuple[str, ...] = ()
    terms_accepted: bool = False
    binding_id: str = ""
    binding_key: str = ""
    """Sealed."""


@dataclass(frozen=True)
class AcmeState:
    """How it stands."""

    renews_at: datetime | None = None
    again_at: datetime | None = None
    """After a failure: when it is tried again."""
    failures: int = 0
    code: str = ""
    detail: str = ""
    asked_at: datetime | None = None
    """When the authority was last asked for its own wish."""


class AcmeFiles:
    """The files of one site."""

    def __init__(self, folder: Path, metadata_key: bytes) -> None:
        """Use `folder`, and a key that follows from the keyring's metadata key."""
        key = hmac.new(metadata_key, PURPOSE.encode(), hashlib.sha256).digest()
        self._folder = folder
        self._seal = Fernet(base64.urlsafe_b64encode(key))
        self.password = key.hex().encode()

    @property
    def certificate(self) -> Path:
        """The certificate for outside with its key."""
        return self._folder / "public.pem"

    def plan(self) -> AcmePlan | None:
        """Return whom to ask; None where nobody is to be asked."""
        return plan_in(self._folder)

    def plan_version(self) -> int:
        """Return what changes whenever a plan is kept."""
        try:
            return (self._folder / FILES[0]).stat().st_mtime_ns
        except OSError:
            return 0

    def check_room(self) -> None:
        """Raise `OSError` where a certificate could not be kept."""
        with TemporaryFile(dir=self._folder) as probe:
            probe.write(os.urandom(CERTIFICATE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())

    def account(self, plan: AcmePlan, trust: Path | None) -> AcmeAccount:
        """Return the account of a plan; raises `Invalid` where the binding's key opens no more."""
        binding = None
        if plan.binding_id:
            try:
                binding = (plan.binding_id, self._seal.decrypt(plan.binding_key).decode())
            except InvalidToken as error:
                raise Invalid("the key of the external account cannot be opened: enter it again") from error
        return AcmeAccount(plan.directory, plan.contacts, plan.terms_accepted, binding, trust)

    def keep_plan(self, account: AcmeAccount) -> None:
        """Ask this authority from now on, and at once. Another directory gets another key."""
        before = self.plan()
        make_private_directory(self._folder)
        if before is not None and before.directory != account.directory:
            (self._folder / "acme-account.pem").unlink(missing_ok=True)
        name, secret = account.binding or ("", "")
        sealed = self._seal.encrypt(secret.encode()).decode() if name else ""
        if name and not secret and before is not None and before.binding_id == name:
            sealed = before.binding_key
        plan = AcmePlan(account.directory, account.contacts, account.terms_accepted, name, sealed)
        (self._folder / "acme-state.json").unlink(missing_ok=True)
        write_durably(self._folder / "acme.json", msgspec.json.encode(plan))

    def forget(self) -> bool:
        """Ask nobody any more; the certificate stays. Says whether anybody was asked."""
        was = (self._folder / FILES[0]).exists()
        for name in FILES:
            (self._folder / name).unlink(missing_ok=True)
        return was

    def state(self) -> AcmeState:
        """Return how it stands."""
        return state_in(self._folder)

    def keep_state(self, state: AcmeState) -> None:
        """Note how it stands."""
        write_durably(self._folder / "acme-state.json", msgspec.json.encode(state))

    def account_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the account's key; a new one where there is none that opens."""
        file = self._folder / "acme-account.pem"
        with suppress(OSError, ValueError):
            found = load_pem_private_key(file.read_bytes(), self.password)
            if isinstance(found, ec.EllipticCurvePrivateKey):
                return found
        made = new_key()
        write_durably(file, self.sealed(made))
        return made

    def sealed(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """Return a key as PEM that opens by our password alone."""
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self.password))

    def keep_certificate(self, pem: bytes) -> None:
        """Use a certificate from the next connection on."""
        make_private_directory(self._folder)
        write_durably(self.certificate, pem)


def plan_in(folder: Path) -> AcmePlan | None:
    """Return whom to ask by a gateway's folder."""
    try:
        return msgspec.json.decode((folder / "acme.json").read_bytes(), type=AcmePlan)
    except (OSError, msgspec.MsgspecError):
        return None


def state_in(folder: Path) -> AcmeState:
    """Return how it stands by a gateway's folder."""
    try:
        return msgspec.json.decode((folder / "acme-state.json").read_bytes(), type=AcmeState)
    except (OSError, msgspec.MsgspecError):
        return AcmeState()
