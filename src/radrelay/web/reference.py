"""The REST interface's own page: OpenAPI as a document, and as a page without any script.

The usual viewers come from elsewhere or need inline script, which the content security policy forbids.
"""

from __future__ import annotations

import html
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, JSONResponse

from radrelay.web.authentication import Authenticated

router = APIRouter(prefix="/api", include_in_schema=False)
METHODS = ("get", "post", "put", "patch", "delete")
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2430;background:#fff}
h2{margin:2rem 0 .5rem;text-transform:capitalize}
details{border:1px solid #d5dbe3;border-radius:6px;margin:.35rem 0;padding:.35rem .7rem}
summary{cursor:pointer;font-family:ui-monospace,monospace}
summary b{display:inline-block;width:5rem;text-transform:uppercase}
.get{color:#0b5cad}.post{color:#1c7a3d}.put,.patch{color:#8a5a00}.delete{color:#b3261e}
table{border-collapse:collapse;margin:.5rem 0;width:100%}td,th{border-bottom:1px solid #e4e8ee;padding:.2rem .5rem;
text-align:left;vertical-align:top}code{font-family:ui-monospace,monospace;font-size:.92em}
@media(prefers-color-scheme:dark){body{background:#11161d;color:#dce3ec}details{border-color:#2b3542}
td,th{border-color:#2b3542}.get{color:#6cb2ff}.post{color:#6fcf8e}.put,.patch{color:#e3b341}.delete{color:#ff8078}
a{color:#6cb2ff}}
"""


@router.get("/openapi.json")
def openapi(request: Request, principal: Authenticated) -> Response:
    """Return the interface as OpenAPI 3.1."""
    del principal
    return JSONResponse(request.app.openapi())


@router.get("/docs.css")
def style() -> Response:
    """Return the page's style."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


@router.get("/docs")
def docs(request: Request, principal: Authenticated) -> HTMLResponse:
    """Return the interface as a page."""
    del principal
    document: dict[str, Any] = request.app.openapi()
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(
                    _operation(document, path, method, operation)
                )
    parts = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(items)}" for tag, items in sorted(by_tag.items()))
    info = document["info"]
    return HTMLResponse(
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{html.escape(info['title'])} REST</title><link rel=stylesheet href=/api/docs.css></head><body>"
        f"<h1>{html.escape(info['title'])} {html.escape(info['version'])}</h1>"
        f"<p>{html.escape(info.get('description', ''))}</p>"
        "<p>As a document: <a href=/api/openapi.json>/api/openapi.json</a>. Log in with <code>Authorization: Bearer "
        "rr_…</code>, or with the cookie and, for what changes something, <code>X-CSRF-Token</code>.</p>"
        f"{parts}</body></html>"
    )


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], f"{parameter['in']} {_type(parameter.get('schema', {}))}", parameter.get("required", False))
        for parameter in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    for media_type, content in body.items():
        rows += _fields(document, media_type, content.get("schema", {}))
    table = "".join(
        f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(kind)}<td>{'required' if required else ''}</tr>"
        for name, kind, required in rows
    )
    return (
        f"<details><summary><b class={method}>{method}</b>{html.escape(path)}</summary>"
        f"<p>{html.escape(operation.get('description') or operation.get('summary', ''))}</p>"
        f"{f'<table>{table}</table>' if table else ''}</details>"
    )


def _fields(document: dict[str, Any], media_type: str, schema: dict[str, Any]) -> list[tuple[str, str, bool]]:
    schema = _resolved(document, schema)
    required = schema.get("required", [])
    properties = schema.get("properties")
    if not properties:
        return [("body", media_type, True)]
    return [(name, f"{media_type} {_type(field)}", name in required) for name, field in properties.items()]


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = document.get("components", {}).get("schemas", {}).get(name, schema)
    return found


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("format") or schema.get("type") or str(schema.get("$ref", "")).rpartition("/")[2] or "any")
