"""A rule that wants a second factor holds at single sign-on too, unless the settings say that the provider's count."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from radrelay.identity.factors import totp
from tests.oidc.conftest import Clinic, Enter
from tests.oidc.forging import Forger


def require(clinic: Clinic) -> None:
    with clinic.site.database.write() as session:
        clinic.site.identity.factors.require(session, clinic.site.organisation_id, "role", "user", ["totp"])


def asked(client: TestClient, method: str, path: str, body: Any = None) -> Any:
    csrf = client.get("/api/session").json()["csrf_token"]
    answer = client.request(method, f"/api{path}", json=body, headers={"X-CSRF-Token": csrf})
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def stage(clinic: Clinic) -> str:
    return str(clinic.site.clients[-1].get("/api/session").json()["stage"])


def code(clinic: Clinic, secret: str) -> str:
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return totp.code_at(key, totp.step_at(clinic.site.clock.now()))


def test_whose_role_needs_a_factor_sets_one_up_and_answers_it_and_logging_out_there_ends_it(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    require(clinic)
    assert enter() == "/"
    client = clinic.site.clients[-1]
    assert stage(clinic) == "set-up"
    assert client.get("/api/studies").json()["code"] == "factor-set-up-wanted"
    made = asked(client, "POST", "/me/factors/totp", {"name": "phone"})
    asked(client, "POST", f"/me/factors/{made['id']}/confirm", {"code": code(clinic, made["secret"])})
    assert stage(clinic) == "open"

    clinic.site.clock.advance(timedelta(seconds=60))
    assert enter(sid="s-17") == "/"
    client = clinic.site.clients[-1]
    assert stage(clinic) == "factor"
    assert client.get("/api/studies").json()["code"] == "factor-wanted"
    asked(client, "POST", "/session/factor", {"kind": "totp", "code": code(clinic, made["secret"])})
    assert (stage(clinic), client.get("/api/studies").status_code) == ("open", 200)
    token = forged.logout_token(sub="s-1", sid="s-17")
    assert client.post("/api/oidc/backchannel-logout", data={"logout_token": token}).status_code == 200
    assert client.get("/api/session").status_code == 401


def test_the_provider_s_login_counts_as_two_where_the_settings_say_so(
    clinic: Clinic, forged: Forger, enter: Enter
) -> None:
    require(clinic)
    cases: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
        ({"two_factors": True}, {}, "open"),
        ({"two_factors_acr": ("silver",)}, {"acr": "silver"}, "open"),
        ({"two_factors_acr": ("silver",)}, {"acr": "bronze"}, "set-up"),
        ({"two_factors_amr": ("mfa", "hwk")}, {"amr": ["pwd", "hwk"]}, "open"),
        ({"two_factors_amr": ("mfa",)}, {"amr": ["pwd"]}, "set-up"),
        ({"two_factors_amr": ("mfa",)}, {"amr": "mfa"}, "set-up"),
        ({"two_factors_amr": ("mfa",)}, {}, "set-up"),
        ({}, {"amr": ["mfa"], "acr": "silver"}, "set-up"),
    )
    for settings, claims, wanted in cases:
        clinic.set(forged.settings(**settings))
        assert enter(**claims) == "/", settings
        assert stage(clinic) == wanted, (settings, claims)
    clinic.set(forged.settings(two_factors_amr=("mfa",)))
    forged.userinfo = {"amr": ["mfa"]}
    assert enter(email=None) == "/"
    assert stage(clinic) == "set-up", "only what is signed counts"


def test_without_a_rule_nobody_is_asked(clinic: Clinic, enter: Enter) -> None:
    assert enter() == "/"
    assert stage(clinic) == "open"
