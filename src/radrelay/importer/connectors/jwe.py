"""Files of SMART Health Links unsealed while they come: compact JWE, `dir` with A256GCM (RFC 7516 7.1, RFC 7518 5.3).

In: the text, in pieces of any size. Out: what it holds, in pieces, to be believed only after `finish`, for the tag is
at the end: whoever takes the pieces forgets them if it raises. Nothing is held, so a study of gigabytes passes, which
libraries of JOSE do not let. `zip` may be `DEF` (RFC 7516 4.1.3); what is inflated is bounded as a whole and by what
came.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import AEADDecryptionContext, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from radrelay.importer.downloading import Sink
from radrelay.importer.errors import ParcelTooLarge, WrongContent

MOST_HEADER, IV_CHARACTERS, TAG_BYTES = 8 << 10, 16, 16
PIECE = 256 << 10
FREELY_INFLATED, MOST_RATIO = 64 << 20, 100
_ALPHABET = re.compile(rb"[A-Za-z0-9_-]*")
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Unsealing:
    """A sink for one sealed file; what it holds goes on to `plain`. Begun anew, it forgets what came."""

    def __init__(self, key: bytes, plain: Sink, host: str, most: int) -> None:
        self._key, self._plain, self._host, self._most = key, plain, host, most
        self._reset()

    def _reset(self) -> None:
        self._part, self._held = 0, b""
        self._protected, self._opened = b"", None
        self._inflate: zlib._Decompress | None = None
        self._came = self._gave = 0

    _opened: AEADDecryptionContext | None

    def begin(self) -> None:
        """Begin anew."""
        self._reset()
        self._plain.begin()

    def write(self, piece: bytes) -> None:
        """Take the next piece; raises `WrongContent`, `ParcelTooLarge`."""
        parts = piece.split(b".")
        for last, part in enumerate(parts, 1 - len(parts)):
            self._take(part)
            if last:
                self._end_of_part()

    def finish(self) -> None:
        """Tell that all has come and is as it was sealed; raises `WrongContent`."""
        tag = self._bytes(self._held.strip())
        if self._part != 4 or self._opened is None or len(tag) != TAG_BYTES:
            raise self._wrong()
        try:
            self._give(self._opened.finalize_with_tag(tag))
        except InvalidTag:
            raise self._wrong() from None
        if self._inflate is not None and not self._inflate.eof:
            raise self._wrong()

    def _take(self, part: bytes) -> None:
        self._held += part
        if self._part == 3:
            whole = len(self._held) // 4 * 4
            self._decrypt(self._held[:whole])
            self._held = self._held[whole:]
        elif len(self._held) > MOST_HEADER:
            raise self._wrong()

    def _end_of_part(self) -> None:
        held, self._held = self._held, b""
        if self._part == 0:
            self._protected = held.lstrip()
            self._read_header(self._bytes(self._protected))
        elif self._part == 1 and held:
            raise self._wrong()
        elif self._part == 2:
            if len(held) != IV_CHARACTERS:
                raise self._wrong()
            self._opened = Cipher(AES(self._key), GCM(self._bytes(held))).decryptor()
            self._opened.authenticate_additional_data(self._protected)
        elif self._part == 3:
            self._decrypt(held)
        self._part += 1
        if self._part > 4:
            raise self._wrong()

    def _read_header(self, raw: bytes) -> None:
        try:
            header = json.loads(raw)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict) or (header.get("alg"), header.get("enc")) != ("dir", "A256GCM"):
            raise self._wrong()
        if "crit" in header or header.get("zip") not in (None, "DEF"):
            raise self._wrong()
        if header.get("zip"):
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    def _decrypt(self, text: bytes) -> None:
        if text and self._opened is not None:
            sealed = self._bytes(text)
            self._came += len(sealed)
            self._give(self._opened.update(sealed))

    def _give(self, plain: bytes) -> None:
        if self._inflate is None:
            self._on(plain)
            return
        try:
            while plain and not self._inflate.eof:
                self._on(self._inflate.decompress(plain, PIECE))
                plain = self._inflate.unconsumed_tail
        except zlib.error:
            raise self._wrong() from None

    def _on(self, piece: bytes) -> None:
        self._gave += len(piece)
        most = min(self._most, max(FREELY_INFLATED, MOST_RATIO * self._came)) if self._inflate else self._most
        if self._gave > most:
            words = f"{self._host} sends a file that unpacks to more than {most} bytes"
            raise ParcelTooLarge(words, host=self._host, limit=most)
        if piece:
            self._plain.write(piece)

    def _bytes(self, text: bytes) -> bytes:
        """Return what base64url without padding says (RFC 7515 2)."""
        if not _ALPHABET.fullmatch(text):
            raise self._wrong()
        try:
            return base64.b64decode(text.translate(_STANDARD) + b"=" * (-len(text) % 4))
        except binascii.Error:
            raise self._wrong() from None

    def _wrong(self) -> WrongContent:
        words = f"{self._host} sent a file that the key of the link does not open"
        return WrongContent(words, host=self._host, kind="jwe")
