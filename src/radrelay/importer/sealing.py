"""Links and answers on their way to a portal, sealed row by row; nothing else of them is kept but a SHA-256."""

from __future__ import annotations

import json
import os
import uuid
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radrelay.importer.import_errors import LinkUnreadable

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Entered:
    """What somebody entered: a link, and the answers that the portal asks for, by its questions' ids."""

    link: str = field(repr=False)
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)


class LinkSeal:
    """Seals what was entered, bound to its import, and opens it."""

    def __init__(self, metadata_key: bytes) -> None:
        self._cipher = _Cipher(metadata_key, b"radrelay imports")

    def close(self, case_id: uuid.UUID, entered: Entered) -> bytes:
        """Return it sealed."""
        return self._cipher.close(case_id, {"link": entered.link, "answers": dict(entered.answers)})

    def open(self, case_id: uuid.UUID, sealed: bytes) -> Entered:
        """Return what was sealed; raises `LinkUnreadable`."""
        told = self._cipher.open(case_id, sealed, ("link", "answers"))
        return Entered(told["link"], told["answers"])

    def close_picture(self, case_id: uuid.UUID, picture: bytes) -> bytes:
        """Return the picture of a portal's page sealed."""
        return self._cipher.close(case_id, {"picture": b64encode(picture).decode("ascii")})

    def open_picture(self, case_id: uuid.UUID, sealed: bytes) -> bytes:
        """Return a picture that was sealed; raises `LinkUnreadable`."""
        return b64decode(self._cipher.open(case_id, sealed, ("picture",))["picture"])


@dataclass(frozen=True, slots=True)
class Reported:
    """What staff told of a failed portal: their words, the link, and the rest only if they agreed."""

    text: str = field(repr=False)
    link: str = field(repr=False)
    birth_date: str = field(default="", repr=False)
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)


class ReportSeal:
    """Seals what was reported, bound to its report, and opens it."""

    def __init__(self, metadata_key: bytes) -> None:
        self._cipher = _Cipher(metadata_key, b"radrelay import reports")

    def close(self, report_id: uuid.UUID, told: Reported) -> bytes:
        """Return it sealed."""
        return self._cipher.close(report_id, asdict(told) | {"answers": dict(told.answers)})

    def open(self, report_id: uuid.UUID, sealed: bytes) -> Reported:
        """Return what was sealed; raises `LinkUnreadable`."""
        return Reported(**self._cipher.open(report_id, sealed, ("text", "link", "birth_date", "answers")))


class _Cipher:
    """Seals JSON under a key of its own purpose, bound to the row that it stands in."""

    def __init__(self, metadata_key: bytes, purpose: bytes) -> None:
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, purpose).derive(metadata_key))

    def close(self, row_id: uuid.UUID, told: Mapping[str, Any]) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, json.dumps(dict(told)).encode(), row_id.bytes)

    def open(self, row_id: uuid.UUID, sealed: bytes, names: Sequence[str]) -> dict[str, Any]:
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row_id.bytes)
            told = json.loads(plain)
            return {name: told[name] for name in names}
        except (InvalidTag, ValueError, KeyError) as error:
            raise LinkUnreadable from error
