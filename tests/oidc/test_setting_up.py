"""Setting single sign-on up: what the settings refuse, and what the command line and the doctor say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from radrelay import logs
from radrelay.app.people_findings import people_findings
from radrelay.cli import app
from radrelay.settings import OidcSettings, Settings, is_protected
from tests.backends import environment_for
from tests.oidc.forging import Forger
from tests.web.conftest import BASE

RIGHT: dict[str, Any] = {"issuer": "https://id.example", "client_id": "radrelay", "client_secret": "s"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"issuer": "http://id.example"}, "issuer"),
        ({"issuer": "https://id.example?x=1"}, "issuer"),
        ({"issuer": "https://user:word@id.example"}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": None}, "client_secret"),
        ({"client_secret_file": "/etc/secret"}, "client_secret"),
        ({"client_auth": "private_key_jwt"}, "client_auth"),
        ({"client_secret": None, "client_key_file": "/etc/key"}, "client_auth"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    OidcSettings(**RIGHT)
    with pytest.raises(ValidationError, match=said):
        OidcSettings(**{**RIGHT, **wrong})


def test_a_provider_needs_an_address_to_send_people_back_to() -> None:
    with pytest.raises(ValidationError, match=r"web\.address"):
        Settings.model_validate({"oidc": RIGHT})
    assert not any(is_protected(url) for url in ("http://10.0.0.1/", "ftp://x", "https://", "x", "https://x:99999", ""))


def test_the_command_line_says_what_to_register_and_links(
    forged: Forger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {**forged.settings(), "groups": json.dumps({"a": "A"})}
    environment = {f"RADRELAY_OIDC__{name.upper()}": str(value) for name, value in section.items()}
    for name, value in {**environment_for(tmp_path / "data"), **environment, "RADRELAY_WEB__ADDRESS": BASE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RADRELAY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # it would keep a stream that ends with the command
    told = CliRunner().invoke(app, ["oidc", "check"])
    assert told.exit_code == 0, told.output
    assert f"{BASE}/api/oidc/callback" in told.stdout
    assert "no back-channel logout" in told.stdout
    settings = Settings()
    assert [one.state for one in people_findings(settings)] == ["good"]
    forged.statuses["/jwks"] = 503
    bad = next(people_findings(settings))
    assert (bad.state, bool(bad.advice)) == ("bad", True)
    assert CliRunner().invoke(app, ["user", "add", "anna"]).exit_code == 0
    told = CliRunner().invoke(app, ["oidc", "link", "Anna", "s-anna"])
    assert (told.exit_code, "anna belongs to s-anna" in told.stdout) == (0, True), told.output
    again = CliRunner().invoke(app, ["oidc", "link", "anna", "s-2"])
    assert (again.exit_code, getattr(again.exception, "code", "")) == (1, "oidc-already-linked")
    nobody = CliRunner().invoke(app, ["oidc", "link", "nobody", "s-3"])
    assert getattr(nobody.exception, "code", "") == "not-found"
