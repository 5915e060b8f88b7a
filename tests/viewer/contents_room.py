"""Parts of the reading room alone in a browser, on a real web role over real objects.

The parts' own page is built from `frontend/harness` once per run; a login stands in the browser's cookies.
"""

from __future__ import annotations

import io
import os
import runpy
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pydicom
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page
from prometheus_client import CollectorRegistry

from radrelay.web.application import create
from tests.pages import watch
from tests.proving import log_in
from tests.web.conftest import PASSWORD, Login, WebSite
from tests.web.test_studies import upload_bytes

FRONTEND = Path(__file__).parents[2] / "frontend"


def build_harness(folder: Path) -> Path:
    """Build the parts' page into `folder`."""
    vite = FRONTEND / "node_modules" / "vite" / "bin" / "vite.js"
    assert vite.exists(), "the front end's tools are not installed: scripts/build-frontend"
    bundle = runpy.run_path(str(FRONTEND / "bundle.py"))  # the Node.js that the pages were built with, wherever it is
    command = [
        str(bundle["find_node"]().node),
        str(vite),
        "build",
        "--config",
        "harness/vite.config.mjs",
        "--logLevel",
        "error",
    ]
    subprocess.run(command, cwd=FRONTEND, env=os.environ | {"RADRELAY_HARNESS": str(folder)}, check=True)
    return folder


def file_of(dataset: pydicom.Dataset) -> bytes:
    """Return a data set as a file."""
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@dataclass
class Room:
    """A served installation with a logged-in user, and a browser."""

    site: WebSite
    anna: Login
    address: str
    browser: Browser
    complaints: list[str]
    contexts: list[BrowserContext]

    def take(self, *files: Path | bytes) -> list[dict[str, str]]:
        """Upload objects; return study, series and instance of each that is in the list then, by instance number."""
        upload_bytes(
            self.site,
            self.anna,
            {f"{n}.dcm": one if isinstance(one, bytes) else one.read_bytes() for n, one in enumerate(files)},
        )
        return [
            {"study": study["id"], "series": series["id"], "instance": one["id"]}
            for study in self.anna.http.get("/api/studies").json()["studies"]
            for series in self.anna.http.get(f"/api/studies/{study['id']}").json()["series"]
            for one in self.anna.http.get(f"/api/series/{series['id']}").json()["instances"]
        ]

    def login(self) -> str:
        """Return the cookie of a login of its own: a page may end its."""
        with httpx2.Client(base_url=self.address, trust_env=False) as http:
            assert log_in(http, "anna", PASSWORD).status_code == 200
            return str(http.cookies["radrelay_session"])

    def open(
        self, what: dict[str, str], *, width: int = 1440, height: int = 900, language: str = "en", **more: str
    ) -> Page:
        touch = width < 600
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, locale=language, has_touch=touch, is_mobile=touch,
            timezone_id="Europe/Berlin", reduced_motion="reduce", accept_downloads=True,
        )  # fmt: skip
        self.contexts.append(context)
        page = context.new_page()
        context.add_cookies([{"name": "radrelay_session", "value": self.login(), "url": self.address}])
        watch(page, self.complaints)
        page.goto(f"{self.address}/part?{urlencode({**what, **more})}")
        return page


@contextmanager
def served(site: WebSite, static: Path) -> Iterator[str]:
    """Serve the application on loopback; yields its address."""
    app = create(replace(site.services, static_dir=static, registry=CollectorRegistry()))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
