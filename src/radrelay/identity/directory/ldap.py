"""A directory process: speaks LDAP for its role, one question after the other (RFC 4511), by the library bonsai.

bonsai connects, and shakes hands for TLS, while it holds the interpreter's lock, and bears no limit of time there: in
the role itself one silent server would stop every request. So it runs here, where it can be ended at any moment. This
file is run by its path and imports nothing of Radrelay, so that it starts in a tenth of a second.

In: a question (msgpack behind a length of 4 bytes) on standard input. Out: an answer, in the same way. Certificates
are always verified, referrals never followed, the system's and the user's LDAP settings for the client left aside.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import socket
import ssl
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    import bonsai

SUBTREE, BASE = 2, 0
PORTS = {"ldap": 389, "ldaps": 636}
MOST_BYTES = 1 << 30
LONGEST_SAID = 500
OWN_DN = ("entrydn", "distinguishedname")  # as the server keeps it: RFC 5020, and Active Directory's own
START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14.1
AD_EXPIRED = ("data 532", "data 773")  # the password was right, but is to be changed first

FaultKind = Literal["", "unreachable", "untrusted", "refused", "unreadable"]
Value = str | bytes


class Target(msgspec.Struct, frozen=True):
    """Where the directory is, and as whom it is read."""

    urls: tuple[str, ...]
    start_tls: bool
    ca_file: str
    user: str
    password: str
    timeout_s: float


class Search(msgspec.Struct, frozen=True):
    """What is looked for below `base`; `raw` names attributes whose values are bytes."""

    base: str
    filter: str
    attributes: tuple[str, ...]
    raw: tuple[str, ...] = ()
    page_size: int = 500
    most: int = 200_000


class Question(msgspec.Struct, frozen=True):
    """`look`: everything that the searches find. `login`: whether `password` is that of the one whom `searches` finds.

    Who is not found costs a bind, too: that of `stand_in`, a DN that nobody has.
    """

    kind: Literal["look", "login"]
    target: Target
    searches: tuple[Search, ...]
    password: str = ""
    stand_in: str = ""


class Entry(msgspec.Struct, frozen=True):
    """An entry of the directory; names of attributes are in small letters, values are text or bytes (`Value`)."""

    dn: str
    values: dict[str, list[Any]]


class Answer(msgspec.Struct, frozen=True):
    """What was found, by search; or what became of a login; or why there is nothing."""

    fault: FaultKind = ""
    message: str = ""
    server: str = ""
    found: tuple[list[Entry], ...] = ()
    outcome: Literal["", "right", "wrong", "expired"] = ""


class Fault(Exception):
    """The directory cannot be asked, or its answer not be used."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def main() -> None:
    """Answer until the role closes its end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a password
    questions, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # why: libraries print what they think of a server
        os.dup2(nowhere, standard)
    while True:
        body = read_message(questions)
        if body is None:
            return
        write_message(answers, msgspec.msgpack.encode(answer(msgspec.msgpack.decode(body, type=Question))))


def answer(question: Question) -> Answer:
    """Ask the directory."""
    import bonsai  # noqa: PLC0415 -- an extra; the role that only speaks to this process does not load it

    try:
        return _logged_in(question) if question.kind == "login" else _looked(question)
    except Fault as fault:
        return Answer(fault.kind, str(fault)[:LONGEST_SAID])
    except (bonsai.TimeoutError, bonsai.ConnectionError) as error:
        return Answer("unreachable", said(error))
    except bonsai.LDAPError as error:
        return Answer("unreadable", said(error))
    except Exception as error:  # why: what a hostile server can make a library do is not known beforehand
        return Answer("unreadable", f"{type(error).__name__}: {said(error)}"[:LONGEST_SAID])


def _looked(question: Question) -> Answer:
    target = question.target
    connection, server = _connected(target, target.user, target.password, _raw(question.searches))
    try:
        found = tuple(list(_found(connection, search, target.timeout_s)) for search in question.searches)
    finally:
        connection.close()
    return Answer(server=server, found=found)


def _logged_in(question: Question) -> Answer:
    """Find whom the search names, as the reading account, and bind with the password; the same for nobody."""
    import bonsai  # noqa: PLC0415

    target, search = question.target, question.searches[0]
    connection, server = _connected(target, target.user, target.password, search.raw)
    try:
        found = list(_found(connection, search, target.timeout_s))
    finally:
        connection.close()
    password, right = question.password, len(found) == 1
    if not password or "\0" in password:  # a bind without a password is none, and one would be cut at a zero
        password, right = secrets.token_hex(16), False
    dn = found[0].dn if len(found) == 1 and found[0].dn else question.stand_in
    try:
        bound, _ = _connected(target, dn, password, (), server)
    except bonsai.AuthenticationError as error:
        expired = right and any(mark in str(error) for mark in AD_EXPIRED)
        return Answer(server=server, outcome="expired" if expired else "wrong")
    except bonsai.PasswordExpired:
        return Answer(server=server, outcome="expired" if right else "wrong")
    except (bonsai.PasswordPolicyError, bonsai.InvalidDN, bonsai.UnwillingToPerform, bonsai.NoSuchObjectError):
        return Answer(server=server, outcome="wrong")
    try:
        right = right and _is_somebody(bound, target.timeout_s)
    finally:
        bound.close()
    return Answer(server=server, outcome="right" if right else "wrong", found=(found,))


def _is_somebody(connection: bonsai.LDAPConnection, timeout_s: float) -> bool:
    """Say whether a bind made the connection somebody's: some servers let anybody in as nobody (RFC 4532)."""
    import bonsai  # noqa: PLC0415

    try:
        return bool(str(connection.whoami(timeout=timeout_s)).partition(":")[2].strip())
    except (bonsai.ProtocolError, bonsai.UnwillingToPerform):  # a server that does not know the question
        return True


