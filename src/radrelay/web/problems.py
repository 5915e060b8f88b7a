"""Errors as problem documents (RFC 9457): `application/problem+json` with a code that programs can rely on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from radrelay import errors
from radrelay.errors import RadrelayError

MEDIA_TYPE = "application/problem+json"
CODES = {
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
}
log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    correlation_id: str


class Trouble(BaseModel):
    """An error that is part of an answer: its code and facts for programs, and what happened in plain English."""

    code: str
    detail: str
    facts: dict[str, str | int | float]

    @classmethod
    def shown(cls, trouble: errors.Trouble | None) -> Trouble | None:
        """Return `trouble` as it stands in an answer."""
        if trouble is None:
            return None
        return cls(code=trouble.code, detail=trouble.detail, facts=dict(trouble.facts))


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "What is wrong with the request",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    },
    "5XX": {
        "description": "What does not work just now",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    },
}


def answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Return for OpenAPI that a route answers with these media types."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}


def problem(
    status: int,
    code: str,
    detail: str,
    correlation_id: str,
    *,
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response for one problem; `facts` are further members, as far as JSON has them."""
    document: dict[str, object] = {
        name: value
        for name, value in (facts or {}).items()
        if isinstance(value, str | int | float | list | dict | type(None)) and name not in Problem.model_fields
    }
    document |= {
        "type": f"urn:radrelay:problem:{code}",
        "title": code.replace("-", " "),
        "status": status,
        "detail": detail,
        "code": code,
        "correlation_id": correlation_id,
    }
    return JSONResponse(document, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def correlation_of(request: Request) -> str:
    """Return the request's correlation id."""
    return str(getattr(request.state, "correlation_id", ""))


def error_response(error: RadrelayError, correlation_id: str) -> Response:
    """Return the problem document of one of Radrelay's own errors."""
    headers: dict[str, str] = {}
    retry_after = error.facts.get("retry_after_s")
    if isinstance(retry_after, int | float):
        headers["Retry-After"] = str(max(1, round(retry_after)))
    if error.http_status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(error.http_status, error.code, error.message, correlation_id, facts=error.facts, headers=headers)


def unforeseen_problem(correlation_id: str) -> Response:
    """Return the answer to an error that nobody foresaw; it says nothing but the id to look for in the log."""
    return problem(500, "error", "Something went wrong; the log has it under this correlation id.", correlation_id)


def problem_of(request: Request, error: RadrelayError) -> Response:
    """Return the answer to a request that ended with one of Radrelay's own errors."""
    if error.http_status >= 500:
        log.warning("request failed", code=error.code, status=error.http_status)
    return error_response(error, correlation_of(request))


async def _radrelay_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RadrelayError):
        raise error
    return problem_of(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = [{"where": ".".join(map(str, item["loc"])), "what": str(item["msg"])} for item in error.errors()]
    detail = "; ".join(f"{item['where']}: {item['what']}" for item in wrong[:5])
    return problem(422, "invalid", detail, correlation_of(request), facts={"errors": wrong[:50]})


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = CODES.get(error.status_code, "error")
    return problem(error.status_code, code, str(error.detail), correlation_of(request), headers=error.headers)


def install(app: FastAPI) -> None:
    """Make `app` answer errors with problem documents."""
    app.add_exception_handler(RadrelayError, _radrelay_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
