"""Firefox and WebKit as Debian has them, driven by the W3C's WebDriver: what Playwright, which wants builds of its own,
does not start. Firefox speaks it over its own socket (Marionette, which geckodriver translates to), WebKit over HTTP.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tests.ports import free_port
from tests.system.installation import InVain, until

FIREFOX = "/usr/bin/firefox-esr"
WEBKIT_DRIVER = "/usr/bin/WebKitWebDriver"
MINI_BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"
X_SERVER = "/usr/bin/Xvfb"
WIDTH, HEIGHT = 1440, 900
START_S, ANSWER_S, END_S = 60.0, 60.0, 15.0
ASKED_AGAIN_S = 10.0
"""WebKit's driver never answers a script that met a page in its going: what is waited for is asked again."""
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference (WebDriver 12.1)."""
KEYS = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Delete": "\ue017", "Shift": "\ue008", "Control": "\ue009",
    "Home": "\ue011", "End": "\ue010", "PageUp": "\ue00e", "PageDown": "\ue00f",
    "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
}  # fmt: skip
PREFERENCES = {
    "marionette.port": 0, "app.update.enabled": False, "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0, "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "extensions.update.enabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "app.normandy.enabled": False, "browser.region.network.url": "",
    "services.settings.server": "data:,", "browser.topsites.contile.enabled": False, "intl.accept_languages": "en-GB",
    "browser.download.folderList": 2, "browser.download.useDownloadDir": True,
    "security.sandbox.warn_unprivileged_namespaces": False, "browser.download.alwaysOpenPanel": False,
    "webgl.force-enabled": True,
}  # fmt: skip
"""Asks nothing of the network, and nothing of the person before it."""


class Refused(AssertionError):
    """The browser could not do what it was told."""


class Driver(Protocol):
    """Sends one of WebDriver's commands, by its name in the standard, and returns the answer's value.

    Raises TimeoutError where a binding that may lose answers has none within `within_s`.
    """

    def __call__(self, command: str, *, within_s: float = ANSWER_S, **parameters: Any) -> Any: ...


class OverHttp:
    """WebDriver's own binding (WebDriver 6.5), as far as it is needed here."""

    PATHS: ClassVar = {
        "Navigate": "url", "ExecuteScript": "execute/sync", "PerformActions": "actions", "SetWindowRect": "window/rect",
        "Back": "back", "ElementClick": "element/{id}/click",
    }  # fmt: skip

    def __init__(self, base: str, capabilities: dict[str, Any]) -> None:
        self.base = base
        opened = self._send("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.base = f"{base}/session/{opened['sessionId']}"
        self.told: dict[str, Any] = opened["capabilities"]

    def __call__(self, command: str, *, within_s: float = ANSWER_S, **parameters: Any) -> Any:
        if command == "TakeScreenshot":
            return self._send("GET", "/screenshot")
        if command == "DeleteSession":
            return self._send("DELETE", "")
        return self._send("POST", "/" + self.PATHS[command].format(**parameters), parameters, within_s)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None, within_s: float = ANSWER_S) -> Any:
        asked = urllib.request.Request(
            self.base + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(asked, timeout=within_s) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.read().decode()[:2000]}") from error