def _raw(searches: Sequence[Search]) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for search in searches for name in search.raw}))


def _connected(
    target: Target, user: str, password: str, raw: Sequence[str], only: str = ""
) -> tuple[bonsai.LDAPConnection, str]:
    """Return a bound connection to the first server that answers, and its address; raises `Fault`."""
    import bonsai  # noqa: PLC0415

    said_by: list[str] = []
    kind: FaultKind = "unreachable"
    for url in (only,) if only else target.urls:
        try:
            _reach(url, target.timeout_s)
            return _client(url, target, user, password, raw).connect(timeout=target.timeout_s), url
        except bonsai.AuthenticationError as error:
            if only:
                raise
            raise Fault("refused", f"{url}: {said(error)}") from error
        except OSError as error:
            said_by.append(f"{url}: {error.strerror or error}")
        except (bonsai.ConnectionError, bonsai.TimeoutError) as error:
            doubt = _doubted(url, target)
            kind = "untrusted" if doubt else kind
            said_by.append(f"{url}: {doubt or said(error)}")
    raise Fault(kind, "; ".join(said_by))


def _client(url: str, target: Target, user: str, password: str, raw: Sequence[str]) -> bonsai.LDAPClient:
    import bonsai  # noqa: PLC0415

    client = bonsai.LDAPClient(url, tls=target.start_tls)
    client.set_cert_policy("demand")
    client.set_ca_cert(target.ca_file)
    client.set_ca_cert_dir(None)
    client.set_server_chase_referrals(False)
    client.set_ignore_referrals(True)
    client.set_auto_page_acquire(True)
    client.set_raw_attributes(list(raw))
    client.set_credentials("SIMPLE", user, password)
    return client


def _reach(url: str, timeout_s: float) -> None:
    """Raise `OSError` for a server that nobody answers at: bonsai would wait as long as the system does."""
    socket.create_connection(_address(url), timeout=timeout_s).close()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS[parts.scheme]


