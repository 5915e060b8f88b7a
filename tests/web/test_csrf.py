"""A page of another site can make a browser send the cookie, and nothing comes of it."""

from __future__ import annotations

import pytest

from tests.web.conftest import BASE, PASSWORD, WebSite


def test_a_change_without_the_token_is_refused(site: WebSite) -> None:
    root = site.login("root")
    answer = root.http.post("/api/tokens", json={"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


@pytest.mark.parametrize("wrong", ["", "x", "ä" * 10, "0" * 43])
def test_a_change_with_a_wrong_token_is_refused(site: WebSite, wrong: str) -> None:
    root = site.login("root")
    answer = root.http.post("/api/tokens", json={"name": "x"}, headers=[(b"X-CSRF-Token", wrong.encode())])
    assert answer.json()["code"] == "csrf"


def test_anothers_token_is_refused(site: WebSite) -> None:
    root, anna = site.login("root"), site.login("anna")
    assert root.http.post("/api/tokens", json={"name": "x"}, headers=anna.headers).json()["code"] == "csrf"


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
     {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}],
)  # fmt: skip
def test_a_change_from_another_site_is_refused_even_with_the_token(site: WebSite, header: dict[str, str]) -> None:
    root = site.login("root")
    answer = root.http.post("/api/tokens", json={"name": "x"}, headers=root.headers | header)
    assert answer.json()["code"] == "csrf"


def test_a_change_from_our_own_page_is_taken(site: WebSite) -> None:
    root = site.login("root")
    headers = root.headers | {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    assert root.http.post("/api/tokens", json={"name": "x"}, headers=headers).status_code == 201


def test_nobody_is_logged_in_by_another_site(site: WebSite) -> None:
    answer = site.client().post(
        "/api/session", data={"username": "anna", "password": PASSWORD}, headers={"Origin": "http://evil.example"}
    )
    assert answer.json()["code"] == "csrf"


def test_an_api_token_needs_no_csrf_token(site: WebSite) -> None:
    headers = {"Authorization": f"Bearer {site.token('admin')}"}
    assert site.client().post("/api/tokens", json={"name": "x"}, headers=headers).status_code == 201


def test_an_api_token_works_as_basic_password_and_not_once_revoked(site: WebSite) -> None:
    client, secret = site.client(), site.token("admin")
    assert client.get("/api/system", auth=("whoever", secret)).status_code == 200
    token = client.get("/api/tokens", auth=("", secret)).json()["tokens"][0]["id"]
    assert client.delete(f"/api/tokens/{token}", auth=("", secret)).status_code == 204
    assert client.get("/api/system", auth=("", secret)).json()["code"] == "token-refused"


@pytest.mark.parametrize(
    "given", ["Bearer rr_wrong", "Bearer", "Basic %%%", "Basic /w==", "Digest x", "Bearer " + "r" * 5000]
)
def test_a_bad_token_is_refused_even_beside_a_good_cookie(site: WebSite, given: str) -> None:
    anna = site.login("anna")
    assert anna.http.get("/api/system", headers={"Authorization": given}).status_code == 401


def test_basic_that_a_browser_sends_for_another_sites_page_changes_nothing(site: WebSite) -> None:
    client, secret = site.client(), site.token("admin")
    for header in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post("/api/tokens", json={"name": "x"}, auth=("", secret), headers=header)
        assert answer.json()["code"] == "csrf"
        assert client.get("/api/tokens", auth=("", secret), headers=header).status_code == 200
