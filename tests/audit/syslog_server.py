"""Two audit repositories to send to: a receiver that is strict about RFC 5425 and RFC 5424, and Debian's rsyslog."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from radrelay.settings import RepositorySettings

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
HEADER = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[\x21-\x7e]{1,255}) "
    rb"(?P<app>[\x21-\x7e]{1,48}) (?P<proc>[\x21-\x7e]{1,128}) (?P<msgid>[\x21-\x7e]{1,32}) - \xef\xbb\xbf(?P<xml>.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Papers:
    """Certificates of both sides, by one authority, as files."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def issued(cls, folder: Path) -> Papers:
        authority = trustme.CA()
        made = cls(folder, authority)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        made.issue("server", "localhost")
        made.issue("client", "radrelay.example")
        return made

    def issue(self, name: str, identity: str) -> None:
        """Write `name`.pem and `name`.key, which say `identity`."""
        certificate = self.authority.issue_cert(identity)
        certificate.private_key_pem.write_to_path(self.folder / f"{name}.key")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(self.folder / f"{name}.pem", append=True)

    def settings(self, port: int, **more: object) -> RepositorySettings:
        return RepositorySettings.model_validate(
            {
                "host": "localhost",
                "port": port,
                "ca": self.folder / "ca.pem",
                "certificate": self.folder / "client.pem",
                "key": self.folder / "client.key",
                "timeout_s": 5.0,
            }
            | more
        )


def unframed(stream: bytes) -> list[bytes]:
    """Take a stream apart after RFC 5425 4.3; anything else than whole frames is an error."""
    messages = []
    while stream:
        length = re.match(rb"([1-9]\d{0,4}) ", stream)
        assert length, stream[:40]
        begin, end = length.end(), length.end() + int(length[1])
        assert end <= len(stream), "a frame is cut off"
        messages.append(stream[begin:end])
        stream = stream[end:]
    return messages


@dataclass
class Receiver:
    """What a strict receiver has taken; `rude` cuts each connection off after so many bytes."""

    port: int
    rude_after: int | None = None
    messages: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def xml(self) -> list[bytes]:
        found = [HEADER.fullmatch(message) for message in self.messages]
        assert all(found), self.messages
        return [one["xml"] for one in found if one]


@contextmanager
def receiving(papers: Papers, port: int = 0) -> Iterator[Receiver]:
    """Run a receiver that asks for a client certificate and takes a connection's frames when it was closed orderly."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(papers.folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(papers.folder / "server.pem", papers.folder / "server.key")
    listener = socket.create_server(("127.0.0.1", port))
    receiver = Receiver(listener.getsockname()[1])
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            with suppress(OSError):
                plain, _ = listener.accept()
                _take(receiver, context, plain)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield receiver
    finally:
        stop.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", receiver.port), 1):
            pass
        thread.join(5)
        listener.close()
    assert receiver.errors == []


def _take(receiver: Receiver, context: ssl.SSLContext, plain: socket.socket) -> None:
    plain.settimeout(5)
    stream = b""
    with plain, context.wrap_socket(plain, server_side=True) as connection:
        while piece := connection.recv(65536):
            stream += piece
            if receiver.rude_after is not None and len(stream) >= receiver.rude_after:
                hard = (1).to_bytes(4, "little") + bytes(4)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)  # a reset, as of a crash
                return
        try:
            receiver.messages += unframed(stream)
        except AssertionError as error:
            receiver.errors.append(error)
        connection.unwrap()


@contextmanager
def rsyslog(papers: Papers, port: int, out: Path) -> Iterator[None]:
    """Run Debian's rsyslog with mutual TLS on a loopback port; it writes each message's text as a line of `out`."""
    assert RSYSLOGD, "no rsyslogd: scripts/debian-packages test"
    folder = papers.folder
    configuration = folder / "rsyslog.conf"
    configuration.write_text(
        f'''global(
  workDirectory="{folder}" maxMessageSize="64k"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/server.pem" defaultNetstreamDriverKeyFile="{folder}/server.key"
)
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name"
  permittedPeer="radrelay.example")
template(name="text" type="string" string="%pri%|%timestamp:::date-rfc3339%|%hostname%|%msgid%|%msg%\\n")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{out}" template="text")
'''
    )
    command = [RSYSLOGD, "-n", "-f", str(configuration), "-i", str(folder / "rsyslog.pid")]
    log = (folder / "rsyslog.log").open("ab")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: _listens(port), f"rsyslog does not listen: {(folder / 'rsyslog.log').read_text()}")
        yield
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def until(met: object, complaint: str, within_s: float = 10.0) -> None:
    assert callable(met)
    end = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < end, complaint
        time.sleep(0.02)
