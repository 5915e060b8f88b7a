"""The role `web`: pages, DICOMweb and REST on uvicorn, uploads landed by this process itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from radrelay.app.attachments import StoredAttachments
from radrelay.app.core import Core
from radrelay.app.prepare import prepare
from radrelay.app.role import ALIVE, beats, run_role
from radrelay.app.stored import client_tls
from radrelay.archive.metadata import MetadataReader
from radrelay.archive.reader import InstanceReader
from radrelay.archive.renditions import Renditions
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import Parcels
from radrelay.intake.quarantine import Quarantine
from radrelay.intake.sources import SourceBook
from radrelay.network.client import echo
from radrelay.network.ports import Node
from radrelay.settings import Settings
from radrelay.web.application import create
from radrelay.web.services import EchoAnswer, EchoTarget, ReadinessCheck, RoleState, WebServices


def run(settings: Settings) -> int:
    """Run the role until told to stop; returns the exit code."""
    return run_role("web", settings, serve)


def serve(core: Core, stop: threading.Event) -> None:
    """Answer requests until `stop` is set, then let those under way end."""
    book = SourceBook(core.database, core.settings)
    services, landing = web_services(core, book)
    config = uvicorn.Config(
        create(services),
        host=core.settings.web.host,
        port=core.settings.web.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=core.settings.web.behind_proxy,
        forwarded_allow_ips="*" if core.settings.web.behind_proxy else None,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,
    )
    server = _Server(config)
    ending = threading.Thread(target=_end_when, args=(server, stop), daemon=True)
    ending.start()
    try:
        server.run()
        if not server.started:
            raise SystemExit(1)
    finally:
        stop.set()
        landing.close()


class _Server(uvicorn.Server):
    """Leaves signals to the role."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def _end_when(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True


def web_services(core: Core, book: SourceBook) -> tuple[WebServices, Landing]:
    """Return what the application is made with, and the landing that it writes."""
    prepared = prepare(core)
    book.refresh()
    landing = Landing.open(core.settings, "web", core.keyring, core.clock, allowance=book)
    reader = InstanceReader(core.database, core.clock, core.segments, core.packs)
    services = WebServices(
        settings=core.settings,
        clock=core.clock,
        database=core.database,
        identity=prepared.identity,
        organisation_id=prepared.organisation_id,
        metadata_key=core.keyring.metadata_key,
        landing=landing,
        parcels=Parcels(core.database, core.clock, scanning=core.settings.intake.clamd is not None),
        quarantine=Quarantine(core.database, core.segments, core.clock),
        sources=book,
        reader=reader,
        metadata=MetadataReader(reader, core.packs),
        renditions=Renditions(reader),
        attachments=StoredAttachments(core, landing, book),
        readiness=(
            ReadinessCheck("storage", core.packs.check),
            ReadinessCheck("keys", lambda: _ask(core.keys.key_versions)),
        ),
        roles=lambda: _roles(core),
        echo=lambda target: _echo(core, target),
    )
    return services, landing


def _ask(question: Callable[[], Iterable[object]]) -> None:
    """Ask for the first of something; only the errors matter."""
    next(iter(question()), None)


def _roles(core: Core) -> Sequence[RoleState]:
    now = core.clock.now()
    return [RoleState(beat.name, beat.node, now - beat.at < ALIVE, beat.at) for beat in beats(core.database)]


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
    return EchoAnswer(ok=result.ok, message=result.words, ms=result.seconds * 1000)
