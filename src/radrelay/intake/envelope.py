"""What a landing record says about itself, beside the bytes: who brought it, as what, and its digest.

It is written before the acknowledgement and read by the indexer, so it holds all that a row needs and the
data set does not say. msgpack, as arrays: new fields are appended with a default, none is ever removed.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

import msgspec

Kind = Literal["object", "attachment", "archive", "finding", "end", "raw"]


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Who brings something in, by which door; `kind` is the source's.

    `joins` is the holding that something of our own making belongs to: it comes in while that lives, or not at all.
    `corrects` is the version that it was written of with corrected attributes, up to that `correction` of its study.
    `aliased` says that its identity was settled: it is under an alias now, or no more. `raw` says that its files are
    kept as they came: what is in them is checked by a person before any of it is filed.
    """

    organisation_id: uuid.UUID
    source_id: uuid.UUID
    kind: str
    peer: str = ""
    calling_ae: str = ""
    called_ae: str = ""
    correlation_id: str = ""
    parcel_id: uuid.UUID | None = None
    account_id: uuid.UUID | None = None
    scan: bool = True
    joins: uuid.UUID | None = None
    corrects: uuid.UUID | None = None
    correction: int = 0
    aliased: bool = False
    raw: bool = False


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """One landed thing.

    `kind` is object (a data set without file meta), attachment, archive (still to be unpacked), finding
    (a file that was not kept, and why; no payload), raw (a file that is kept as it came, to be checked) or end (no more
    of this parcel or archive follows).
    `size` and `sha256` are of the payload, `file_size` of the file as sent. `flaw` says why an object cannot be
    indexed; it goes to the quarantine. `item_id` names a member of an archive the same way on every attempt to
    unpack it, and `archive_id` the archive's record that an `end` closes; `code` is a finding's, says why that archive
    failed, or goes with `flaw`. `stands_for` is the quarantined object that was released with another identity, as
    this one. `thing` names what a raw file is of, the same however often it is fetched and packed.
    """

    kind: Kind
    origin: Origin
    received_at: datetime
    sha256: bytes = b""
    size: int = 0
    transfer_syntax: str = ""
    sop_class_uid: str = ""
    sop_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    file_name: str = ""
    file_size: int | None = None
    file_type: str = ""
    flaw: str = ""
    code: str = ""
    text: str = ""
    item_id: uuid.UUID | None = None
    archive_id: uuid.UUID | None = None
    stands_for: uuid.UUID | None = None
    thing: uuid.UUID | None = None


_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoder = msgspec.msgpack.Decoder(Envelope)


def encode(envelope: Envelope) -> bytes:
    """Return the envelope as msgpack."""
    return _encoder.encode(envelope)


def decode(raw: bytes) -> Envelope:
    """Read an envelope; raises `msgspec.ValidationError` on anything else."""
    return _decoder.decode(raw)
