"""The REST interface against its own description: no input makes a server error, every answer is as described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.web.conftest import WebSite, close_site, open_site
from tests.web.test_studies import CT, upload

ENDLESS = "/api/events"
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
EXAMPLES = 4  # for each operation; the long run of the soak takes more


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    site = open_site(tmp_path_factory.mktemp("walked"))
    site.account("root", "admin")
    upload(site, site.login("root"), CT)
    site.services.acceptances.owes = lambda *_: False  # type: ignore[method-assign]  # a text published on the way
    yield site
    close_site(site)


def operations(site: WebSite) -> Iterator[Any]:
    document = site.app.openapi()
    paths = {path: item for path, item in document["paths"].items() if path.startswith("/api/") and path != ENDLESS}
    schema = schemathesis.openapi.from_dict(document | {"paths": paths})
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


def walk(site: WebSite, examples: int) -> int:
    headers = {"Authorization": f"Bearer {site.token('admin')}"}
    client = site.client()
    walked = 0

    for operation in operations(site):
        walked += 1

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            wanted = case.as_transport_kwargs(base_url="http://127.0.0.1:8080", headers=headers)
            wanted = {name: value for name, value in wanted.items() if value is not None}
            wanted.pop("cookies", None)
            data = wanted.pop("data", None)
            if data is not None:
                wanted["content" if isinstance(data, bytes | str) else "data"] = data
            answer = client.request(wanted.pop("method"), wanted.pop("url"), **wanted)
            case.validate_response(answer, checks=CHECKS)

        send()
    return walked


def test_any_input_gets_an_answer_that_was_promised(walked: WebSite) -> None:
    assert walk(walked, EXAMPLES) > 50


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_much_more_input_does_too(walked: WebSite) -> None:
    assert walk(walked, 100) > 50
