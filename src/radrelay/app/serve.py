"""`radrelay serve` and `radrelay demo`: prepares the installation, tells how to reach it, runs the three roles."""

from __future__ import annotations

import gc
import importlib
import os
import shlex
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import sqlalchemy as sa
import structlog
from rich.console import Console
from rich.panel import Panel

from radrelay import logs
from radrelay.app.beats import PARENT
from radrelay.app.core import Core, open_core
from radrelay.app.forking import apart
from radrelay.app.prepare import Prepared, prepare
from radrelay.app.supervise import Supervisor
from radrelay.archive.models import Study
from radrelay.errors import RadrelayError
from radrelay.settings import Settings, WebSettings, config_file
from radrelay.storage import nodes
from radrelay.storage.nodes import Lease

ROLES = ("listen", "web", "work")
PRELOADED = ("radrelay.app.listen", "sqlcipher3")
log = structlog.get_logger(__name__)


def serve(settings: Settings, *, demo: bool) -> int:
    """Run the roles until told to stop; returns the exit code."""
    settings = settings.model_copy(update={"data_dir": settings.data_dir.resolve()})
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log, "serve", settings.log_dir)
    path = config_file().absolute()
    log.info("settings are read from the environment and a file", file=str(path), found=path.is_file())
    os.environ[PARENT] = str(os.getpid())
    roles = _preloaded(settings)
    text, fresh, lease = apart(lambda: _prepared(settings))
    code = Supervisor(roles).run(_when_ready(settings, text, load=demo and fresh))
    if settings.database.url is not None:
        _give_up(settings, lease)
    return code


def _preloaded(settings: Settings) -> dict[str, Callable[[], int]]:
    """Import what all roles need, so that their processes begin with it; returns what each of them runs.

    No more than `listen` needs: what it does not use would count as its memory, too.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would not outlive a fork
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a role need not touch, and so copy, what all share
    enrolled = any((settings.gateway_dir / "relays").glob("*/agent.pem"))  # as `radrelay agent enrol` leaves it
    roles = (*ROLES, "agent") if enrolled else ROLES
    return {name: lambda name=name: _run(name, settings) for name in roles}  # type: ignore[misc]  # bound now


def _run(role: str, settings: Settings) -> int:
    return int(importlib.import_module(f"radrelay.app.{role}").run(settings))


def _prepared(settings: Settings) -> tuple[str, bool, Lease]:
    """Prepare the installation; returns the greeting, whether there are no studies, and the node's lease."""
    core = open_core(settings)
    try:
        prepared = prepare(core, leading=True)
        return _greeting(core, prepared), _is_empty(core), prepared.lease
    finally:
        core.close()


def _give_up(settings: Settings, lease: Lease) -> None:
    """Let the data directory be served from elsewhere at once, as by the next container."""
    try:
        core = open_core(settings)
        nodes.give_up(core.database, core.clock, lease)
        core.close()
    except RadrelayError as error:
        log.info("the lease of this data directory ends by itself", reason=error.code)


def _when_ready(settings: Settings, text: str, *, load: bool) -> Callable[[], bool]:
    """Return what is called until the pages answer: it then shows the greeting and loads the samples."""
    anybody = ssl.create_default_context()  # only whether our own port answers: the certificate names another host
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(  # a proxy does not know our loopback
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anybody)
    )
    address = f"{_pages(settings.web)}/healthz"

    def ready() -> bool:
        try:
            with opener.open(address, timeout=1):
                pass
        except (urllib.error.URLError, OSError):
            return False
        Console(file=sys.stdout).print(Panel.fit(text, title="Radrelay", border_style="cyan"))
        sys.stdout.flush()
        if load:
            apart(lambda: _load_samples(settings))
        return True

    return ready


def _load_samples(settings: Settings) -> int:
    from radrelay.app.demo import load_samples  # noqa: PLC0415 -- brings numpy, which not all roles need

    return load_samples(settings)


def _greeting(core: Core, prepared: Prepared) -> str:
    settings = core.settings
    lines = [
        f"pages       {settings.web.address or _pages(settings.web)}/",
        f"DICOMweb    {settings.web.address or _pages(settings.web)}/dicom-web",
        f"DICOM       {settings.dicom.ae_title} at {settings.dicom.host}:{settings.dicom.port}",
    ]
    if settings.dicom.tls_port is not None:
        lines.append(f"DICOM TLS   {settings.dicom.ae_title} at {settings.dicom.host}:{settings.dicom.tls_port}")
    lines.append(f"data        {settings.data_dir.resolve()}")
    if settings.data_dir.resolve() != Settings().data_dir.resolve():
        lines.append(f"commands    export RADRELAY_DATA_DIR={shlex.quote(str(settings.data_dir.resolve()))}")
    if prepared.first_password is not None:
        lines += ["", "first login", "  username  admin", f"  password  {prepared.first_password}   (valid once)"]
    if settings.web.host in ("127.0.0.1", "::1", "localhost"):
        lines += ["", "reachable from this machine only; see RADRELAY_WEB__HOST, RADRELAY_DICOM__HOST"]
    elif settings.web.wants_tls:
        lines += ["", "the pages answer this machine only: they want RADRELAY_WEB__TLS_CERTIFICATE and _TLS_KEY,"]
        lines += ["or a proxy that ends TLS and RADRELAY_WEB__BEHIND_PROXY=true"]
    return "\n".join(lines)


def _pages(settings: WebSettings) -> str:
    scheme = "https" if settings.speaks_tls else "http"
    return f"{scheme}://{_reachable(settings.host)}:{settings.port}"


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 -- compared, not bound


def _is_empty(core: Core) -> bool:
    with core.database.read() as session:
        return session.scalar(sa.select(Study.id).limit(1)) is None
