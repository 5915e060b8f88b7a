"""Errors of reading and writing DICOM."""

from __future__ import annotations

from radrelay.errors import Invalid


class Malformed(Invalid):
    """The data set breaks the encoding rules of PS3.5 and cannot be read."""

    code = "malformed"


class Unidentified(Malformed):
    """The data set lacks a UID that names it, or holds one that is none."""

    code = "no-identity"


class CutOff(Malformed):
    """The data set is cut off: an element says that it is longer than what is there."""

    code = "cut-off"


def tag_text(tag: int) -> str:
    """Return `tag` as the standard writes it, `(0010,0010)`."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def beyond_end(what: str, at: int, length: int) -> str:
    """Say what is longer, by its own words, than its data set."""
    return f"{what} at byte {at} says that it is {length} bytes long, beyond the data set's end"


class UnplayableFilm(Invalid):
    """This film is of a kind that browsers do not play, or it is damaged."""

    code = "unplayable-film"


class NotWritable(Invalid):
    """The new identity cannot be written into this object."""

    code = "not-writable"
