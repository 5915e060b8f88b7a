"""Names for patients whom a principal may not know: the same patient has the same alias, and it tells nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

from radrelay.web.services import WebServices


def alias_of(organisation_id: uuid.UUID, patient_row_id: uuid.UUID) -> str:
    """Return the alias of a patient: derived from the row's random id, which stands in no answer and no object."""
    digest = hashlib.sha256(b"radrelay alias" + organisation_id.bytes + patient_row_id.bytes).digest()
    return "Patient " + base64.b32encode(digest[:5]).decode()


def token_of(key: bytes, organisation_id: uuid.UUID, uid: str) -> str:
    """Return what stands for a UID where it must not be told: equal for equal ones, and known to nobody without `key`.

    Nothing stands for nothing.
    """
    if not uid:
        return ""
    digest = hmac.digest(key, b"radrelay uid" + organisation_id.bytes + uid.encode(), "sha256")
    return digest[:12].hex()


def reference_of(services: WebServices, organisation_id: uuid.UUID, uid: str, *, clear: bool) -> str | None:
    """Return a Frame of Reference UID as it may be told to somebody of an organisation, null for none."""
    told = uid if clear else token_of(services.metadata_key, organisation_id, uid)
    return told or None
