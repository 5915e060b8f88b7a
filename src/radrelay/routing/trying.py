"""A destination is tried step by step, as by a button: what was looked at, what came of it, in how many ms."""

from __future__ import annotations

import hashlib
import socket
import ssl
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Literal

from cryptography import x509

from radrelay.dicom.probe import SECONDARY_CAPTURE, Probe
from radrelay.errors import Fact, RadrelayError, Trouble
from radrelay.network.errors import CertificateUntrusted, ContextRefused, NodeUnreachable, TlsRefused
from radrelay.network.sop_classes import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from radrelay.routing.carriers import Carrier, Errand
from radrelay.routing.errors import Interrupted, ProbeRefused
from radrelay.routing.models import Delivery, Destination
from radrelay.storage.ids import new_id

StepName = Literal["connect", "tls", "echo", "login", "folder", "letter", "probe"]
CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step: no `trouble` where it is as it should be."""

    name: StepName
    trouble: Trouble | None
    ms: float
    facts: Mapping[str, Fact] = field(default_factory=dict)


def step(name: StepName, run: Callable[[], Mapping[str, Fact]]) -> Step:
    """Take a step; what it raises as a `RadrelayError` or `Interrupted` stands against it."""
    began = monotonic()
    try:
        facts, trouble = run(), None
    except Interrupted as broken:
        facts, trouble = {}, broken.trouble
    except CertificateShown as shown:
        facts, trouble = shown.shown, Trouble.of(shown)
    except RadrelayError as error:
        facts, trouble = {}, Trouble.of(error)
    return Step(name, trouble, (monotonic() - began) * 1000, facts)


class CertificateShown(CertificateUntrusted):
    """The certificate is not trusted; `shown` is what it says."""

    def __init__(self, message: str, shown: Mapping[str, Fact], **facts: Fact) -> None:
        super().__init__(message, **facts)
        self.shown = shown


def look_at_tls(host: str, port: int, context: ssl.SSLContext) -> Mapping[str, Fact]:
    """Return what a server's certificate says, and how TLS is spoken.

    Raises `NodeUnreachable`, `TlsRefused`, `CertificateShown`.
    """
    address = f"{host}:{port}"
    try:
        with _connected(host, port) as sock, context.wrap_socket(sock, server_hostname=host) as secure:
            return _facts(secure)
    except ssl.SSLCertVerificationError as error:
        told = f"the certificate of {address} is not trusted: {error.verify_message}"
        raise CertificateShown(told, _unverified(host, port), address=address, host=host) from error
    except OSError as error:
        raise TlsRefused(f"no TLS with {address}: {error.strerror or error}", address=address, host=host) from error


def look_at_port(host: str, port: int) -> Mapping[str, Fact]:
    """Say that something listens there; raises `NodeUnreachable`."""
    with _connected(host, port):
        return {}


def _connected(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), CONNECT_S)
    except OSError as error:
        told = f"{host}:{port} cannot be reached: {error.strerror or error}"
        raise NodeUnreachable(told, address=f"{host}:{port}", host=host) from error


def _unverified(host: str, port: int) -> Mapping[str, Fact]:
    """Return what a certificate that is not trusted says; nothing is sent over this connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connected(host, port) as sock, context.wrap_socket(sock, server_hostname=host) as secure:
            return _facts(secure)
    except (OSError, RadrelayError):
        return {}


def _facts(secure: ssl.SSLSocket) -> Mapping[str, Fact]:
    raw = secure.getpeercert(binary_form=True)
    if raw is None:
        return {}
    certificate = x509.load_der_x509_certificate(raw)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return {
        "subject": certificate.subject.rfc4514_string()[:200],
        "issuer": certificate.issuer.rfc4514_string()[:200],
        "until": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        "days": left.days,
        "sha256": hashlib.sha256(raw).hexdigest(),
        "version": secure.version() or "",
    }


@dataclass(frozen=True, slots=True)
class ProbeItem:
    """A probe object as carriers take it."""

    probe: Probe
    instance_id: uuid.UUID = field(default_factory=new_id)
    sop_class_uid: str = SECONDARY_CAPTURE
    transfer_syntax: str = EXPLICIT_LITTLE

    @property
    def sop_uid(self) -> str:
        """Return its SOP Instance UID."""
        return self.probe.sop_uid

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return it in Explicit VR Little Endian; raises `ContextRefused`."""
        if EXPLICIT_LITTLE in accepted:
            return EXPLICIT_LITTLE, (self.probe.data_set,)
        if IMPLICIT_LITTLE in accepted:
            from radrelay.dicom.transcode import transcode  # noqa: PLC0415 -- brings the codecs, seldom needed

            return IMPLICIT_LITTLE, (transcode(self.probe.data_set, EXPLICIT_LITTLE, IMPLICIT_LITTLE),)
        raise ContextRefused


def send_probe(carrier: Carrier, destination: Destination, probe: Probe, now: datetime) -> Mapping[str, Fact]:
    """Send a probe object by a destination's own carrier; returns by what it is found there.

    Raises `Interrupted`, `ProbeRefused`.
    """
    item = ProbeItem(probe)
    delivery = Delivery(id=new_id(), organisation_id=destination.organisation_id, created_at=now, study_id=new_id())
    errand = Errand(delivery, destination, [item])
    with carrier.open(errand, [item]) as sending:
        answer = sending.send(item)
    if answer.trouble is not None or not (answer.status == 0 or 0xB000 <= answer.status <= 0xBFFF):
        status = f"{answer.status:04X}H"
        said = answer.trouble.detail if answer.trouble is not None else answer.comment
        raise ProbeRefused(f"the probe object was refused with {status} {said}".strip(), status=status, said=said)
    carrier.finish(errand)
    return {"study_uid": probe.study_uid, "sop_uid": probe.sop_uid}
