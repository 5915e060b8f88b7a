"""Signatures over places in a chain: heads, roots and checkpoints, by HMAC-SHA-256 under the audit's root key.

Each says what it is about, so that none can stand for another.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Literal

from radrelay.audit.patients import AuditKeys

Kind = Literal["head", "root", "checkpoint"]


def signature(
    keys: AuditKeys, kind: Kind, writer: str, sequence: int, digest: bytes, at: datetime | None = None
) -> bytes:
    """Return the 32 bytes that say: at `sequence` the chain `writer` had the hash `digest`; heads have no time."""
    text = f"{kind}\n{writer}\n{sequence}\n{'' if at is None else at.isoformat()}\n".encode()
    return hmac.new(keys.root, text + digest, hashlib.sha256).digest()


def is_ours(
    keys: AuditKeys, kind: Kind, writer: str, sequence: int, digest: bytes, at: datetime | None, given: bytes | None
) -> bool:
    """Say whether `given` is that signature."""
    return given is not None and hmac.compare_digest(signature(keys, kind, writer, sequence, digest, at), given)
