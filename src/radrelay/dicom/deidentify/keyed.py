"""What follows from a project's key: new UIDs, a patient's date shift, an alias where none is given.

In: a project and an original value. Out: always the same replacement, in every object and process, by HMAC-SHA-256;
nobody without the key can tell which original it belongs to, or try originals out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from radrelay.dicom.deidentify.options import Project

STANDARD_ROOT = "1.2.840.10008."
"""UIDs of the standard itself, which name classes and well-known frames, never a person's object (PS3.6 A)."""


def _digest(key: bytes, purpose: str, *parts: str) -> bytes:
    message = "\0".join((purpose, *parts)).encode("utf-8", "surrogateescape")
    return hmac.new(key, message, hashlib.sha256).digest()


@lru_cache(maxsize=1 << 16)
def _uid(key: bytes, original: str) -> str:
    return f"2.25.{int.from_bytes(_digest(key, 'uid', original)[:16], 'big')}"


def new_uid(project: Project, original: str) -> str:
    """Return the replacement of a UID (PS3.5 B.2); the standard's own UIDs, empty ones and `0` for none stay."""
    if original in ("", "0") or original.startswith(STANDARD_ROOT):
        return original
    return _uid(project.key, original)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose objects belong together within a project: an issuer and a patient ID, or what stands in their place."""

    issuer: str
    patient_id: str


def shift_days(project: Project, subject: Subject) -> int:
    """Return by how many days all of a patient's dates move: a negative number, back in time."""
    least, most = project.shift_days
    drawn = int.from_bytes(_digest(project.key, "shift", subject.issuer, subject.patient_id)[:8], "big")
    return -(least + drawn % (most - least + 1))


def derived_alias(project: Project, subject: Subject) -> str:
    """Return an alias of 13 letters and digits for a patient who was given none, so that no two are mixed up."""
    return base64.b32encode(_digest(project.key, "alias", subject.issuer, subject.patient_id)[:8]).decode().rstrip("=")
