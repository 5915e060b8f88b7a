"""A page that no one records: what its process takes of memory is its own.

Playwright has the browser's tools record each of its pages, for which the page's own process keeps up to 200 MB of what
came over the network (`Network.enable` without limits), however little of it the page itself still knows. Whoever
measures memory therefore opens the page in a context of its own, by the tools' protocol, with nothing recorded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, CDPSession

ANSWER_S = 120.0
RECORDS_NOTHING = {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0}
STEP_S = 0.05


class Unwatched:
    """A page by the tools' protocol: what Playwright's `Page` offers of what a measurement needs."""

    def __init__(self, tools: CDPSession, session: str) -> None:
        self._tools, self._session = tools, session
        self._asked = 0
        self._answers: dict[int, dict[str, Any]] = {}
        tools.on("Target.receivedMessageFromTarget", self._take)

    def _take(self, event: dict[str, Any]) -> None:
        said = json.loads(event["message"])
        if event["sessionId"] == self._session and "id" in said:
            self._answers[said["id"]] = said

    def send(self, method: str, said: Mapping[str, object] | None = None, within_s: float = ANSWER_S) -> dict[str, Any]:
        """Ask the page's process. Raises RuntimeError when it refuses or is silent."""
        self._asked += 1
        number = self._asked
        message = json.dumps({"id": number, "method": method, "params": dict(said or {})})
        self._tools.send("Target.sendMessageToTarget", {"sessionId": self._session, "message": message})
        for _ in range(int(within_s / STEP_S)):
            if number in self._answers:
                break
            self._wait_a_moment()
        answer = self._answers.pop(number, {"error": f"no answer within {within_s:g} s"})
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _wait_a_moment(self) -> None:
        time.sleep(STEP_S)
        self._tools.send("Browser.getVersion")  # events are taken while an answer is waited for

    def evaluate(self, script: str, given: object = None, within_s: float = ANSWER_S) -> Any:
        """Call a function of the page with one argument, wait for what it promises, and return it."""
        asked = {
            "expression": f"({script})({json.dumps(given)})",
            "awaitPromise": True,
            "returnByValue": True,
        }
        answer = self.send("Runtime.evaluate", asked, within_s)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def begin_with(self, script: str) -> None:
        """Run a script in each document before its own ones."""
        self.send("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    def goto(self, address: str) -> None:
        """Open an address; return once its document is begun. Raises RuntimeError if it cannot be had."""
        failed = self.send("Page.navigate", {"url": address}).get("errorText")
        if failed:
            raise RuntimeError(f"{address}: {failed}")

    def wait_for(self, condition: str, within_s: float) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + within_s
        while not self.evaluate(f"() => Boolean({condition})"):
            if time.monotonic() > end:
                raise RuntimeError(f"not within {within_s:g} s: {condition}")
            time.sleep(STEP_S)


@contextmanager
def unwatched_page(browser: Browser, headers: Mapping[str, str], size: tuple[int, int]) -> Iterator[Unwatched]:
    """Give a phone's page with nothing cached and nothing recorded, in a context that Playwright knows nothing of."""
    tools = browser.new_browser_cdp_session()
    context = tools.send("Target.createBrowserContext")["browserContextId"]
    try:
        new = {"url": "about:blank", "browserContextId": context}
        target = tools.send("Target.createTarget", new)["targetId"]
        session = tools.send("Target.attachToTarget", {"targetId": target, "flatten": False})["sessionId"]
        page = Unwatched(tools, session)
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": True}
        whole = {"screenWidth": size[0], "screenHeight": size[1]}
        page.send("Emulation.setDeviceMetricsOverride", screen | whole)
        page.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
        page.send("Network.enable", RECORDS_NOTHING)
        page.send("Network.setExtraHTTPHeaders", {"headers": dict(headers)})
        page.send("Page.enable")
        yield page
    finally:
        tools.send("Target.disposeBrowserContext", {"browserContextId": context})
        tools.detach()
