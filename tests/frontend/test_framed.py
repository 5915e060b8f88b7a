"""Pages in another site's frame, where a browser refuses even to be asked what it keeps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Browser, expect

from tests import pages
from tests.frontend.conftest import Site

KEEPS_NOTHING = """if (top !== self) for (const name of ['localStorage', 'sessionStorage'])
  Object.defineProperty(window, name, { get() { throw new DOMException('Access is denied', 'SecurityError'); } });"""


class _Program(BaseHTTPRequestHandler):
    """The other site, on `localhost`: a page with a frame on the address behind its question mark."""

    def do_GET(self) -> None:
        html = f'<!doctype html><iframe src="{unquote(self.path[2:])}" style="width: 1000px; height: 700px"></iframe>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(html.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def program() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Program)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/?"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_program_s_frame_shows_pictures_and_what_went_wrong(browser: Browser, site: Site, program: str) -> None:
    complaints: list[str] = []
    site.world.frame_ancestors = (program.removesuffix("/?"),)
    context = browser.new_context(locale="en")
    context.add_init_script(KEEPS_NOTHING)
    page = context.new_page()
    pages.watch(page, complaints)
    study = site.world.studies[0].row["id"]
    page.goto(program + quote(f"{site.address}/view?study={study}"))
    frame = page.frame_locator("iframe")
    frame.locator(".pane[data-ready=true]").first.wait_for(timeout=15_000)
    page.goto(program + quote(f"{site.address}/launch#{'x' * 43}"))
    expect(frame.get_by_role("heading", name="The images were not opened")).to_be_visible()
    with page.expect_request("**/api/launches/open"):  # the same page but for what stands behind the #
        page.locator("iframe").evaluate("(frame, next) => { frame.src = next; }", f"{site.address}/launch#{'y' * 43}")
    context.close()
    assert complaints == []
