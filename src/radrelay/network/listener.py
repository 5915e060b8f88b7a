"""The DICOM listener: several ports, plain and TLS, one thread for each association, limits, and a graceful stop."""

from __future__ import annotations

import socket
import ssl
import threading
import uuid
from collections import Counter
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING

import structlog

from radrelay.errors import Misconfigured
from radrelay.network.association import Association
from radrelay.network.limits import Limits
from radrelay.network.ports import LOCAL_LIMIT_EXCEEDED, Rejection, Services
from radrelay.network.reception import Reception, Waiting
from radrelay.network.session import Tally
from radrelay.network.socket_options import tune
from radrelay.network.tls import fingerprint_of, server_context, subject_of

if TYPE_CHECKING:
    from radrelay.settings import DicomSettings

log = structlog.get_logger(__name__)

BACKLOG = 128
QUIET_S = 1.0
"""While stopping, an association without a command for so long is taken to be idle."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the listener answers."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """What a listener has done since it started."""

    open_associations: int
    associations: int
    refused: int
    objects: int
    refused_objects: int
    object_bytes: int
    sent_objects: int


class DicomListener:
    """Accepts associations on every configured port and serves them from `services`."""

    def __init__(self, settings: DicomSettings, services: Services, limits: Limits | None = None) -> None:
        self._settings = settings
        self._services = services
        self._limits = limits or Limits.of(settings)
        self._lock = threading.Lock()
        self._open: dict[Association, threading.Thread] = {}
        self._per_host: Counter[str] = Counter()
        self._ended = Tally()
        self._count = self._refused = 0
        self._stopping = False
        self._tls: ssl.SSLContext | None = None
        self._reception: Reception | None = None
        self.addresses: tuple[Address, ...] = ()

    def start(self) -> None:
        """Bind every port and serve in threads; raises `errors.Misconfigured` when a port is taken."""
        settings = self._settings
        listeners: dict[socket.socket, bool] = {}
        ports = [(port, False) for port in dict.fromkeys((settings.port, *settings.more_ports))]
        if settings.tls_port is not None:
            self._tls = server_context(settings)
            ports.append((settings.tls_port, True))
        try:
            for port, tls in ports:
                listeners[_bind(settings.host, port)] = tls
        except Misconfigured:
            for listener in listeners:
                listener.close()
            raise
        self.addresses = tuple(Address(settings.host, sock.getsockname()[1], tls) for sock, tls in listeners.items())
        limits = self._limits
        self._reception = Reception(listeners, self._admit, limits.associate_timeout_s, limits.waiting_connections)
        self._reception.start()
        for address in self.addresses:
            log.info("listening", host=address.host, port=address.port, tls=address.tls, ae_title=settings.ae_title)

    @property
    def speaks_tls(self) -> bool:
        """Say whether connections that begin with TLS can be answered."""
        return self._tls is not None

    def adopt(self, sock: socket.socket, host: str, port: int) -> None:
        """Serve a connection that came another way than by our ports, from `host` and `port`; it begins with TLS."""
        if self._reception is None or self._tls is None:
            sock.close()
            return
        self._reception.adopt(sock, host, port)

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept nothing more, let busy associations go on for `grace_s`, end the rest; return when all have ended."""
        self._stopping = True
        if self._reception:
            self._reception.stop()
            self._reception = None
        until = monotonic() + grace_s
        while self._associations() and monotonic() < until:
            for association in self._associations():
                if not association.busy and monotonic() - association.quiet_since > QUIET_S:
                    association.stop(at_once=False)
            sleep(0.05)
        self._end_all(at_once=False, wait_s=min(2.0, grace_s))
        self._end_all(at_once=True, wait_s=5.0)

    def totals(self) -> Totals:
        """Return the counts so far."""
        with self._lock:
            tally = Tally()
            tally.add(self._ended)
            for association in self._open:
                tally.add(association.tally)
            return Totals(
                len(self._open),
                self._count,
                self._refused,
                tally.objects,
                tally.refused_objects,
                tally.object_bytes,
                tally.sent_objects,
            )

    def _end_all(self, *, at_once: bool, wait_s: float) -> None:
        threads = []
        with self._lock:
            for association, thread in self._open.items():
                association.stop(at_once=at_once)
                threads.append(thread)
        until = monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))

    def _associations(self) -> list[Association]:
        with self._lock:
            return list(self._open)

    def _admit(self, one: Waiting) -> Rejection | None:
        """Take over a connection that asks for an association, in a thread of its own."""
        association_id = uuid.uuid4().hex
        with self._lock:
            full = len(self._open) >= self._limits.max_associations
            if self._stopping or full or self._per_host[one.host] >= self._limits.max_associations_per_peer:
                self._refused += 1
                return LOCAL_LIMIT_EXCEEDED
            self._count += 1
            self._per_host[one.host] += 1
            association = Association(
                one.sock, one.host, one.port, association_id, self._services, self._limits, initial=bytes(one.received)
            )
            thread = threading.Thread(
                target=self._serve, args=(association, one), name=f"association-{association_id[:8]}", daemon=True
            )
            self._open[association] = thread
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads
                del self._open[association]
                self._release_host(one.host)
                return LOCAL_LIMIT_EXCEEDED
        return None

    def _serve(self, association: Association, one: Waiting) -> None:
        try:
            tune(one.sock)
            if one.is_tls:
                self._serve_tls(association, one)
            else:
                association.run()
        finally:
            with self._lock:
                self._open.pop(association, None)
                self._release_host(one.host)
                self._ended.add(association.tally)

    def _release_host(self, host: str) -> None:
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    def _serve_tls(self, association: Association, one: Waiting) -> None:
        assert self._tls is not None  # noqa: S101 - narrows for the type checker; a TLS port has its context
        one.sock.settimeout(self._limits.associate_timeout_s)
        try:
            sock = self._tls.wrap_socket(one.sock, server_side=True)
        except OSError as error:
            log.warning("TLS handshake failed", host=one.host, reason=str(error))
            one.sock.close()
            return
        association.use_tls(sock, subject_of(sock), fingerprint_of(sock))
        association.run()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise Misconfigured(f"the DICOM listener cannot bind {host}:{port}: {error.strerror or error}") from error