class OverMarionette:
    """Firefox's own binding: `length:json` over a socket; [0, number, command, parameters] is answered by
    [1, number, error, result].
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_S)
        self._rest = b""
        self._number = 0
        self._message()  # a greeting
        self.told: dict[str, Any] = self("NewSession", strictFileInteractability=False)["capabilities"]

    def __call__(self, command: str, *, within_s: float = ANSWER_S, **parameters: Any) -> Any:
        del within_s  # no answer of Firefox's gets lost
        self._number += 1
        text = json.dumps([0, self._number, f"WebDriver:{command}", parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(text), text))
        _, number, error, result = self._message()
        assert number == self._number
        if error is not None:
            raise Refused(f"{command}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _message(self) -> Any:
        while b":" not in self._rest:
            self._receive()
        length, _, self._rest = self._rest.partition(b":")
        while len(self._rest) < int(length):
            self._receive()
        text, self._rest = self._rest[: int(length)], self._rest[int(length) :]
        return json.loads(text)

    def _receive(self) -> None:
        more = self._socket.recv(1 << 20)
        if not more:
            raise Refused("the browser has gone")
        self._rest += more


NAMED = """
const [name, kinds] = arguments;
const said = (one) => (one.getAttribute('aria-label') ?? one.textContent).replace(/\\s+/g, ' ').trim();
const seen = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility === 'visible';
return [...document.querySelectorAll(kinds)].find((one) => said(one) === name && seen(one)) ?? null;
"""
CONTROLS = "button, a[href], label, summary, [role=button], [role=menuitem], [role=tab]"
CENTRE = "const box = arguments[0].getBoundingClientRect(); return [box.left, box.top, box.width, box.height];"
WAIT_S = 60.0
LOST_S = 5.0


class Visitor:
    """Somebody at a browser, with mouse and keys."""

    def __init__(self, name: str, driver: Driver, downloads: Path) -> None:
        self.name = name
        self.driver = driver
        self.downloads = downloads

    def open(self, address: str) -> None:
        """Go to an address as if it was typed."""
        self.driver("Navigate", url=address)

    def evaluate(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page; a promise is waited for."""
        return self.driver("ExecuteScript", script=script, args=list(arguments))

    def until(self, script: str, *arguments: Any, what: str = "") -> Any:
        """Wait until a script's value is true, and return it."""

        def asked() -> Any:
            return self.driver("ExecuteScript", within_s=ASKED_AGAIN_S, script=script, args=list(arguments))

        return until(asked, f"{self.name}: {what or script}", WAIT_S)

    def shown(self, css: str) -> dict[str, str]:
        """Wait for an element of the page, and return its reference."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].find((one) => one.getClientRects().length > 0) ?? null"
        )
        found: dict[str, str] = self.until(script, css, what=css)
        return found

    def gone(self, css: str) -> None:
        """Wait until there is no such element."""
        self.until("return document.querySelector(arguments[0]) === null", css, what=f"no {css}")

    def reads(self, css: str, text: str) -> None:
        """Wait until an element holds a text."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].some((one) => one.textContent.includes(arguments[1]))"
        )
        self.until(script, css, text, what=f"{css} to read {text!r}")

    def press(self, name: str, kinds: str = CONTROLS) -> None:
        """Click the control that is called so."""
        self.click(self.until(NAMED, name, kinds, what=f"a control {name!r}"))

    def choose(self, menu: str, name: str) -> None:
        """Open a menu and click what is called so in it; a click that got lost on its way is made again."""
        for _ in range(round(WAIT_S / LOST_S)):
            self.press(menu)
            with suppress(InVain):
                self.click(until(lambda: self.evaluate(NAMED, name, CONTROLS), name, LOST_S))
                return
        raise InVain(f"{self.name}: {menu!r} opens no menu with {name!r}")

    def click(self, element: dict[str, str]) -> None:
        """Click an element in its middle."""
        self.driver("ElementClick", id=element[ELEMENT])

    def type(self, text: str) -> None:
        """Type a text to where the focus is."""
        self._act("key", [{"type": way, "value": sign} for sign in text for way in ("keyDown", "keyUp")])

    def keys(self, *names: str, times: int = 1) -> None:
        """Press keys together, such as Shift and ArrowUp, once or several times."""
        values = [KEYS.get(name, name) for name in names]
        once = [{"type": "keyDown", "value": value} for value in values]
        once += [{"type": "keyUp", "value": value} for value in reversed(values)]
        self._act("key", once * times)

    def box(self, css: str) -> tuple[float, float, float, float]:
        """Return where an element lies in the window: left, top, width, height in CSS pixels."""
        left, top, width, height = self.evaluate(CENTRE, self.shown(css))
        return left, top, width, height

    def at(self, css: str, across: float = 0.5, down: float = 0.5) -> tuple[int, int]:
        """Return a point of an element by shares of its width and height."""
        left, top, width, height = self.box(css)
        return round(left + across * width), round(top + down * height)

    def drag(self, *points: tuple[int, int]) -> None:
        """Go with the button held from the first point through the others."""
        moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 40} for x, y in points]
        held = [
            moves[0],
            {"type": "pointerDown", "button": 0},
            *moves[1:],
            {"type": "pointerUp", "button": 0},
        ]
        self._act("pointer", held, parameters={"pointerType": "mouse"})

    def wheel(self, at: tuple[int, int], turned: int) -> None:
        """Turn the wheel over a point."""
        self._act("wheel", [{"type": "scroll", "x": at[0], "y": at[1], "deltaX": 0, "deltaY": turned, "duration": 0}])

    def screenshot(self, path: Path) -> None:
        """Keep what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.driver("TakeScreenshot")))

    def _act(self, kind: str, actions: list[dict[str, Any]], **more: Any) -> None:
        self.driver("PerformActions", actions=[{"type": kind, "id": kind, "actions": actions, **more}])


def installed(program: str, package: str) -> str:
    """Return a program's path; a test that needs it fails where it is missing."""
    assert Path(program).exists(), f"{program} is missing: scripts/debian-packages test installs {package}"
    return program


