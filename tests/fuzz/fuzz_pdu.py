"""Fuzz target of everything that reads bytes from a DICOM peer; for atheris, or by hand with files to try.

python tests/fuzz/fuzz_pdu.py CORPUS_DIR -max_total_time=600
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

from radrelay.network import command, identifier, pdu
from radrelay.network.errors import AssociationEnded, ProtocolViolation
from radrelay.network.identifier import IdentifierMalformed
from radrelay.network.negotiation import negotiate, refuse
from radrelay.network.query_provider import IdentifierMismatch, make_query
from radrelay.network.sop_classes import IDENTIFIER_SYNTAXES, Service
from radrelay.network.upper_layer import Channel


def read_request(data: bytes) -> None:
    with suppress(ProtocolViolation):
        request = pdu.decode_request(data)
        refuse(request)
        pdu.decode_accept(negotiate(request, 131072, served=frozenset(Service)).answer[6:])


def read_command(data: bytes) -> None:
    with suppress(ProtocolViolation):
        read = command.parse(data)
        command.response(read, 0)
        command.store_response(read, 0, "")


def read_identifier(data: bytes) -> None:
    for syntax in IDENTIFIER_SYNTAXES:
        with suppress(IdentifierMalformed, IdentifierMismatch):
            make_query("study", identifier.decode(data, syntax), relational=False)


def read_channel(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[:65536])
        theirs.shutdown(socket.SHUT_WR)
        channel = Channel(ours, 131072, 5.0)
        with suppress(AssociationEnded):
            while True:
                channel.next_fragment()


TARGETS = (read_request, read_command, read_identifier, read_channel)


def one_input(data: bytes) -> None:
    """Read the bytes after the first, which chooses the parser."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    import atheris  # noqa: PLC0415 - only a fuzzing run needs it

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
