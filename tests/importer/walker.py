"""Somebody who goes through a portal in a browser that notes all down: each request and its answer, as HAR has them."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from radrelay.importer.outgoing import REDIRECTS
from tests.importer.portal import Portal
from tests.importer.recipe_portals import HOST


class Walker:
    """Goes on from page to page; redirects are followed, cookies kept."""

    def __init__(self, here: Portal) -> None:
        self._here = here
        self._cookies: dict[str, str] = {}
        self.entries: list[dict[str, Any]] = []

    @property
    def har(self) -> bytes:
        """The walk as a file."""
        return json.dumps({"log": {"entries": self.entries}}).encode()

    def get(self, path: str, **headers: str) -> str:
        return self._go("GET", path, "", "", headers)

    def post(self, path: str, fields: dict[str, str]) -> str:
        return self._go("POST", path, urlencode(fields), "application/x-www-form-urlencoded", {})

    def tell(self, path: str, told: object, **headers: str) -> Any:
        return json.loads(self._go("POST", path, json.dumps(told), "application/json", headers) or "null")

    def _go(self, method: str, path: str, body: str, kind: str, headers: dict[str, str]) -> str:
        url = self._here.url(path, HOST)
        for _ in range(5):
            status, given, content = self._ask(method, url, body, kind, headers)
            if status not in REDIRECTS:
                return content.decode("utf-8", "replace")
            url, method, body = urljoin(url, given["location"]), "GET", ""
        raise AssertionError("redirects without end")

    def _ask(
        self, method: str, url: str, body: str, kind: str, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {**headers, **({"Content-Type": kind} if body else {})}
        if self._cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        line = http.client.HTTPConnection(HOST, self._here.port, timeout=10)
        parts = urlsplit(url)
        line.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body.encode() or None, sent)
        answer = line.getresponse()
        content, given = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        line.close()
        request: dict[str, Any] = {"method": method, "url": url, "headers": _listed(sent)}
        if body:
            request["postData"] = {"mimeType": kind, "text": body}
        packed = {"text": base64.b64encode(content).decode(), "encoding": "base64"}
        self.entries.append(
            {"request": request, "response": {"status": answer.status, "headers": _listed(given), "content": packed}}
        )
        if "set-cookie" in given:
            name, _, value = given["set-cookie"].partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status, given, content


def _listed(told: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in told.items()]
