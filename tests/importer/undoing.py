"""A reconciliation taken back, to hold that it loses nothing: the data set as it was received, byte for byte.

In: a data set (or what of it stands before the pixel data) before and after. Out: a short recipe of what is copied from
the reconciled one and what stood there instead, with a digest of the whole; and from it the data set as it was. A
deflated one comes back with the same elements, not deflated the same way; a big endian one as it was written anew, in
little endian order.
"""

from __future__ import annotations

import hashlib

import msgspec

from radrelay.dicom.elements import Buffer, DataElements, walk
from radrelay.dicom.encode import NotTranscodable
from radrelay.dicom.errors import NotWritable
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import deflate, inflate, transcode


class Undo(msgspec.Struct, frozen=True):
    """How a data set becomes what it was: spans of it (start, end), and bytes that stood between them."""

    pieces: list[tuple[int, int] | bytes]
    digest: bytes

    def encoded(self) -> bytes:
        """Return it to be kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decoded(cls, kept: bytes) -> Undo:
        """Return what `encoded` gave."""
        return msgspec.msgpack.decode(kept, type=cls)


def recipe(before: Buffer, after: Buffer, ts: str) -> Undo:
    """Return how `after` becomes `before`; `ts` is the transfer syntax of `before`."""
    old, new = _plain(before, ts), memoryview(_plain(after, _written(ts)))
    explicit = DataElements.of(old, syntax_of(_inner(ts))).explicit
    there: dict[bytes, tuple[int, int]] = {}
    for one in walk(new, explicit, little_endian=True):
        there.setdefault(hashlib.sha256(new[one.start : one.end]).digest(), (one.start, one.end))
    pieces: list[tuple[int, int] | bytes] = []
    end = 0
    for one in walk(old, explicit, little_endian=True):
        raw, end = bytes(old[one.start : one.end]), one.end
        _add(pieces, there.get(hashlib.sha256(raw).digest(), raw))
    _add(pieces, bytes(old[end:]))
    return Undo(pieces, hashlib.sha256(old).digest())


def undo(data_set: Buffer, ts: str, how: Undo) -> bytes:
    """Return a reconciled data set as it was received; raises `NotWritable` when that is not what comes out."""
    view = memoryview(_plain(data_set, ts))
    old = b"".join(one if isinstance(one, bytes) else bytes(view[one[0] : one[1]]) for one in how.pieces)
    if hashlib.sha256(old).digest() != how.digest:
        raise NotWritable("The object is not the one that was reconciled; it cannot be taken back.")
    return deflate(old) if syntax_of(ts).deflated else old


def _add(pieces: list[tuple[int, int] | bytes], piece: tuple[int, int] | bytes) -> None:
    """Append a piece, in one with the last where they follow one another."""
    last = pieces[-1] if pieces else b""
    if isinstance(piece, bytes) and isinstance(last, bytes) and pieces:
        pieces[-1] = last + piece
    elif isinstance(piece, tuple) and isinstance(last, tuple) and last[1] == piece[0]:
        pieces[-1] = (last[0], piece[1])
    elif piece:
        pieces.append(piece)


def _inner(ts: str) -> str:
    syntax = syntax_of(ts)
    return EXPLICIT_LE if syntax.deflated or not syntax.little_endian else ts


def _written(ts: str) -> str:
    """Return the transfer syntax in which a data set of `ts` is written anew."""
    return ts if syntax_of(ts).little_endian else EXPLICIT_LE


def _plain(data_set: Buffer, ts: str) -> bytes:
    syntax = syntax_of(ts)
    if syntax.deflated:
        return inflate(data_set)
    if not syntax.little_endian:
        try:
            return transcode(data_set, ts, EXPLICIT_LE)
        except NotTranscodable as error:
            raise NotWritable(f"The object cannot be written in little endian order: {error.message}") from error
    return bytes(data_set)
