"""The one page that a portal has: led to addresses, looked at, typed into, clicked, and what it downloads.

Whatever the page says or does, each call ends in time. Errors name no address.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from radrelay.importer.browser import scripts
from radrelay.importer.browser.held import Held
from radrelay.importer.browser.pipe import Refused, Told
from radrelay.importer.errors import (
    BrowserEnded,
    PageHangs,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalTrouble,
    PortalUnreachable,
    PortalUntrusted,
)
from radrelay.importer.outgoing import Reply
from radrelay.importer.places import Target
from radrelay.importer.recipes.page import Page

MOST_PAGE, WORLD = 2 << 20, "radrelay"
ANSWER_S, LOOK_S, SETTLE_S = 20.0, 0.1, 2.0
WIDTH, HEIGHT = 1280, 900
_IN_PAGE = ("", "about:blank")
Frames = Sequence[Mapping[str, str]]
"""Attributes of a frame in the page, of one within that, and so on."""


@dataclass(slots=True)
class Coming:
    """A download: the file that it becomes, how far it is, and how it ended."""

    id: str
    name: str = field(repr=False)
    have: int = 0
    size: int | None = None
    state: str = "inProgress"


@dataclass(frozen=True, slots=True)
class View:
    """A page, or one within it: in which session it is asked, and the frames around it, each in the session of its own.

    A frame of another site is in a process of its own, and so in a session of its own.
    """

    session: str
    frame: str
    around: tuple[tuple[str, str], ...] = ()


class Tab:
    """A browser's page, `apart` from others of the same browser if there are some. For one thread.

    One that is not has the browser's profile, where a parcel that a script makes need not stand in memory whole.
    """

    def __init__(self, held: Held, within_s: float = ANSWER_S, *, apart: bool = False) -> None:
        self._held, self._pipe, self._within = held, held.pipe, within_s
        self._lock = threading.Lock()
        self._coming: dict[str, Coming] = {}
        self._failed = ""
        self._sessions: dict[str, str] = {}  # of frames of other sites
        self._listen()
        made = self._pipe.call("Target.createBrowserContext", within_s) if apart else {}
        context = {name: value for name, value in made.items() if name == "browserContextId"}
        made = self._pipe.call("Target.createTarget", within_s, url="about:blank", **context)
        self._frame = str(made["targetId"])
        attached = self._pipe.call("Target.attachToTarget", within_s, targetId=self._frame, flatten=True)
        self._session = str(attached["sessionId"])
        self._pipe.call(
            "Browser.setDownloadBehavior", within_s, behavior="allowAndName",
            downloadPath=str(held.downloads), eventsEnabled=True, **context,
        )  # fmt: skip
        self._ask("Page.enable")
        self._ask("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
        self._ask("Page.addScriptToEvaluateOnNewDocument", source=scripts.ONE_PAGE)
        self._ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)

    def go(self, url: str) -> None:
        """Lead it to an address; raises what the way out refused, `PortalUnreachable`, `PageHangs`."""
        self._failed = ""
        answer = self._ask("Page.navigate", url=url)
        if answer.get("errorText") and not answer.get("isDownload"):
            raise self._not_loaded(self._failed or url, str(answer["errorText"]))

    def page(self) -> tuple[Page, bool]:
        """Return what somebody sees now, and whether it has come whole; raises what came instead of a page."""
        told: Any = None
        until = time.monotonic() + self._within
        while told is None:  # a page that makes way for the next has nothing to be asked
            told = self._run(scripts.PAGE, MOST_PAGE)
            if told is None and time.monotonic() > until:
                raise PageHangs
        if str(told["address"]).startswith("chrome-error:"):
            raise self._not_loaded(self._failed or "", "")
        return _shown(told)

    def framed(self, frames: Frames) -> tuple[Page, bool] | None:
        """Return what somebody sees in a frame, and whether it has come whole; none where there is none (yet)."""
        view = self._view(frames)
        told = None if view is None else self._run(scripts.PAGE, MOST_PAGE, view=view)
        return None if told is None or str(told["address"]).startswith("chrome-error:") else _shown(told)

    def click(self, way: str, text: str, frames: Frames = ()) -> bool:
        """Click an element, of the page or of one in its frames; False if there is none."""
        view = self._view(frames)
        place = None if view is None else self._place_of(view, way, text)
        if place is None:
            return False
        self.click_at(*place)
        return True

    def _place_of(self, view: View, way: str, text: str) -> tuple[float, float] | None:
        """Return where an element is, once it rests: pages around a frame scroll on their own."""
        before, until = None, time.monotonic() + SETTLE_S
        while True:
            told = self._run(scripts.CLICK, way, text, view=view)
            if not told:
                return None
            x, y = float(told["x"]), float(told["y"])
            for session, owner in view.around:
                corner = self._told_by(session, scripts.CORNER, owner)
                if corner is None:
                    return None
                x, y = x + float(corner["x"]), y + float(corner["y"])
            if not view.around or (x, y) == before or time.monotonic() > until:
                return x, y
            before = (x, y)
            time.sleep(LOOK_S)

    def click_at(self, x: float, y: float) -> None:
        """Click at a place of the page, in pixels from its upper left corner."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def fill(self, way: str, text: str, value: str, frames: Frames = ()) -> str:
        """Fill a field; returns what is wrong, nothing if nothing is, `missing` if there is none."""
        view = self._view(frames)
        if view is None:
            return "missing"
        said = self._run(scripts.FOCUS, way, text, value, view=view)
        if said == "type" and view.around:  # keys go to the frame that a person has clicked into
            place = self._place_of(view, way, text)
            if place is not None:
                self.click_at(*place)
            said = self._run(scripts.FOCUS, way, text, value, view=view)
        if said == "type":
            for one in value:
                self._pipe.say("Input.dispatchKeyEvent", self._session, type="keyDown", text=one, key=one)
                self._ask("Input.dispatchKeyEvent", type="keyUp", key=one)
        return "" if said in ("type", "done") else str(said or "missing")

    def picture(self) -> bytes:
        """Return the page as a picture (PNG), as large as its window, once nothing in it changes any more."""
        before, until = b"", time.monotonic() + SETTLE_S
        while (shown := self._picture()) != before and time.monotonic() < until:
            before = shown
            time.sleep(LOOK_S)
        return shown

    def _picture(self) -> bytes:
        until = time.monotonic() + self._within
        while True:
            try:
                return base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"])
            except Refused:
                if time.monotonic() > until:
                    raise PageHangs from None
                time.sleep(LOOK_S)

    def downloads(self) -> list[Coming]:
        """Return what it downloads, in the order in which that began."""
        with self._lock:
            return list(self._coming.values())

    def file(self, one: Coming) -> Path:
        """Return where a download lies; raises `PortalBrokeOff`, `ParcelTooLarge` for one that is none."""
        if one.state != "completed":
            raise PortalBrokeOff
        path = self._held.downloads / one.id
        if path.is_symlink() or not path.is_file():
            raise PortalBrokeOff
        return path

    def cancel(self, one: Coming) -> None:
        """End a download."""
        with suppress(BrowserEnded):
            self._pipe.say("Browser.cancelDownload", guid=one.id)

    def require_well(self) -> None:
        """Raise `ParcelTooLarge` if more came than is taken."""
        if self._held.door.exhausted:
            found = (one for one in self._held.door.refused.values() if isinstance(one, ParcelTooLarge))
            raise next(found, ParcelTooLarge())

    def _listen(self) -> None:
        listened = {
            "Page.javascriptDialogOpening": self._close_dialog,
            "Browser.downloadWillBegin": self._begin_download,
            "Browser.downloadProgress": self._carry_download,
            "Network.requestWillBeSent": self._note_request,
        }
        for event, listener in listened.items():
            self._pipe.listen(event, listener)

    def _close_dialog(self, told: Told) -> None:
        self._pipe.say("Page.handleJavaScriptDialog", str(told.get("sessionId", "")), accept=True)

    def _begin_download(self, told: Told) -> None:
        said = told["params"]
        with self._lock:
            self._coming[said["guid"]] = Coming(str(said["guid"]), str(said.get("suggestedFilename", ""))[:200])

    def _carry_download(self, told: Told) -> None:
        said = told["params"]
        with self._lock:
            one = self._coming.get(said["guid"])
            if one is not None:
                one.have, one.state = int(said.get("receivedBytes", 0)), str(said["state"])
                one.size = int(said.get("totalBytes", 0)) or None

    def _note_request(self, told: Told) -> None:
        """Remember which page was asked for last: an error has no address of its own."""
        said = told["params"]
        if said.get("type") == "Document" and said.get("frameId") == self._frame:
            self._failed = str(said["request"]["url"])

    def _not_loaded(self, url: str, said: str) -> PortalTrouble:
        """Return why a page is not there: what the way out refused, else what the browser says."""
        host = urlsplit(url).hostname or ""
        refused = self._held.door.refused.get(host)
        if refused is not None:
            return refused
        if "ERR_CERT" in said or "ERR_SSL" in said:
            return PortalUntrusted(f"the certificate of {host} is not trusted", host=host, reason=said[:60])
        return PortalUnreachable(f"{host} shows no page", host=host, reason=said[:60] or "no page came")

    def _view(self, frames: Frames) -> View | None:
        """Return the page in a frame, or in one within it; the page itself where none is named."""
        view = View(self._session, self._frame)
        for where in frames:
            owner = self._called(view, scripts.FRAME, dict(where), whole=False).get("objectId")
            if owner is None:
                return None
            try:
                node = self._pipe.call("DOM.describeNode", self._within, view.session, objectId=owner)["node"]
                frame = str(node["frameId"])
                view = View(self._session_of(view.session, frame), frame, (*view.around, (view.session, str(owner))))
            except (Refused, KeyError):  # it makes way for another
                return None
        return view

    def _session_of(self, around: str, frame: str) -> str:
        """Return the session of a frame: that of the page around it, or one of its own; raises `Refused`."""
        for session in (around, self._sessions.get(frame, "")):
            with suppress(Refused):
                if session:
                    self._pipe.call("Page.createIsolatedWorld", self._within, session, frameId=frame, worldName=WORLD)
                    return session
        attached = self._pipe.call("Target.attachToTarget", self._within, targetId=frame, flatten=True)
        session = self._sessions[frame] = str(attached["sessionId"])
        self._pipe.call("Page.enable", self._within, session)
        self._pipe.call("Page.addScriptToEvaluateOnNewDocument", self._within, session, source=scripts.ONE_PAGE)
        self._pipe.call("Runtime.evaluate", self._within, session, expression=scripts.ONE_PAGE)
        return session

    def _run(self, function: str, *arguments: object, view: View | None = None) -> Any:
        """Return what a function of ours says of a page, none while one page makes way for another."""
        return self._called(view or View(self._session, self._frame), function, *arguments).get("value")

    def _called(self, view: View, function: str, *arguments: object, whole: bool = True) -> Told:
        """Return what a function of ours gives: its value, or (not `whole`) what it is known by."""
        try:
            world = self._pipe.call(
                "Page.createIsolatedWorld", self._within, view.session, frameId=view.frame, worldName=WORLD
            )
            told = self._pipe.call(
                "Runtime.callFunctionOn", self._within, view.session, functionDeclaration=function,
                returnByValue=whole, executionContextId=world["executionContextId"],
                arguments=[{"value": one} for one in arguments],
            )  # fmt: skip
        except Refused:
            time.sleep(LOOK_S)
            return {}
        result: Told = {} if "exceptionDetails" in told else told["result"]
        return result

    def _told_by(self, session: str, function: str, owner: str) -> Any:
        """Return what a function says of an element; none where that is gone."""
        with suppress(Refused):
            told = self._pipe.call(
                "Runtime.callFunctionOn", self._within, session, functionDeclaration=function, returnByValue=True,
                objectId=owner,
            )  # fmt: skip
            return None if "exceptionDetails" in told else told["result"].get("value")
        return None

    def _ask(self, method: str, **parameters: object) -> Told:
        return self._pipe.call(method, self._within, self._session, **parameters)


def _shown(told: Told) -> tuple[Page, bool]:
    address = str(told["address"])
    target = Target(address.startswith("https:"), *_place(address))
    reply = Reply(target, 200, {"content-type": "text/html; charset=utf-8"}, str(told["page"]).encode())
    return Page(reply), bool(told["whole"])


def _place(address: str) -> tuple[str, int, str]:
    """Return host, port and path of an address, as far as it has them."""
    parts: Sequence[str] = (address,)
    try:
        said = urlsplit(address)
        port = said.port or (443 if said.scheme == "https" else 80)
        further = (f"?{said.query}" if said.query else "") + (f"#{said.fragment}" if said.fragment else "")
        return said.hostname or "", port, (said.path or "/") + further
    except ValueError:
        return "", 443, parts[0][:1]
