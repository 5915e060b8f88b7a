"""Single sign-on with a proper provider: in, out here, out there, by each way that Radrelay proves who it is."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jws

from tests.oidc.conftest import Clinic, Way
from tests.oidc.peer import Peer

ANNA = {
    "preferred_username": "anna@klinik.example", "name": "Dr. Anna Weiß", "email": "anna@klinik.example",
    "groups": ["Radiologie", "Alle"],
}  # fmt: skip


def come(clinic: Clinic, peer: Peer, subject: str = "sub-anna", wanted: str = "/") -> tuple[Way, str]:
    way = clinic.begin(wanted)
    with peer.browser() as browser:
        return way, way.back(browser.log_in(way.address, subject))


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_somebody_new_comes_in_with_the_groups_of_the_provider(clinic: Clinic, peer: Peer, auth: str) -> None:
    clinic.set(peer.settings(auth, groups={"radiologie": "Röntgen"}, allowed_groups=("Alle",)))
    peer.person("sub-anna", **ANNA)
    way, led = come(clinic, peer, wanted="/view?study=1")
    assert led == "/view?study=1"
    said = way.client.get("/api/session").json()["account"]
    assert (said["username"], said["name"], said["role"]) == ("anna@klinik.example", "Dr. Anna Weiß", "user")
    assert clinic.groups("anna@klinik.example") == {"Röntgen": "sign-on"}
    assert clinic.told("login") == [("success", {"by": "sign-on"})]
    assert [detail["by"] for _, detail in clinic.told("account.create")] == ["sign-on"]
    query = way.query
    assert (query["code_challenge_method"], query["response_type"]) == ("S256", "code")
    assert not [name for name in way.client.cookies if name.startswith("radrelay_sign_on")]

    peer.person("sub-anna", **{**ANNA, "preferred_username": "weiss@klinik.example", "groups": ["Alle"]})
    come(clinic, peer)
    assert clinic.groups("weiss@klinik.example") == {}, "the same person, renamed, and no longer in the group"
    assert set(clinic.accounts()) == {"root", "weiss@klinik.example"}

    peer.person("sub-anna", **{**ANNA, "groups": []})
    _, led = come(clinic, peer)
    assert led == "/login?sso=oidc-not-allowed"
    assert way.client.get("/api/session").status_code == 401, "and is out everywhere"


def test_a_code_counts_once_and_in_its_own_browser(clinic: Clinic, peer: Peer) -> None:
    clinic.set(peer.settings())
    peer.person("sub-anna", **ANNA)
    way = clinic.begin()
    stranger = clinic.site.client()
    with peer.browser() as browser:
        address = browser.log_in(way.address, "sub-anna")
    assert Way(stranger, way.address).back(address) == "/login?sso=oidc-over"
    kept = dict(way.client.cookies)
    assert way.back(address) == "/"
    way.client.cookies.update(kept)
    assert way.back(address) == "/login?sso=oidc-over"
    other = clinic.begin()
    code = dict(parse_qsl(urlsplit(address).query))["code"]
    assert other.back(code=code, iss=peer.issuer) == "/login?sso=oidc-over", "a code of another sign-on"
    late = clinic.begin()
    clinic.site.clock.advance(timedelta(minutes=11))
    assert late.back(code="c", iss=peer.issuer) == "/login?sso=oidc-over"
    assert set(clinic.refused()) == {"oidc-over"}


def test_logging_out_here_logs_out_there(clinic: Clinic, peer: Peer, logout_tokens: list[str]) -> None:
    clinic.set(peer.settings())
    peer.person("sub-anna", **ANNA)
    way = clinic.begin()
    with peer.browser() as browser:
        assert way.back(browser.log_in(way.address, "sub-anna")) == "/"
        login = way.login()
        answer = login.http.delete("/api/session", headers=login.headers)
        assert answer.status_code == 200
        assert login.http.get("/api/session").status_code == 401
        assert browser.log_out(answer.json()["onward"]) == "http://127.0.0.1:8080/login"
    assert len(logout_tokens) == 1
    root = clinic.site.login("root")
    assert root.http.delete("/api/session", headers=root.headers).status_code == 204, "who came by password"


def test_logging_out_there_ends_the_login_here(clinic: Clinic, peer: Peer, logout_tokens: list[str]) -> None:
    source = clinic.set(peer.settings())
    peer.person("sub-anna", **ANNA)
    way = clinic.begin()
    with peer.browser() as browser:
        way.back(browser.log_in(way.address, "sub-anna"))
        elsewhere, _ = come(clinic, peer)  # another session at the provider
        metadata = source.provider.metadata()
        browser.log_out(
            f"{metadata.end_session}?client_id=client_secret_basic&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Flogin"
        )
    assert way.client.get("/api/session").status_code == 200
    token = dict(parse_qsl(logout_tokens[0]))["logout_token"]
    assert jws.extract_compact(token.encode()).headers()["typ"] == "logout+jwt"
    there = clinic.site.client("203.0.113.10")
    answer = there.post("/api/oidc/backchannel-logout", data={"logout_token": token})
    assert answer.status_code == 200, answer.text
    assert way.client.get("/api/session").status_code == 401
    assert elsewhere.client.get("/api/session").status_code == 200
    again = there.post("/api/oidc/backchannel-logout", data={"logout_token": token})
    assert (again.status_code, again.json()["code"]) == (400, "oidc-logout-refused")
    assert [outcome for outcome, _ in clinic.told("logout")] == ["success", "refused"]


def test_a_provider_that_knows_another_secret_is_told_apart(clinic: Clinic, peer: Peer) -> None:
    clinic.set(peer.settings() | {"client_secret": "wrong"})
    peer.person("sub-anna", **ANNA)
    assert come(clinic, peer)[1] == "/login?sso=oidc-refuses-us"
    assert clinic.told("login")[-1][1]["what"] == "invalid_client"
    clinic.set(peer.settings() | {"ca_file": None})
    root = clinic.site.login("root")
    state = root.http.get("/api/oidc/state").json()
    assert (state["reached"], state["trouble"]["code"]) == (False, "oidc-untrusted")
    clinic.set(peer.settings())
    state = root.http.get("/api/oidc/state").json()
    assert (state["reached"], state["logs_out"], state["ends_logins"]) == (True, True, True)
