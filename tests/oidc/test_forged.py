"""What no proper provider does: tokens that lie, answers that hang, come twice, are rubbish or far too much."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from radrelay.identity import throttle
from radrelay.identity.throttle import Limit
from tests.oidc.conftest import Clinic, Enter
from tests.oidc.forging import KEY, OTHER_KEY, Forger, moment

DOUBTFUL = "/login?sso=oidc-token-doubtful"


def lies(forged: Forger) -> dict[str, dict[str, Any]]:
    now = moment(forged.clock.now())
    return {
        "issuer": {"iss": forged.issuer + "/"},
        "audience": {"aud": "another"},
        "no audience": {"aud": None},
        "two audiences, no party": {"aud": ["radrelay", "another"]},
        "another party": {"aud": ["radrelay", "another"], "azp": "another"},
        "nonce": {"nonce": "of another sign-on"},
        "no nonce": {"nonce": None},
        "expired": {"exp": now - 61},
        "no end": {"exp": None},
        "an end that is no date": {"exp": "tomorrow"},
        "an end that never comes": {"exp": float("inf")},
        "issued in the future": {"iat": now + 120, "exp": now + 600},
        "not yet": {"nbf": now + 120},
        "no date": {"iat": None},
        "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        "nobody": {"sub": ""},
        "a number": {"sub": 7},
        "endless": {"sub": "s" * 256},
    }


def test_a_token_that_lies_lets_nobody_in(clinic: Clinic, forged: Forger, enter: Enter) -> None:
    for name, claims in lies(forged).items():
        assert enter(**claims) == DOUBTFUL, name
    assert set(clinic.accounts()) == {"root"}
    assert clinic.refused() == ["oidc-token-doubtful"] * len(lies(forged))
    told = [detail["what"] for _, detail in clinic.told("login")]
    assert {"issuer", "audience", "nonce", "dates", "at_hash", "subject"} == set(told)
    now = moment(forged.clock.now())
    assert enter(exp=now - 30, aud=["radrelay", "another"], azp="radrelay") == "/", "clocks differ by a little"


def signed_wrongly(forged: Forger) -> dict[str, str]:
    claims = {
        "iss": forged.issuer, "aud": "radrelay", "sub": "s-1", "exp": moment(forged.clock.now()) + 300,
        "iat": moment(forged.clock.now()), "nonce": "n",
    }  # fmt: skip

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    hmac_text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    by_public_key = hmac.new(KEY.as_pem(private=False), hmac_text.encode(), hashlib.sha256).digest()
    mac = base64.urlsafe_b64encode(by_public_key).rstrip(b"=").decode()
    curve, small = ECKey.generate_key("P-256", private=True), RSAKey.generate_key(1024, private=True)
    forged.published |= {"small": small}
    right = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
    head, body, signature = right.split(".")
    return {
        "none": f"{part({'alg': 'none'})}.{part(claims)}.",
        "none with a key": f"{part({'alg': 'none', 'kid': 'one'})}.{part(claims)}.{signature}",
        "public key as secret": f"{hmac_text}.{mac}",
        "another's key": jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER_KEY),
        "a key too small": jwt.encode({"alg": "RS256", "kid": "small"}, claims, small),
        "another kind of key": jwt.encode({"alg": "ES256", "kid": "one"}, claims, curve),
        "key in the head": jwt.encode(
            {"alg": "RS256", "jwk": OTHER_KEY.as_dict(private=False)}, claims, OTHER_KEY
        ),
        "changed": f"{head}.{part({**claims, 'sub': 's-2'})}.{signature}",
        "cut off": f"{head}.{body}",
        "encrypted, as it seems": f"{right}.x.y",
        "rubbish": "rubbish",
        "endless": f"{head}.{'A' * (1 << 16)}.{signature}",
        "no object": f"{part([])}.{body}.{signature}",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(clinic: Clinic, forged: Forger, enter: Enter) -> None:
    for name, token in signed_wrongly(forged).items():
        forged.raw_token = token
        assert enter() == DOUBTFUL, name
    assert set(clinic.accounts()) == {"root"}


def test_new_keys_are_taken_at_once_and_forged_ones_asked_for_but_now_and_then(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    source = clinic.set(forged.settings())
    now = [1000.0]
    for kept in (source.provider._metadata, source.provider._keys):
        kept._monotonic = lambda: now[0]
    assert enter() == "/"
    assert enter() == "/"
    assert (forged.times_asked("/jwks"), forged.times_asked("/.well-known/openid-configuration")) == (1, 1)
    now[0] += 31
    forged.key, forged.published = OTHER_KEY, {"two": OTHER_KEY}
    forged.head = {"alg": "RS256", "kid": "two"}
    assert enter() == "/", "the provider has changed its keys"
    assert forged.times_asked("/jwks") == 2
    forged.head = {"alg": "RS256", "kid": "nobody's"}
    for _ in range(5):
        assert enter() == DOUBTFUL
    assert forged.times_asked("/jwks") == 2, "forged tokens make nobody ask"
    now[0] += 31
    assert enter() == DOUBTFUL
    assert forged.times_asked("/jwks") == 3
    forged.statuses["/.well-known/openid-configuration"] = 503
    forged.head["kid"] = "two"
    now[0] += 4000
    assert enter() == "/", "what it said before serves on while it is away"
    forged.statuses["/jwks"] = 503
    now[0] += 25 * 3600
    assert clinic.site.client().get("/api/oidc/start", follow_redirects=False).headers["location"] == (
        "/login?sso=oidc-unavailable"
    )


def test_another_subject_in_userinfo_lets_nobody_in(clinic: Clinic, forged: Forger, enter: Enter) -> None:
    forged.userinfo = {"sub": "s-2", "preferred_username": "ida"}
    assert enter(preferred_username=None) == DOUBTFUL
    forged.userinfo = {"preferred_username": "ida", "name": "Somebody else", "groups": ["Admins"], "acr": "gold"}
    assert enter(preferred_username=None) == "/"
    assert clinic.accounts()["ida"].full_name == "Ida Beck", "what is signed counts more"
    clinic.set(forged.settings(acr_values=("gold",)))
    assert enter(preferred_username=None) == "/login?sso=oidc-too-weak", "userinfo does not say how"
    assert enter(acr="gold") == "/"


def test_a_provider_that_is_slow_gone_or_talks_rubbish_lets_nobody_in_and_holds_nobody_up(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    answers: dict[str, tuple[str, Any]] = {
        "a page": ("oidc-unreadable", b"<html>"),
        "a list": ("oidc-unreadable", b"[]"),
        "nested": ("oidc-unreadable", b"[" * 100_000),
        "not text": ("oidc-unreadable", b"\xff\xfe"),
        "huge": ("oidc-unreadable", b"{" + b" " * (600 << 10) + b"}"),
        "no token": ("oidc-unreadable", b"{}"),
    }
    for name, (code, body) in answers.items():
        forged.bodies["/token"] = body
        assert enter() == f"/login?sso={code}", name
    forged.bodies.clear()
    for status, code in ((400, "oidc-refuses-us"), (302, "oidc-unreadable"), (503, "oidc-unavailable")):
        forged.statuses["/token"] = status
        assert enter() == f"/login?sso={code}", status
    forged.statuses.clear()
    forged.token_answer = {"token_type": "mac"}
    assert enter() == "/login?sso=oidc-unreadable"
    forged.token_answer = {"access_token": "a\r\nHost: elsewhere"}
    assert enter(preferred_username=None, at_hash=None) == "/login?sso=oidc-unreadable"
    forged.token_answer = {}
    forged.drips.add("/token")
    assert enter() == "/login?sso=oidc-unavailable", "each byte in time, all together not"
    forged.drips.clear()
    assert enter() == "/"
    clinic.set(forged.settings(issuer="http://127.0.0.1:9"))
    start = clinic.site.client().get("/api/oidc/start?next=/import", follow_redirects=False)
    assert start.headers["location"] == "/login?sso=oidc-unavailable&next=%2Fimport"
    assert clinic.refused()[-1] == "oidc-unavailable"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
)
def test_what_a_provider_says_of_itself_has_to_make_sense(
    clinic: Clinic, forged: Forger, document: dict[str, Any]
) -> None:
    forged.document = document
    start = clinic.site.client().get("/api/oidc/start", follow_redirects=False)
    assert start.headers["location"] == "/login?sso=oidc-unreadable"
    root = clinic.site.login("root")
    assert root.http.get("/api/oidc/state").json()["trouble"]["code"] == "oidc-unreadable"


def test_only_who_set_out_comes_back(clinic: Clinic, forged: Forger) -> None:
    forged.document = {"authorization_response_iss_parameter_supported": True}
    way = clinic.begin()
    forged.nonce = way.query["nonce"]
    before = dict(way.client.cookies)
    assert way.back(code="c", iss="https://another.example") == DOUBTFUL, "mixed up (RFC 9207)"
    way.client.cookies.update(before)
    assert way.back(code="c", iss=forged.issuer) == "/login?sso=oidc-over", "and is used up by that"
    way = clinic.begin()
    assert way.back(error="access_denied", iss=forged.issuer) == "/login?sso=oidc-declined"
    way = clinic.begin()
    assert way.back(code="c") == DOUBTFUL, "it has said that it names itself"
    way = clinic.begin("/import")
    name = next(iter(way.client.cookies))
    way.client.cookies.clear()
    way.client.cookies.set(name, "A" * 300)
    assert way.back(code="c", iss=forged.issuer) == "/login?sso=oidc-over", "a forged cookie"
    assert forged.times_asked("/token") == 0
    for state in ("", "x", "ä" * 40, way.query["state"]):
        answer = clinic.site.client().get(
            "/api/oidc/callback", params={"state": state, "code": "c"}, follow_redirects=False
        )
        assert answer.headers["location"] == "/login?sso=oidc-over"
    told = [detail["reason"] for _, detail in clinic.told("login")]
    assert set(told) == {"oidc-over", "oidc-declined", "oidc-token-doubtful"}


def test_the_way_back_leads_to_our_own_pages_alone(clinic: Clinic, forged: Forger) -> None:
    for wanted in (
        "https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "\\\\elsewhere.example",
        "/%0d%0aSet-Cookie:x\r\ny", "javascript:alert(1)", "/api/oidc/start", "/login?local", "", "/" + "a" * 2000,
        "/ä",
    ):  # fmt: skip
        way = clinic.begin(wanted)
        forged.nonce = way.query["nonce"]
        assert way.back(code="c") == "/", wanted
    way = clinic.begin("/view?study=1&series=2")
    forged.nonce = way.query["nonce"]
    assert way.back(code="c") == "/view?study=1&series=2"
    assert "view" not in way.address, "the provider is not told where"


def test_another_site_cannot_set_somebody_on_the_way(clinic: Clinic, forged: Forger) -> None:
    client = clinic.site.client()
    answer = client.get("/api/oidc/start", headers={"Sec-Fetch-Site": "cross-site"}, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    ways = [clinic.begin(client=client) for _ in range(8)]
    assert len(client.cookies) == 8, "tabs that a browser opened again together"
    forged.nonce = ways[3].query["nonce"]
    assert ways[3].back(code="c") == "/"
    cookie = client.get("/api/oidc/start", follow_redirects=False).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/api/oidc" in cookie
    clinic.begin(client=client)
    assert sum(name.startswith("radrelay_sign_on") for name in client.cookies) == 1, "they do not pile up"


def test_many_who_fail_from_one_address_wait(clinic: Clinic, forged: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESS", Limit(free=4, cap_s=60, forget_s=3600))
    forged.statuses["/token"] = 400
    led = ""
    for _ in range(6):
        led = clinic.begin(address="203.0.113.7").back(code="c")
    assert led == "/login?sso=too-many-attempts"
    assert forged.times_asked("/token") == 4
    forged.statuses.clear()
    way = clinic.begin(address="203.0.113.8")
    forged.nonce = way.query["nonce"]
    assert way.back(code="c") == "/"


def test_a_forged_logout_ends_nothing(clinic: Clinic, forged: Forger, enter: Enter) -> None:
    assert enter(sid="there-1") == "/"
    first = clinic.site.clients[-1]
    assert enter(sid="there-2") == "/"
    second = clinic.site.clients[-1]
    now = moment(forged.clock.now())
    event: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    tokens = {
        "another issuer": forged.logout_token(iss="https://another.example", sub="s-1"),
        "another audience": forged.logout_token(aud="another", sub="s-1"),
        "no event": forged.logout_token(events={}, sub="s-1"),
        "event of no form": forged.logout_token(events=list(event), sub="s-1"),
        "a nonce": forged.logout_token(nonce="n", sub="s-1"),
        "long ago": forged.logout_token(iat=now - 3600, sub="s-1"),
        "over": forged.logout_token(exp=now - 3600, iat=now - 3700, sub="s-1"),
        "nobody": forged.logout_token(),
        "no id": forged.logout_token(jti=None, sub="s-1"),
        "an ID token": forged.id_token(),
        "rubbish": "rubbish",
    }
    forged.key = OTHER_KEY
    tokens["another's key"] = forged.logout_token(sub="s-1")
    forged.key = KEY
    there = clinic.site.client("203.0.113.9")
    for name, token in tokens.items():
        answer = there.post("/api/oidc/backchannel-logout", data={"logout_token": token})
        assert (answer.status_code, answer.json()["code"]) == (400, "oidc-logout-refused"), name
    assert [client.get("/api/session").status_code for client in (first, second)] == [200, 200]
    token = forged.logout_token(sid="there-1", jti="1")
    assert there.post("/api/oidc/backchannel-logout", data={"logout_token": token}).status_code == 200
    assert [client.get("/api/session").status_code for client in (first, second)] == [401, 200]
    token = forged.logout_token(sub="s-1", jti="2")
    assert there.post("/api/oidc/backchannel-logout", data={"logout_token": token}).status_code == 200
    assert second.get("/api/session").status_code == 401


def test_logging_out_here_leads_on_only_where_the_provider_says_so(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    for end, logout, led in (
        (None, "provider", ""),
        ("/end?x=1", "provider", "/end?x=1&client_id="),
        ("/end", "here", ""),
    ):
        forged.document = {"end_session_endpoint": forged.issuer + end} if end else {}
        clinic.set(forged.settings(logout=logout))
        assert enter() == "/"
        client = clinic.site.clients[-1]
        csrf = client.get("/api/session").json()["csrf_token"]
        answer = client.delete("/api/session", headers={"X-CSRF-Token": csrf})
        onward = answer.json()["onward"] if answer.status_code == 200 else ""
        assert onward.startswith(forged.issuer + led if led else ""), led
        assert bool(onward) == bool(led)


def test_a_sign_on_lasts_no_longer_than_its_login(clinic: Clinic, enter: Enter) -> None:
    assert enter() == "/"
    client = clinic.site.clients[-1]
    clinic.site.clock.advance(timedelta(hours=25))
    assert client.get("/api/session").status_code == 401
