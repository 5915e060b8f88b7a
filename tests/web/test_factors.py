"""Second factors as people, thieves of passwords and administrators meet them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from radrelay import access
from radrelay.audit.models import AuditEvent
from radrelay.identity import CheckedLogin, LoginTry, accounts, from_text, throttle, to_text
from radrelay.identity.factors import totp
from radrelay.identity.factors.models import Factor, RecoveryCode
from radrelay.identity.models import Account, LoginAttempt
from radrelay.mail.models import MailLetter
from radrelay.web.authentication import group_ids
from tests.authenticator import BACKED_UP, ELIGIBLE, PRESENT, Passkey, new_passkey
from tests.proving import change_of, log_in, proof_of
from tests.web.conftest import PASSWORD, Login, WebSite, close_site, open_site

ADDRESS = "https://pacs.example.org"
SESSION = "__Host-radrelay_session"


def mailed_pin(site: WebSite, name: str) -> str:
    """Return the PIN that was last posted to somebody."""
    post = site.services.password_links.post
    with site.database.read() as session:
        newest = sa.select(MailLetter).where(MailLetter.kind == "pin", MailLetter.recipient == f"{name}@example.org")
        letter = post.opened(session.scalars(newest.order_by(MailLetter.id.desc()).limit(1)).one())
    return "".join(char for char in letter.text.split(".")[0] if char.isdigit())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """One installation for all: each scenario has people of its own."""
    made = open_site(
        tmp_path_factory.mktemp("factors"),
        {"address": ADDRESS, "organisation_name": "Klinik"},
        mail={"host": "mail.example.org", "sender": "radrelay@example.org"},
    )
    made.account("root", "admin")
    yield made
    close_site(made)


@pytest.fixture
def site(house: WebSite) -> WebSite:
    house.clock.advance(timedelta(hours=25))  # no counter and no login of the scenario before
    return house


@pytest.fixture
def name(site: WebSite) -> str:
    made = f"p{uuid.uuid4().hex[:8]}"
    site.account(made)
    return made


class Person:
    """Somebody with a browser at the site's address, and what they carry."""

    def __init__(self, site: WebSite, name: str, address: str = "192.0.2.1", origin: str = ADDRESS) -> None:
        self.site, self.name, self.address = site, name, address
        self.http = TestClient(site.app, base_url=origin, client=(address, 50000), headers={"Origin": origin})
        site.clients.append(self.http)
        self.csrf = ""
        self.secret = b""
        self.codes: list[str] = []

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-CSRF-Token": self.csrf}
        answer = self.http.request(method, f"/api{path}", json=body, headers=headers)
        if answer.status_code == 200 and "csrf_token" in (said := answer.json()):
            self.csrf = said["csrf_token"]
        return answer

    def got(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None) -> str:
        answer = self.ask(method, path, body)
        assert answer.status_code >= 400, answer.text
        return str(answer.json()["code"])

    def log_in(self, *, typed: bool = False) -> str:
        """Log in by password; mostly without the arithmetic of the proof, which takes longer than all the rest."""
        self.http.cookies.delete(SESSION)
        if typed:
            answer = log_in(self.http, self.name, PASSWORD)
            assert answer.status_code == 200, answer.text
            self.csrf = answer.json()["csrf_token"]
            return str(answer.json()["stage"])
        with self.site.database.write() as session:
            row = accounts.by_name(session, self.name)
            assert row is not None
            attempt = LoginTry(self.name, self.address)
            checked = CheckedLogin(accounts.view(row), attempt, row.password_hash)
            opened = self.site.identity.open_session(session, checked, group_ids(session, checked.account))
        self.http.cookies.set(SESSION, opened.secret)
        self.csrf = opened.csrf_token
        return opened.stage

    def code(self, shift: int = 0) -> str:
        return totp.code_at(self.secret, totp.step_at(self.site.clock.now()) + shift)

    def answer(self, kind: str, code: str) -> Any:
        return self.ask("POST", "/session/factor", {"kind": kind, "code": code})

    def set_up_app(self) -> dict[str, Any]:
        begun = self.got("POST", "/me/factors/totp", {"name": "Phone"})
        padded = begun["secret"] + "=" * (-len(begun["secret"]) % 8)
        self.secret = base64.b32decode(padded)
        added: dict[str, Any] = self.got("POST", f"/me/factors/{begun['id']}/confirm", {"code": self.code()})
        self.codes = added["recovery_codes"] or self.codes
        self.site.clock.advance(timedelta(seconds=60))  # the step of the first code is spent
        return added

    def set_up_passkey(self, called: str = "Key", **behaviour: Any) -> Passkey:
        asked = self.got("POST", "/me/factors/passkey/challenge")
        key = new_passkey(asked["options"], **behaviour)
        body = {"name": called, "challenge": asked["challenge"], "credential": key.made(asked["options"], ADDRESS)}
        self.codes = self.got("POST", "/me/factors/passkey", body)["recovery_codes"] or self.codes
        return key

    def by_passkey(self, key: Passkey, origin: str = ADDRESS, **wrong: Any) -> Any:
        asked = self.got("POST", "/session/passkey/challenge")
        credential = key.signed(asked["options"], origin, **wrong)
        return self.ask("POST", "/session/passkey", {"challenge": asked["challenge"], "credential": credential})


