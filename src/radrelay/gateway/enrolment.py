"""How an installation becomes a site of a relay: by a one-time code that the relay's administrator has handed over.

First the relay tells its authority's certificate, which has to be the one that the code names; then the code goes to
who proves to be signed by that, with a request for a certificate.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from radrelay.gateway.authority import RELAY_NAME, certificate_request, new_key
from radrelay.gateway.codes import PIN_BYTES, parse_code
from radrelay.gateway.credentials import Enrolment, RelayAddress, client_context, enrolment_at
from radrelay.gateway.errors import CodeRefused, PeerGone, PeerUnclear, RelayUnreachable, RelayUntrusted
from radrelay.gateway.relay import ENROL
from radrelay.gateway.secured import Secured
from radrelay.gateway.splicing import tune

CONNECT_S, ANSWER_S = 1.5, 10.0


async def enrol(folder: Path, relay: RelayAddress, code: str) -> tuple[Enrolment, str]:
    """Enrol at a relay; returns what is kept of it, and what the relay calls us.

    Raises `CodeRefused`, `RelayUnreachable` and `RelayUntrusted`.
    """
    secret, pin = parse_code(code)
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # only to be told who signs for it, which the code proves
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    anybody.set_alpn_protocols([ENROL])
    authority = str((await _ask(relay, anybody, {"is": "who"})).get("authority", ""))
    if _fingerprint(authority)[:PIN_BYTES] != pin:
        raise RelayUntrusted
    key = new_key()
    request = {"is": "enrol", "secret": secret.hex(), "request": certificate_request(key)}
    answer = await _ask(relay, client_context(authority, ENROL), request)
    if answer.get("is") != "certificate":
        raise CodeRefused
    kept = enrolment_at(folder, relay)
    kept.keep(key, str(answer["certificate"]), authority)
    return kept, str(answer["site"])


async def dialled(relay: RelayAddress) -> socket.socket:
    """Return a connection to a relay, at the first of its addresses that answers; raises `RelayUnreachable`."""
    loop = asyncio.get_running_loop()
    trouble: Exception | None = None
    try:
        found = await loop.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RelayUnreachable(f"the relay {relay} is not known here: {error}") from error
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            tune(sock)
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(sock, address)
        except (OSError, TimeoutError) as error:
            sock.close()
            trouble = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise RelayUnreachable(f"the relay {relay} does not answer: {trouble or 'it has no address'}") from trouble


async def _ask(relay: RelayAddress, context: ssl.SSLContext, message: dict[str, Any]) -> dict[str, Any]:
    sock = await dialled(relay)
    try:
        async with asyncio.timeout(ANSWER_S):
            one = await Secured.connect(sock, context, RELAY_NAME)
            await one.send(message)
            return await one.receive()
    except ssl.SSLCertVerificationError as error:
        raise RelayUntrusted from error
    except (OSError, PeerGone, PeerUnclear, TimeoutError) as error:
        raise RelayUnreachable(f"the relay {relay} breaks off: {str(error) or type(error).__name__}") from error
    finally:
        sock.close()


def _fingerprint(authority: str) -> bytes:
    try:
        der = x509.load_pem_x509_certificate(authority.encode()).public_bytes(Encoding.DER)
    except ValueError as error:
        raise RelayUntrusted from error
    return hashlib.sha256(der).digest()
