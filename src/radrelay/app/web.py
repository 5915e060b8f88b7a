"""The role `web`: pages, DICOMweb and REST on uvicorn, uploads landed by this process itself."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from radrelay.app.agent import is_enrolled
from radrelay.app.beats import ALIVE, beats
from radrelay.app.core import Core
from radrelay.app.importing.house import House
from radrelay.app.prepare import Prepared, prepare
from radrelay.app.public_certificate import keep_public_certificate
from radrelay.app.request_heads import BoundedHeads
from radrelay.app.retrieving import connector, worklists
from radrelay.app.role import run_role, settle
from radrelay.app.routing_rules import action_kinds
from radrelay.app.schedules import open_finder
from radrelay.app.stored import client_tls
from radrelay.app.threads import loop
from radrelay.app.trying import Trials
from radrelay.app.tunnelled import TLS_CIPHERS, Tunnelled
from radrelay.archive.reader import InstanceReader
from radrelay.dicom import decoder_pool
from radrelay.errors import Misconfigured, Trouble
from radrelay.gateway.acme_files import AcmeFiles
from radrelay.gateway.challenges import Challenges
from radrelay.gateway.standing import standing
from radrelay.intake.landing import Landing
from radrelay.intake.sources import SourceBook
from radrelay.network.client import echo
from radrelay.network.ports import Node
from radrelay.settings import Settings, WebSettings
from radrelay.web.application import create
from radrelay.web.assembly import assemble
from radrelay.web.services import EchoAnswer, EchoTarget, RoleState, WebServices

GRACE_S = 10
TALLY_S = 10.0


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    return run_role("web", settings, serve)


def serve(core: Core, stop: threading.Event) -> None:
    """Answer requests until `stop` is set, then let those under way end."""
    prepared = prepare(core)
    if prepared.identity.directory is not None:
        prepared.identity.directory.require_ready()
    decoder_pool.pool().warm()  # so that the first picture need not wait for its decoder
    book = SourceBook(core.database, core.settings)
    book.refresh()
    landing = Landing.open(core.settings, "web", core.keyring, core.clock, allowance=book)
    services = _services(core, prepared, landing, book)
    if services.single_sign_on is not None:
        services.single_sign_on.require_ready()
    application = create(services)
    challenges = Challenges()
    server = _Server(_config(core.settings.web, application), core, challenges)
    ending = threading.Thread(
        target=_end_when, args=(server, stop, application.state.feed.close_soon), name="ending", daemon=True
    )
    ending.start()
    counting = loop("sent bytes", TALLY_S, stop, lambda: services.tally.write(core.database, core.clock.now()))
    counting.start()
    keep_public_certificate(core, prepared.organisation_id, challenges, stop).start()
    settle()
    try:
        server.run()
        if not server.started:
            raise SystemExit(1)
    finally:
        stop.set()
        counting.join(GRACE_S)
        landing.close()


def _services(core: Core, prepared: Prepared, landing: Landing, book: SourceBook) -> WebServices:
    reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
    archives = connector(core, landing, book) if core.settings.retrieve.enabled else None
    return assemble(
        core,
        prepared.identity,
        prepared.organisation_id,
        landing,
        book,
        roles=lambda: _roles(core),
        echo=lambda target: _echo(core, target),
        try_destination=Trials(core).run,
        archives=archives,
        finder=open_finder(core, archives) if archives is not None else None,
        worklists=worklists(core) if core.settings.retrieve.enabled else None,
        rule_kinds=action_kinds(core),
        importing=House(core.database, core.clock, reader),
    )


def _config(settings: WebSettings, application: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=BoundedHeads,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=75,
        **tls_arguments(settings),
    )


def tls_arguments(settings: WebSettings) -> dict[str, Any]:
    """Return uvicorn's arguments for HTTPS, none for HTTP; raises `Misconfigured` for an unusable certificate."""
    if settings.tls_certificate is None:
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, lambda: "")
        context.set_ciphers(TLS_CIPHERS)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(f"web.tls_certificate and web.tls_key cannot be used: {error}") from error
    return {"ssl_certfile": settings.tls_certificate, "ssl_context_factory": lambda *_: context}


class _Server(uvicorn.Server):
    """Leaves signals to the role, and takes in what comes through a relay, too."""

    def __init__(self, config: uvicorn.Config, core: Core, challenges: Challenges) -> None:
        super().__init__(config)
        self._core = core
        self._challenges = challenges
        self._tunnelled: Tunnelled | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await super().startup(sockets)

        def protocol() -> BoundedHeads:
            return BoundedHeads(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        files = AcmeFiles(self._core.settings.gateway_dir, self._core.keyring.metadata_key)
        self._tunnelled = Tunnelled(self._core.settings, protocol, files.password, self._challenges)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, and let those under way end."""
        if self._tunnelled is not None:
            self._tunnelled.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def _end_when(server: uvicorn.Server, stop: threading.Event, close_feed: Callable[[], None]) -> None:
    stop.wait()
    server.should_exit = True
    close_feed()


def _roles(core: Core) -> Sequence[RoleState]:
    now = core.clock.now()
    roles = [RoleState(beat.name, beat.node, now - beat.at < ALIVE, beat.at) for beat in beats(core.database)]
    if is_enrolled(core.settings):  # the agent has no database to beat in
        here = core.settings.node.name or socket.gethostname()
        roles.append(RoleState("agent", here, standing(core.settings.gateway_dir, now) is not None))
    return roles


def _echo(core: Core, target: EchoTarget) -> EchoAnswer:
    settings = core.settings.dicom
    node = Node(
        target.host,
        target.port,
        target.ae_title,
        target.calling_ae_title or settings.ae_title,
        tls=client_tls(settings) if target.tls else None,
    )
    result = echo(node)
    return EchoAnswer(None if result.error is None else Trouble.of(result.error), ms=result.seconds * 1000)