def events(site: WebSite, account: uuid.UUID | str, action: str) -> list[AuditEvent]:
    with site.database.read() as session:
        wanted = sa.select(AuditEvent).where(AuditEvent.subject_id == str(account), AuditEvent.action == action)
        return list(session.scalars(wanted.order_by(AuditEvent.at, AuditEvent.id)))


def own_id(person: Person) -> str:
    return str(person.got("GET", "/session")["account"]["id"])


# Codes of an app


def test_a_code_app_counts_once_confirmed_and_is_asked_from_then_on(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    assert anna.log_in() == "open"
    begun = anna.got("POST", "/me/factors/totp", {"name": "Phone"})
    assert begun["qr_code"].startswith("<svg")
    assert anna.refused("POST", f"/me/factors/{begun['id']}/confirm", {"code": "000000"}) == "factor-refused"
    assert anna.log_in() == "open", "what is not confirmed counts for nothing"
    added = anna.set_up_app()
    assert len(added["recovery_codes"]) == 10
    with site.database.read() as session:
        kept = session.scalars(sa.select(Factor.secret).where(Factor.secret.is_not(None))).all()
        assert all(one is not None and anna.secret not in one for one in kept), "at rest it is encrypted"
        hashes = session.scalars(sa.select(RecoveryCode.code_hash)).all()
        assert not {code.replace("-", "").encode() for code in anna.codes} & set(hashes)
    assert anna.log_in(typed=True) == "factor"
    step = anna.got("GET", "/session/factor")
    assert (step["answers"], step["recovery"]) == (["totp"], True)
    before = anna.http.cookies[SESSION]
    assert anna.answer("totp", anna.code(-2)).json()["code"] == "factor-refused"
    assert anna.answer("totp", anna.code(1)).json()["stage"] == "open"
    assert anna.http.cookies[SESSION] != before, "a new secret with the new standing"
    used = events(site, own_id(anna), "factor.use")
    assert [(one.outcome, "kind" in (one.detail or "")) for one in used][-2:] == [("refused", True), ("success", True)]


def test_a_code_that_was_used_is_never_taken_again_two_at_once_included(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    anna.set_up_app()
    code, codes = anna.code(), anna.codes
    for kind, answer in (("totp", code), ("recovery", codes[0])):
        thieves = [Person(site, name, f"192.0.2.{number}") for number in range(2, 5)]
        for one in thieves:
            assert one.log_in() == "factor"
        with ThreadPoolExecutor(len(thieves)) as at_once:
            answers = at_once.map(Person.answer, thieves, [kind] * 3, [answer] * 3)
            found = [one.status_code for one in answers]
        assert sorted(found) == [200, 403, 403], kind
        assert Person(site, name).log_in() == "factor"
        late = Person(site, name)
        late.log_in()
        assert late.answer(kind, answer).json()["code"] == "factor-refused"
    site.clock.advance(timedelta(seconds=-90))  # the clock goes back, and its steps come round again
    late.log_in()
    assert late.answer("totp", code).json()["code"] == "factor-refused"


def test_tries_that_begin_a_counter_at_once_are_each_counted_and_none_is_refused(site: WebSite, name: str) -> None:
    bound, at_once = [(f"pair:{name}", throttle.NAME)], Barrier(6)

    def one() -> None:
        at_once.wait()
        with site.database.write() as session:
            throttle.begin(session, bound, site.clock.now())

    with ThreadPoolExecutor(6) as threads:
        for told in [threads.submit(one) for _ in range(6)]:
            told.result()
    with site.database.read() as session:
        assert session.scalar(sa.select(LoginAttempt.failures).where(LoginAttempt.key == f"pair:{name}")) == 6


def test_guessing_codes_is_slowed_down_and_locks_nobody_out_of_a_known_device(site: WebSite, name: str) -> None:
    anna = Person(site, name, "192.0.2.10")
    anna.log_in()
    anna.set_up_app()
    thief = Person(site, name, "203.0.113.9")
    assert thief.log_in() == "factor"
    codes = [thief.answer("totp", f"{number:06d}").status_code for number in range(7)]
    assert codes[:5] == [403] * 5
    assert set(codes[5:]) == {429}
    assert anna.log_in() == "factor", "a stranger without the password did not even get there"
    assert anna.answer("totp", anna.code()).status_code == 200


# Recovery codes


def test_recovery_codes_work_once_each_are_counted_and_made_anew(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    anna.set_up_app()
    anna.log_in()
    typed = anna.codes[3].upper().replace("-", " ")
    assert anna.answer("recovery", typed).json()["stage"] == "open"
    assert anna.got("GET", "/me/factors")["codes_left"] == 9
    fresh = anna.got("POST", "/me/factors/codes")["recovery_codes"]
    assert not set(fresh) & set(anna.codes)
    anna.log_in()
    assert anna.answer("recovery", anna.codes[4]).json()["code"] == "factor-refused", "the old ones are over"
    assert anna.answer("recovery", fresh[0]).status_code == 200
    assert len(events(site, own_id(anna), "factor.codes")) == 2
    (only,) = anna.got("GET", "/me/factors")["factors"]
    anna.got("DELETE", f"/me/factors/{only['id']}")
    assert anna.got("GET", "/me/factors")["codes_left"] == 0
    assert anna.log_in() == "open"


# Passkeys


def test_a_passkey_answers_after_the_password_and_logs_in_alone(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    key = anna.set_up_passkey("Yubikey", flags=PRESENT | 0x04 | ELIGIBLE | BACKED_UP)
    (listed,) = anna.got("GET", "/me/factors")["factors"]
    assert (listed["name"], listed["backed_up"]) == ("Yubikey", True)
    again = anna.got("POST", "/me/factors/passkey/challenge")
    assert again["options"]["excludeCredentials"][0]["id"] == to_text(key.credential_id)
    assert again["options"]["authenticatorSelection"]["residentKey"] == "required"
    assert anna.log_in() == "factor"
    asked = anna.got("POST", "/session/factor/passkey")
    assert [one["id"] for one in asked["options"]["allowCredentials"]] == [to_text(key.credential_id)]
    given = {"kind": "passkey", "challenge": asked["challenge"], "credential": key.signed(asked["options"], ADDRESS)}
    assert anna.got("POST", "/session/factor", given)["stage"] == "open"
    stranger = Person(site, "nobody")
    asked = stranger.got("POST", "/session/passkey/challenge")
    assert asked["options"]["allowCredentials"] == [], "no name is asked, and none is told"
    assert asked["options"]["userVerification"] == "required"
    assert stranger.by_passkey(key).json()["account"]["username"] == name
    assert stranger.got("GET", "/me/factors")["factors"], "all the way in"
    logins = events(site, own_id(stranger), "login")
    assert '"by":"passkey"' in (logins[-1].detail or "").replace(" ", "")


def test_what_a_passkey_says_is_refused_where_anything_is_wrong(site: WebSite, name: str) -> None:
    anna, stranger = Person(site, name), Person(site, "nobody", "203.0.113.7")
    anna.log_in()
    key, account = anna.set_up_passkey(), uuid.UUID(own_id(anna))
    site.account(other := f"o{name}")
    bert = Person(site, other, "192.0.2.44")
    bert.log_in()
    theirs = bert.set_up_passkey()
    for wrong in (
        {"origin": "https://pacs.example.org.evil.test"},
        {"rp_id": "evil.test"},
        {"type": "webauthn.create"},
        {"flags": PRESENT},  # nobody verified who holds it
        {"user_handle": uuid.UUID(own_id(bert)).bytes},  # another account's
        {"flags": PRESENT | 0x04 | ELIGIBLE},  # it was not to be copied when it was registered
    ):
        assert stranger.by_passkey(key, **wrong).json()["code"] == "passkey-refused", wrong
    unknown = Passkey("pacs.example.org", account.bytes)
    assert stranger.by_passkey(unknown).json()["code"] == "passkey-refused"
    for rubbish in (
        {},
        {"rawId": 1},
        {"rawId": "AA", "response": []},
        {"id": "x", "rawId": to_text(key.credential_id)},
    ):
        asked = stranger.got("POST", "/session/passkey/challenge")
        body = {"challenge": asked["challenge"], "credential": rubbish}
        assert stranger.refused("POST", "/session/passkey", body) == "passkey-refused"
    asked = stranger.got("POST", "/session/passkey/challenge")
    body = {"challenge": asked["challenge"], "credential": key.signed(asked["options"], ADDRESS)}
    site.clock.advance(timedelta(minutes=6))
    assert stranger.refused("POST", "/session/passkey", body) == "passkey-refused", "the challenge is over"
    asked = stranger.got("POST", "/session/passkey/challenge")
    body = {"challenge": asked["challenge"], "credential": key.signed(asked["options"], ADDRESS)}
    assert stranger.got("POST", "/session/passkey", body)
    assert stranger.refused("POST", "/session/passkey", body) == "passkey-refused", "a challenge counts once"
    anna.log_in()
    asked = anna.got("POST", "/session/factor/passkey")
    answer = theirs.signed(asked["options"], ADDRESS)
    given = {"kind": "passkey", "challenge": asked["challenge"], "credential": answer}
    assert anna.refused("POST", "/session/factor", given) == "factor-refused", "another account's credential"
    login = Person(site, name, "192.0.2.9")
    login.log_in()
    given = {"kind": "passkey", "challenge": asked["challenge"], "credential": key.signed(asked["options"], ADDRESS)}
    assert login.refused("POST", "/session/factor", given) == "factor-refused", "another login's challenge"


def test_a_counter_that_does_not_grow_is_a_copys_and_goes_on_record(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    key = anna.set_up_passkey()
    account = own_id(anna)
    assert anna.by_passkey(key, steps=5).status_code == 200
    copy = Passkey(key.rp_id, key.user_handle, key.private, key.credential_id, count=3)
    assert anna.by_passkey(copy).json()["code"] == "passkey-refused"
    assert "counter" in (events(site, account, "login")[-1].detail or "")
    assert anna.by_passkey(key).status_code == 200


def test_a_passkey_that_was_made_elsewhere_or_is_registered_is_not_taken(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    key = anna.set_up_passkey()

    def tried(made: Passkey, origin: str = ADDRESS) -> str:
        asked = anna.got("POST", "/me/factors/passkey/challenge")
        credential = made.made(asked["options"], origin)
        return anna.refused(
            "POST", "/me/factors/passkey", {"name": "x", "challenge": asked["challenge"], "credential": credential}
        )

    assert tried(key) == "passkey-taken"
    assert tried(Passkey("evil.test", key.user_handle)) == "passkey-not-taken"
    assert tried(Passkey(key.rp_id, key.user_handle), "https://evil.test") == "passkey-not-taken"
    body = {"name": "x", "challenge": "AAAA", "credential": {}}
    assert anna.refused("POST", "/me/factors/passkey", body) == "passkey-not-taken"


@pytest.mark.parametrize(
    ("setting", "page", "code"),
    [
        (None, "http://localhost:8080", ""),
        (None, "http://127.0.0.1:8080", "passkeys-not-here"),
        (None, "https://pacs.example.org", "passkeys-not-here"),
        ("https://192.0.2.7", "https://192.0.2.7", "passkeys-not-here"),
        ("http://pacs.example.org", "http://pacs.example.org", "passkeys-not-here"),
        (ADDRESS, "https://10.0.0.8", "passkeys-elsewhere"),
        ("https://PACS.example.org:443", ADDRESS, ""),
    ],
)
def test_where_the_address_allows_no_passkeys_it_is_said(
    site: WebSite, setting: str | None, page: str, code: str
) -> None:
    factors = site.identity.factors
    before, factors._settings = factors._settings, factors._settings.model_copy(update={"address": setting})
    try:
        nobody = Person(site, "nobody", origin=page)
        answer = nobody.ask("POST", "/session/passkey/challenge")
        assert (answer.json().get("code", "") if answer.status_code != 200 else "") == code
        if not code:
            assert answer.json()["options"]["rpId"] in ("localhost", "pacs.example.org")
    finally:
        factors._settings = before


# PINs by e-mail


def test_a_pin_by_mail_is_sent_once_a_minute_and_counts_once(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    assert "email" not in anna.got("GET", "/me/factors")["may_add"]
    assert anna.refused("POST", "/me/factors/email") == "no-mail-address"
    with site.database.write() as session:
        session.execute(sa.update(Account).where(Account.username == name).values(email=f"{name}@example.org"))
    assert "email" in anna.got("GET", "/me/factors")["may_add"]
    begun = anna.got("POST", "/me/factors/email")
    assert begun["address"] == "p•••@example.org"
    assert anna.refused("POST", "/session/factor/pin") == "factor-refused", "not confirmed yet"
    begun = anna.got("POST", "/me/factors/email")  # somebody thinks of another kind, and comes back
    anna.got("POST", f"/me/factors/{begun['id']}/confirm", {"code": mailed_pin(site, name)})
    assert anna.log_in() == "factor"
    assert not anna.got("GET", "/session/factor")["pin_sent"]
    anna.got("POST", "/session/factor/pin")
    assert anna.got("GET", "/session/factor")["pin_sent"], "a phone loads the page anew after a look at the mail"
    pin = mailed_pin(site, name)
    assert anna.refused("POST", "/session/factor/pin") == "too-many-attempts"
    elsewhere = Person(site, name, "192.0.2.2")
    elsewhere.log_in()
    assert elsewhere.answer("email", pin).json()["code"] == "factor-refused", "only for the login that asked"
    wrong = f"{(int(pin) + 1) % 10**6:06d}"
    assert anna.answer("email", wrong).json()["code"] == "factor-refused"
    assert anna.answer("email", f"{pin[:3]} {pin[3:]}").json()["stage"] == "open"
    anna.log_in()
    assert anna.answer("email", pin).json()["code"] == "factor-refused", "once"
    anna.got("POST", "/session/factor/pin")
    site.clock.advance(timedelta(minutes=9, seconds=30))
    fresh = Person(site, name)
    fresh.log_in()
    fresh.got("POST", "/session/factor/pin")
    wrong = f"{(int(mailed_pin(site, name)) + 1) % 10**6:06d}"
    for _ in range(5):
        fresh.answer("email", wrong)
        site.clock.advance(timedelta(seconds=5))
    site.clock.advance(timedelta(seconds=60))
    assert fresh.answer("email", mailed_pin(site, name)).json()["code"] == "factor-refused", "five tries"


# Required per role or group


def test_who_needs_a_factor_is_led_through_setting_one_up_before_anything_else(site: WebSite, name: str) -> None:
    root, anna = Person(site, "root"), Person(site, name)
    root.log_in()
    with site.database.write() as session:
        group = access.create_group(session, site.organisation_id, f"Ward {name}", now=site.clock.now())
        access.add_member(session, site.organisation_id, group.id, "account", own_id_of(site, name))
    assert root.refused("PUT", f"/factors/group/{uuid.uuid4()}", {"kinds": ["totp"]}) == "not-found"
    assert root.refused("PUT", "/factors/role/emperor", {"kinds": ["totp"]}) == "invalid"
    root.got("PUT", f"/factors/group/{group.id}", {"kinds": ["totp"]})
    (rule,) = root.got("GET", "/factors")["rules"]
    assert (rule["name"], rule["kinds"]) == (f"Ward {name}", ["totp"])
    assert anna.log_in(typed=True) == "set-up"
    assert anna.refused("GET", "/studies") == "factor-set-up-wanted"
    assert anna.got("GET", "/session/factor")["may_set_up"] == ["totp"]
    assert anna.refused("POST", "/me/factors/passkey/challenge") == "factor-not-allowed"
    anna.set_up_app()
    assert anna.got("GET", "/session")["stage"] == "open"
    assert anna.got("GET", "/studies")["studies"] == []
    (only,) = anna.got("GET", "/me/factors")["factors"]
    assert anna.refused("DELETE", f"/me/factors/{only['id']}") == "last-factor"
    root.got("PUT", f"/factors/group/{group.id}", {"kinds": ["passkey", "email"]})
    assert anna.log_in() == "factor"
    assert anna.answer("totp", anna.code()).json()["stage"] == "set-up", "another kind is needed by now"
    anna.set_up_passkey()
    assert anna.got("GET", "/session")["stage"] == "open"
    token = site.token()
    assert site.client().get("/api/studies", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    root.got("DELETE", f"/api/groups/{group.id}"[4:] + "?confirmed=true")
    assert root.got("GET", "/factors")["rules"] == []
    assert len(events(site, group.id, "factor.require")) == 2


def test_a_device_that_is_reported_lost_opens_nothing_when_the_account_is_open_again(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    lost, kept = anna.set_up_passkey("Laptop"), anna.set_up_passkey("Key")
    listed = {one["name"]: one["id"] for one in anna.got("GET", "/me/factors")["factors"]}
    account = own_id(anna)
    site.clock.advance(timedelta(minutes=6))
    assert anna.refused("POST", "/me/lost", {"factors": [listed["Laptop"]]}) == "fresh-proof-wanted"
    assert anna.log_in() == "factor"
    asked = anna.got("POST", "/session/factor/passkey")
    given = {"kind": "passkey", "challenge": asked["challenge"], "credential": kept.signed(asked["options"], ADDRESS)}
    anna.got("POST", "/session/factor", given)
    anna.got("POST", "/me/lost", {"factors": [listed["Laptop"]]})
    stranger = Person(site, "nobody")
    assert {stranger.by_passkey(key).status_code for key in (lost, kept)} == {401}
    with site.database.write() as session:
        site.identity.change_account(session, site.organisation_id, uuid.UUID(account), lost=False)
    assert stranger.by_passkey(lost).status_code == 401
    assert stranger.by_passkey(kept).status_code == 200
    assert len(events(site, account, "factor.remove")) == 1


def test_a_passkey_alone_does_not_pass_a_rule_that_wants_another_kind(site: WebSite, name: str) -> None:
    root, anna = Person(site, "root"), Person(site, name)
    root.log_in()
    anna.log_in()
    key = anna.set_up_passkey()
    root.got("PUT", "/factors/role/user", {"kinds": ["totp"]})
    try:
        assert anna.by_passkey(key).json()["stage"] == "set-up"
        anna.set_up_app()
        assert anna.by_passkey(key).json()["stage"] == "factor"
        assert anna.got("GET", "/session/factor")["answers"] == ["totp"]
        assert anna.answer("totp", anna.code()).json()["stage"] == "open"
    finally:
        root.got("DELETE", "/factors/role/user")
    assert anna.by_passkey(key).json()["stage"] == "open"


def own_id_of(site: WebSite, name: str) -> str:
    found = site.identity.account_named(name)
    assert found is not None
    return str(found.id)


# Fresh proof, and the administrator's reset


def test_changing_factors_asks_for_a_fresh_proof(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    anna.set_up_app()
    (only,) = anna.got("GET", "/me/factors")["factors"]
    site.clock.advance(timedelta(minutes=6))
    for method, path, body in (
        ("DELETE", f"/me/factors/{only['id']}", None), ("PATCH", f"/me/factors/{only['id']}", {"name": "x"}),
        ("POST", "/me/factors/totp", {"name": "x"}), ("POST", "/me/factors/codes", None),
        ("POST", "/me/factors/passkey/challenge", None), ("POST", "/me/factors/email", None),
    ):  # fmt: skip
        assert anna.refused(method, path, body) == "fresh-proof-wanted", path
    asked = anna.http.post("/api/session/challenge", json={"username": name}).json()
    assert anna.refused("POST", "/session/proof", proof_of(asked, "wrong")[0]) == "password-wrong"
    root = anna.http.post("/api/session/challenge", json={"username": "root"}).json()
    assert anna.refused("POST", "/session/proof", proof_of(root, PASSWORD)[0]) == "password-wrong"
    assert anna.refused("POST", "/session/proof", {"kind": "totp", "code": "000000"}) == "factor-refused"
    assert anna.refused("POST", "/session/proof", {"kind": "horse"}) == "invalid"
    asked = anna.http.post("/api/session/challenge", json={"username": name}).json()
    anna.got("POST", "/session/proof", proof_of(asked, PASSWORD)[0])
    assert anna.got("PATCH", f"/me/factors/{only['id']}", {"name": "Work phone"})["name"] == "Work phone"
    site.clock.advance(timedelta(minutes=6))
    anna.got("POST", "/session/proof", {"kind": "totp", "code": anna.code()})
    anna.got("DELETE", f"/me/factors/{only['id']}")
    assert [len(events(site, own_id(anna), f"factor.{what}")) for what in ("add", "change", "remove")] == [1, 1, 1]
    site.account(other := f"o{name}")
    bert = Person(site, other)
    bert.log_in()
    bert.set_up_app()
    (theirs,) = bert.got("GET", "/me/factors")["factors"]
    assert anna.refused("DELETE", f"/me/factors/{theirs['id']}") == "not-found"


def test_a_reset_takes_everything_is_on_record_and_told_at_the_next_login(site: WebSite, name: str) -> None:
    root, anna = Person(site, "root", "192.0.2.77"), Person(site, name)
    root.log_in()
    anna.log_in()
    anna.set_up_app()
    account = own_id(anna)
    path = f"/accounts/{account}/factors/reset"
    assert root.refused("POST", path, {"reason": "   "}) == "invalid"
    assert root.refused("POST", f"/accounts/{own_id(root)}/factors/reset", {"reason": "x"}) == "own-factors"
    root.got("POST", path, {"reason": "phone lost, seen in person"})
    assert anna.refused("GET", "/session") == "session-ended"
    assert anna.log_in() == "open"
    told = anna.got("GET", "/session")["reset"]
    assert (told["by_name"], told["reason"]) == ("root", "phone lost, seen in person")
    anna.got("PUT", "/me/factors/reset/read")
    assert anna.got("GET", "/session")["reset"] is None
    assert "phone lost" in (events(site, account, "factor.reset")[-1].detail or "")
    site.clock.advance(timedelta(minutes=6))
    assert root.refused("POST", path, {"reason": "again"}) == "fresh-proof-wanted"


def test_a_login_that_awaits_its_factor_reaches_nothing_else(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    anna.set_up_app()
    assert anna.log_in() == "factor"
    change = change_of(anna.http, name, PASSWORD, "ein ganz neues Passwort")
    for method, path, body in (
        ("GET", "/studies", None), ("POST", "/session/password", change), ("GET", "/me/factors", None),
        ("POST", "/me/factors/totp", {"name": "x"}), ("POST", "/session/proof", {"kind": "totp", "code": anna.code()}),
    ):  # fmt: skip
        assert anna.refused(method, path, body) == "factor-wanted", path
    assert anna.http.get("/dicom-web/studies").json()["code"] == "factor-wanted"
    assert anna.http.get("/metrics").json()["code"] == "factor-wanted"
    site.clock.advance(timedelta(minutes=11))
    assert anna.refused("GET", "/session") == "session-ended", "it does not wait for ever"
    anna.log_in()
    anna.got("DELETE", "/session")
    assert Login(anna.http).http.get("/api/session").status_code == 401


def test_the_handle_of_a_passkey_is_the_accounts_id_and_no_name(site: WebSite, name: str) -> None:
    anna = Person(site, name)
    anna.log_in()
    asked = anna.got("POST", "/me/factors/passkey/challenge")
    assert uuid.UUID(bytes=from_text(asked["options"]["user"]["id"])) == uuid.UUID(own_id(anna))
    assert [one["alg"] for one in asked["options"]["pubKeyCredParams"]] == [-8, -7, -257]