@contextmanager
def firefox(folder: Path) -> Iterator[Visitor]:
    """Run Firefox in a profile of its own; it needs a screen for WebGL, though it shows nothing there."""
    program = installed(FIREFOX, "firefox-esr")
    profile, downloads = folder / "profile", folder / "downloads"
    profile.mkdir()
    downloads.mkdir()
    wanted = {**PREFERENCES, "browser.download.dir": str(downloads)}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in wanted.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    command = [program, "--headless", "--no-remote", "--marionette", f"--width={WIDTH}", f"--height={HEIGHT}"]
    with on_hidden_screen([*command, "--profile", str(profile)], folder):
        told = profile / "MarionetteActivePort"
        port = until(lambda: told.exists() and told.read_text().strip(), "Firefox to tell its port", START_S)
        driver = OverMarionette(int(port))
        try:
            yield Visitor(f"Firefox {driver.told['browserVersion']}", driver, downloads)
        finally:
            driver.close()


@contextmanager
def webkit(folder: Path) -> Iterator[Visitor]:
    """Run WebKit's small browser."""
    program, browser = installed(WEBKIT_DRIVER, "webkit2gtk-driver"), installed(MINI_BROWSER, "webkit2gtk-driver")
    port = free_port()
    with on_hidden_screen([program, f"--port={port}", "--host=127.0.0.1"], folder):
        driver = until(lambda: connected(port, browser), "WebKit's driver", START_S)
        try:
            driver("SetWindowRect", x=0, y=0, width=WIDTH, height=HEIGHT)
            yield Visitor(f"WebKitGTK {driver.told['browserVersion']}", driver, folder)
        finally:
            driver("DeleteSession")


def connected(port: int, browser: str) -> OverHttp:
    """Start the browser by its driver."""
    options = {"webkitgtk:browserOptions": {"binary": browser, "args": ["--automation"]}}
    return OverHttp(f"http://127.0.0.1:{port}", options)


@contextmanager
def on_hidden_screen(command: list[str], folder: Path) -> Iterator[None]:
    """Run a program on a screen that nobody sees: an X server that draws into memory."""
    server = [
        installed(X_SERVER, "xvfb"),
        "-displayfd",
        "1",
        "-screen",
        "0",
        f"{WIDTH}x{HEIGHT}x24",
        "-nolisten",
        "tcp",
    ]
    with running(server, stdout=subprocess.PIPE) as screen:
        assert screen.stdout is not None
        display = f":{screen.stdout.readline().decode().strip()}"
        own = {"DISPLAY": display, "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": str(folder)}
        with running(command, env={**os.environ, **own}):
            yield


@contextmanager
def running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and end it, at last by force."""
    with subprocess.Popen(command, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
