"""Logging in without giving the password away: proofs, replays, forgeries, older accounts, names that nobody has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.audit.models import AuditEvent
from radrelay.identity import SRP, from_text, to_text
from radrelay.identity.errors import SessionEnded
from radrelay.identity.models import Account
from radrelay.identity.passwords import Passwords
from radrelay.identity.srp import GROUP_2048
from radrelay.identity.values import LoginTry
from radrelay.identity.verifiers import is_verifier
from radrelay.web.session_shapes import ProofGiven
from tests.proving import log_in, proof_of
from tests.web.conftest import PASSWORD, WebSite


def _challenge(http: Any, name: str) -> dict[str, Any]:
    asked: dict[str, Any] = http.post("/api/session/challenge", json={"username": name}).json()
    return asked


def _older(site: WebSite, name: str) -> None:
    with site.database.write() as session:
        row = session.scalars(sa.select(Account).where(Account.username == name)).one()
        row.password_hash = Passwords().hash(PASSWORD)


def _kept(site: WebSite, name: str) -> str:
    with site.database.read() as session:
        return str(session.scalars(sa.select(Account.password_hash).where(Account.username == name)).one())


def test_the_server_keeps_and_gets_nothing_that_the_password_can_be_read_from(site: WebSite) -> None:
    kept = _kept(site, "anna")
    assert is_verifier(kept)
    assert PASSWORD not in kept
    assert len(from_text(kept.split("$")[3])) >= 64


def test_a_proof_counts_once(site: WebSite) -> None:
    client = site.client()
    body, _ = proof_of(_challenge(client, "anna"), PASSWORD)
    assert client.post("/api/session", json=body).status_code == 200
    assert site.client("203.0.113.4").post("/api/session", json=body).json()["code"] == "challenge-over"


def test_a_challenge_is_over_after_two_minutes(site: WebSite) -> None:
    client = site.client()
    body, _ = proof_of(_challenge(client, "anna"), PASSWORD)
    site.clock.advance(timedelta(seconds=121))
    assert client.post("/api/session", json=body).json()["code"] == "challenge-over"


@pytest.mark.parametrize("times", [0, 1])
def test_a_public_value_of_nothing_opens_nothing(site: WebSite, times: int) -> None:
    client = site.client()
    asked = _challenge(client, "anna")
    nothing, server = times * GROUP_2048.n, int.from_bytes(from_text(asked["server_public"]))
    proof = SRP.client_proof(asked["identity"], from_text(asked["salt"]), nothing, server, SRP.session_key(0))
    body = {
        "challenge": asked["challenge"],
        "client_public": to_text(GROUP_2048.pad(nothing)),
        "client_proof": to_text(proof),
    }
    assert client.post("/api/session", json=body).status_code == 400


@pytest.mark.parametrize("place", [3, 100, -3])
def test_a_forged_challenge_is_refused(site: WebSite, place: int) -> None:
    client = site.client()
    body, _ = proof_of(_challenge(client, "anna"), PASSWORD)
    sealed = list(body["challenge"])
    sealed[place] = "A" if sealed[place] != "A" else "B"
    assert client.post("/api/session", json={**body, "challenge": "".join(sealed)}).status_code == 401


def test_a_proof_for_one_name_is_none_for_another(site: WebSite) -> None:
    client = site.client()
    anna, root = _challenge(client, "anna"), _challenge(client, "root")
    body, _ = proof_of(anna, PASSWORD)
    assert client.post("/api/session", json={**body, "challenge": root["challenge"]}).status_code == 401


def test_a_name_that_nobody_has_is_challenged_like_any_other(site: WebSite) -> None:
    client = site.client()
    known, unknown, again = (_challenge(client, name) for name in ("anna", "nobody", "Nobody"))
    assert {
        key: (type(value), len(str(value))) for key, value in known.items() if key not in ("identity", "challenge")
    } == {key: (type(value), len(str(value))) for key, value in unknown.items() if key not in ("identity", "challenge")}
    assert abs(len(known["challenge"]) - len(unknown["challenge"])) < 16
    assert unknown["salt"] == again["salt"] != known["salt"]
    assert log_in(client, "nobody", PASSWORD).json()["code"] == "login-refused"


def test_an_older_account_moves_over_at_its_next_login(site: WebSite) -> None:
    _older(site, "anna")
    client = site.client()
    assert _challenge(client, "anna")["salt"] == ""
    wrong = client.post("/api/session", json={"username": "anna", "password": "x"})
    assert (wrong.status_code, is_verifier(_kept(site, "anna"))) == (401, False)
    assert client.post("/api/session", data={"username": "anna", "password": PASSWORD}).status_code == 200
    assert is_verifier(_kept(site, "anna"))
    assert log_in(client, "anna", PASSWORD).status_code == 200


def test_passwords_are_not_taken_from_whom_none_is_asked(site: WebSite) -> None:
    for name in ("anna", "nobody"):
        refused = site.client().post("/api/session", json={"username": name, "password": PASSWORD})
        assert (refused.status_code, refused.json()["code"]) == (401, "proof-wanted")


def test_among_older_accounts_a_name_that_nobody_has_may_look_like_one_of_them(site: WebSite) -> None:
    names = [f"nobody {number}" for number in range(60)]

    def older() -> set[str]:
        return {name for name in names if _challenge(site.client(), name)["salt"] == ""}

    assert older() == set()
    _older(site, "anna")
    half = older()
    assert 0 < len(half) < len(names)
    assert older() == half, "one name is answered alike each time"
    _older(site, "root")
    assert older() == set(names)


def test_what_can_be_no_right_answer_is_on_record_once_a_minute_and_no_more(site: WebSite) -> None:
    client = site.client("203.0.113.8")
    body, _ = proof_of(_challenge(client, "anna"), PASSWORD)
    for wrong in ({**body, "challenge": "forged"}, {"username": "anna", "password": PASSWORD}):
        codes = {client.post("/api/session", json=wrong).status_code for _ in range(20)}
        assert codes == {401}
    with site.database.read() as session:
        refused = session.scalars(sa.select(AuditEvent).where(AuditEvent.outcome == "refused")).all()
    assert len(refused) == 2
    assert client.post("/api/session", json=body).status_code == 200


def test_a_password_that_an_administrator_gave_meanwhile_stays(site: WebSite) -> None:
    anna, root = site.login("anna"), site.login("root")
    opened = site.identity.session_of(anna.http.cookies["radrelay_session"])
    answer = ProofGiven.model_validate(proof_of(_challenge(anna.http, "anna"), PASSWORD)[0]).proof()
    checked = site.identity.check_own(opened.account, LoginTry("", "203.0.113.9"), answer)
    reset = root.http.post(f"/api/accounts/{opened.account.id}/password", headers=root.headers)
    assert reset.status_code == 200
    encoded = site.identity.new_verifier("anna", "ein ganz neues Passwort")
    with site.database.write() as session, pytest.raises(SessionEnded):
        site.identity.change_password(session, opened, checked, encoded)
    given = reset.json()["one_time_password"]
    assert log_in(site.client(), "anna", given).json()["account"]["must_change_password"] is True
