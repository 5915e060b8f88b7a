"""Every certificate that this machine shows or trusts by a file of its own, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from radrelay.app.findings import Finding, State
from radrelay.gateway.acme_files import plan_in, state_in
from radrelay.gateway.credentials import enrolments
from radrelay.settings import Settings

Kind = Literal[
    "public", "agent", "pages", "dicom", "dicom-ca", "hl7", "hl7-ca", "hl7-receiver-ca", "directory-ca", "sign-on-ca",
    "mail-ca", "audit", "audit-ca", "acme-ca",
]  # fmt: skip
DAY = timedelta(days=1)
STAGES = (21, 7, 1)
"""Days before its end at which a certificate is told of; 0 once it has ended."""

MOST = 20
"""A file with more certificates is a whole trust store of others', which sees to its own."""


@dataclass(frozen=True)
class SiteCertificate:
    """One certificate. `renews_at`: it is renewed without us by then, so that its end is news only afterwards."""

    kind: Kind
    file: Path
    subject: str
    fingerprint: str
    ends_at: datetime
    renews_at: datetime | None = None

    def stage(self, now: datetime) -> int | None:
        """Return the nearest stage that is reached, None before the first."""
        if now >= self.ends_at:
            return 0
        if self.renews_at is not None and now < self.renews_at + min(DAY, (self.ends_at - self.renews_at) / 2):
            return None
        return min((days for days in STAGES if self.ends_at - now <= DAY * days), default=None)


def site_certificates(settings: Settings) -> Iterator[SiteCertificate]:
    """Yield those that can be read; what cannot is told where it is used."""
    public, _ = settings.public_certificate
    enrolled = enrolments(settings.gateway_dir / "relays")
    asked = plan_in(settings.gateway_dir) is not None and settings.agent.tls_certificate is None
    renews_at = state_in(settings.gateway_dir).renews_at if asked else None
    if enrolled and public is not None and settings.agent.onward is None and public != settings.web.tls_certificate:
        yield from _shown("public", public, renews_at)
    for one in enrolled:
        yield from _shown("agent", one.folder / "agent.pem", one.renews_at)
    for kind, file in _files(settings):
        if file is not None:
            yield from _trusted(kind, file) if kind.endswith("-ca") else _shown(kind, file)


def certificate_findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield what `doctor` says of those that no other finding tells of."""
    for one in site_certificates(settings):
        if one.kind in ("public", "pages"):
            continue
        left, stage = (one.ends_at - now).days, one.stage(now)
        state: State = "good" if stage is None else "look" if stage > 1 else "bad"
        text = f"{one.subject}: lasts {max(0, left)} days more" if stage != 0 else f"{one.subject}: has ended"
        advice = "" if state == "good" else f"replace {one.file}"
        yield Finding(f"certificate {one.kind}", state, text, advice)


def _files(settings: Settings) -> Iterator[tuple[Kind, Path | None]]:
    yield "pages", settings.web.tls_certificate
    yield "dicom", settings.dicom.tls_certificate
    yield "dicom-ca", settings.dicom.tls_ca
    yield "hl7", settings.hl7.tls_certificate
    yield "hl7-ca", settings.hl7.tls_ca
    for receiver in settings.hl7.receivers:
        yield "hl7-receiver-ca", receiver.tls_ca
    yield "directory-ca", settings.directory.ca_file
    yield "sign-on-ca", settings.oidc.ca_file
    yield "mail-ca", settings.mail.ca_file
    if settings.audit.repository is not None:
        yield "audit", settings.audit.repository.certificate
        yield "audit-ca", settings.audit.repository.ca
    yield "acme-ca", settings.agent.acme_trust


def _shown(kind: Kind, file: Path, renews_at: datetime | None = None) -> Iterator[SiteCertificate]:
    """Yield what ends first of a chain: without it the rest proves nothing."""
    found = _read(file)
    if found:
        yield _one(kind, file, min(found, key=lambda one: one.not_valid_after_utc), renews_at)


def _trusted(kind: Kind, file: Path) -> Iterator[SiteCertificate]:
    """Yield each authority of a file; of several of one name the one that lasts longest."""
    found = _read(file)
    longest: dict[x509.Name, x509.Certificate] = {}
    for one in sorted(found, key=lambda one: one.not_valid_after_utc):
        longest[one.subject] = one
    if len(found) <= MOST:
        for one in longest.values():
            yield _one(kind, file, one, None)


def _read(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []


def _one(kind: Kind, file: Path, one: x509.Certificate, renews_at: datetime | None) -> SiteCertificate:
    fingerprint = one.fingerprint(hashes.SHA256()).hex()[:24]
    return SiteCertificate(kind, file, _name(one), fingerprint, one.not_valid_after_utc, renews_at)


def _name(one: x509.Certificate) -> str:
    """Return what a certificate is called: its common name, or all of its name, or its first host."""
    common = one.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if common:
        return str(common[0].value)
    if one.subject.rdns:
        return one.subject.rfc4514_string()
    try:
        names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return next(iter(names.get_values_for_type(x509.DNSName)), "")
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ""
