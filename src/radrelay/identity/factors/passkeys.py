"""Passkeys: what browsers are asked, and whether what they answer holds (W3C WebAuthn 3, 7.1 and 7.2).

A passkey is discoverable, so that it can be the only factor; then it must have verified who holds it. Attestation is
not asked for: which make somebody's key is says nothing about them.

The library is imported where it is used: it brings an OpenSSL of its own, and would be a tenth of every start.
"""

from __future__ import annotations

import ipaddress
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from radrelay.identity.factors.errors import PasskeyNotTaken, PasskeysNotHere
from radrelay.identity.factors.models import Factor
from radrelay.identity.factors.sealing import LASTS, SealedChallenge
from radrelay.identity.factors.values import PasskeySite
from radrelay.identity.values import AccountView
from radrelay.identity.verifiers import from_text

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

TIMEOUT_MS = int(LASTS.total_seconds() * 1000)
LONGEST_CREDENTIAL_ID, LONGEST_KEY = 1023, 2000
DEFAULT_PORTS = {"https": 443, "http": 80}


class NotProven(Exception):
    """A passkey's answer does not hold; says why, for the record."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What is kept of a passkey."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: str
    transports: str
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """What a passkey has signed."""

    sign_count: int
    backed_up: bool
    verified: bool


def site_of(address: str, name: str) -> PasskeySite:
    """Return where passkeys belong at a web address; raises `PasskeysNotHere` for one that browsers refuse."""
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    try:
        host = host.encode("idna").decode()
        port = parts.port
    except ValueError as error:
        raise PasskeysNotHere(address=address) from error
    local = host == "localhost" or host.endswith(".localhost")
    if not host or _is_ip(host) or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise PasskeysNotHere(address=address)
    shown = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return PasskeySite(host, f"{parts.scheme}://{host}{shown}", name)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def registration(
    site: PasskeySite, account: AccountView, challenge: SealedChallenge, known: Sequence[Factor]
) -> dict[str, Any]:
    """Return what `navigator.credentials.create` is asked, as JSON has it."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=site.name,
        user_name=account.username,
        user_id=account.id.bytes,
        user_display_name=account.full_name or account.username,
        challenge=challenge.value,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=_named(known),
    )
    return _as_json(options_to_json(options))


def request(site: PasskeySite, challenge: SealedChallenge, known: Sequence[Factor] | None) -> dict[str, Any]:
    """Return what `navigator.credentials.get` is asked: of known passkeys, or (None) of any, which must verify."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    verification = UserVerificationRequirement.REQUIRED if known is None else UserVerificationRequirement.PREFERRED
    options = generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge.value,
        timeout=TIMEOUT_MS,
        allow_credentials=_named(known or ()),
        user_verification=verification,
    )
    return _as_json(options_to_json(options))


def _as_json(text: str) -> dict[str, Any]:
    options = json.loads(text)
    return {name: value for name, value in options.items() if value is not None}


def _named(known: Sequence[Factor]) -> list[PublicKeyCredentialDescriptor]:
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[AuthenticatorTransport(name) for name in one.transports.split(",") if name],
        )
        for one in known
        if one.credential_id is not None
    ]


def taken(site: PasskeySite, challenge: SealedChallenge, given: Mapping[str, Any]) -> NewPasskey:
    """Return what is kept of a new passkey; raises `PasskeyNotTaken` for an answer that does not hold."""
    from webauthn import verify_registration_response
    from webauthn.helpers.structs import AuthenticatorTransport, CredentialDeviceType

    try:
        made = verify_registration_response(
            credential=dict(given),
            expected_challenge=challenge.value,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
        )
        response = given["response"]
        named = response.get("transports") if isinstance(response.get("transports"), list) else []
    except Exception as error:  # hostile CBOR and JSON make the library raise whatever they hit
        raise PasskeyNotTaken from error
    if len(made.credential_id) > LONGEST_CREDENTIAL_ID or len(made.credential_public_key) > LONGEST_KEY:
        raise PasskeyNotTaken
    transports = sorted({one.value for one in AuthenticatorTransport if one.value in named})
    return NewPasskey(
        made.credential_id,
        made.credential_public_key,
        made.sign_count,
        made.aaguid,
        ",".join(transports),
        made.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        made.credential_backed_up,
    )


def credential_id_of(given: Mapping[str, Any]) -> bytes:
    """Return which passkey an answer says that it is of; empty if it says nothing that can be one."""
    text = given.get("rawId")
    try:
        return from_text(text)[: LONGEST_CREDENTIAL_ID + 1] if isinstance(text, str) else b""
    except ValueError:
        return b""


def proven(
    site: PasskeySite, challenge: SealedChallenge, factor: Factor, given: Mapping[str, Any], *, alone: bool
) -> Signed:
    """Return what a passkey has signed; raises `NotProven`. `alone`: it is the only factor.

    A counter that does not grow may be a copy's (7.2, step 22): such an answer is refused. Whether a passkey may be
    backed up never changes (7.2, step 19).
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.structs import CredentialDeviceType

    try:
        signed = verify_authentication_response(
            credential=dict(given),
            expected_challenge=challenge.value,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=factor.public_key or b"",
            credential_current_sign_count=0,  # compared below, once the signature is known to be right
            require_user_verification=alone,
        )
        holder = _holder(given)
    except Exception as error:  # as above
        raise NotProven("wrong") from error
    if holder != factor.account_id.bytes and (alone or holder is not None):
        raise NotProven("account")
    if (signed.new_sign_count or factor.sign_count) and signed.new_sign_count <= factor.sign_count:
        raise NotProven("counter")
    if (signed.credential_device_type == CredentialDeviceType.MULTI_DEVICE) != factor.backup_eligible:
        raise NotProven("backup")
    return Signed(signed.new_sign_count, signed.credential_backed_up, signed.user_verified)


def _holder(given: Mapping[str, Any]) -> bytes | None:
    handle = given["response"].get("userHandle")
    return from_text(handle) if handle else None


def account_of(given: Mapping[str, Any]) -> uuid.UUID | None:
    """Return whose account a passkey's answer names; None if it names none."""
    try:
        handle = _holder(given)
        return uuid.UUID(bytes=handle) if handle else None
    except (KeyError, AttributeError, TypeError, ValueError):
        return None