def _doubted(url: str, target: Target) -> str:
    """Return what is wrong with a server's certificate, for which bonsai has no words; empty if nothing is."""
    host, port = _address(url)
    context = ssl.create_default_context(cafile=target.ca_file)
    try:
        with socket.create_connection((host, port), timeout=target.timeout_s) as plain:
            if target.start_tls:
                plain.sendall(START_TLS)
                if b"\x0a\x01\x00" not in plain.recv(4096):  # resultCode success
                    return "the server does not offer StartTLS"
            with context.wrap_socket(plain, server_hostname=host):
                return ""
    except ssl.SSLCertVerificationError as error:
        return f"its certificate does not hold: {error.verify_message}"
    except (OSError, ValueError):
        return ""


def _found(connection: bonsai.LDAPConnection, search: Search, timeout_s: float) -> Iterator[Entry]:
    """Yield what a search finds; raises `Fault` for a base that is not there: bonsai makes nobody of it."""
    if not connection.search(search.base, BASE, "(objectClass=*)", ["1.1"], timeout=timeout_s):
        raise Fault("unreadable", f"there is no {search.base!r}, or the reading account may not see it")
    asked = [*search.attributes, "entryDN", "distinguishedName"]
    pages = connection.paged_search(
        search.base, SUBTREE, search.filter, asked, timeout=timeout_s, page_size=search.page_size
    )
    for count, found in enumerate(pages, 1):
        if count > search.most:
            raise Fault("unreadable", f"more than {search.most} entries match {search.filter!r}")
        yield _entry(connection, found, timeout_s)


def _entry(connection: bonsai.LDAPConnection, found: Any, timeout_s: float) -> Entry:
    values = {name.lower(): [_value(one) for one in held] for name, held in found.items() if name.lower() != "dn"}
    own = next((str(values[name][0]) for name in OWN_DN if values.get(name)), str(found.dn))
    for name in [name for name in values if ";range=" in name]:
        attribute, _, part = name.partition(";range=")
        values[attribute] = [*values.get(attribute, []), *values.pop(name)]
        values[attribute] += _rest(connection, own, attribute, part, timeout_s)
    return Entry(own, {name: held for name, held in values.items() if name not in OWN_DN})


def _rest(connection: bonsai.LDAPConnection, dn: str, attribute: str, part: str, timeout_s: float) -> list[Value]:
    """Return the values that Active Directory left out: it gives 1,500 at once (MS-ADTS 3.1.1.3.1.3.3)."""
    rest: list[Value] = []
    while (end := part.partition("-")[2]) != "*":
        asked = f"{attribute};range={int(end) + 1}-*"
        entries = connection.search(dn, BASE, "(objectClass=*)", [asked], timeout=timeout_s)
        found = {name.lower(): held for name, held in entries[0].items()} if entries else {}
        name = next((name for name in found if name.startswith(f"{attribute};range=")), "")
        if not name or int(name.partition("=")[2].partition("-")[0]) != int(end) + 1:
            raise Fault("unreadable", f"the server does not give all values of {attribute} of {dn!r}")
        rest += [_value(one) for one in found[name]]
        part = name.partition(";range=")[2]
    return rest


def _value(value: object) -> Value:
    return value if isinstance(value, str | bytes) else bytes(value) if isinstance(value, bytearray) else str(value)


def said(error: BaseException) -> str:
    """Return an error's words, in one short line."""
    return " ".join(str(error).split())[:LONGEST_SAID]


def read_message(fd: int) -> bytes | None:
    """Read a message; None where the other side has ended."""
    head = _exactly(fd, 4)
    if head is None:
        return None
    (length,) = struct.unpack("<I", head)
    return _exactly(fd, length) if length <= MOST_BYTES else None


def _exactly(fd: int, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(fd, min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def write_message(fd: int, body: bytes) -> None:
    """Write a message; raises `BrokenPipeError`."""
    view = memoryview(struct.pack("<I", len(body)) + body)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main()
    sys.exit(0)
