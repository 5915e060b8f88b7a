"""Signing up, a profile, the end of an account, owners of studies: what people, administrators, strangers see."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.app.mail import Mailing
from radrelay.app.people_findings import group_findings
from radrelay.app.replay import FURTHER
from radrelay.archive import ownership
from radrelay.archive.deletion import end_holdings
from radrelay.archive.models import Holding, Source, Study, Tombstone
from radrelay.archive.retention import replay
from radrelay.audit.models import AuditEvent
from radrelay.identity import to_text, verifiers
from radrelay.identity.models import Account, LoginAttempt, SignUp
from radrelay.identity.srp import SRP
from radrelay.mail.models import MailLetter
from radrelay.privacy import closing, texts
from radrelay.storage.keystore import LedgerEntry
from tests.proving import log_in, proof_of
from tests.web.conftest import ITERATIONS, PASSWORD, Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, only_study, upload

SITE = "https://pacs.example"
CHOSEN = "drei alte Fahrräder im Hof"
WHO = {"name": "Dr. Ruth Beispiel", "email": "Ruth@Praxis.example", "organisation": "Praxis am Markt", "language": "de"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """An installation with mail where people may sign up, with terms, a group that they join, and an administrator."""
    made = open_site(
        tmp_path_factory.mktemp("sign-up"),
        mail={"host": "mail.example", "sender": "radrelay@clinic.example"},
        web={"address": SITE},
        sign_up={"enabled": True, "group": "Referrers", "by_admin": False, "least_age": 18},
    )
    root = made.account("root", "admin")
    with made.database.write() as session:
        made.identity.change_account(session, made.organisation_id, root, email="root@clinic.example")
        access.create_group(session, made.organisation_id, "Referrers", now=made.clock.now())
        revision = texts.save_draft(
            session, made.organisation_id, "terms", "Be kind.", "Seien Sie nett.",
            statistics=made.settings.statistics, revision=0, by="root", now=made.clock.now(),
        ).revision  # fmt: skip
        published = texts.publish(
            session,
            made.organisation_id,
            "terms",
            statistics=made.settings.statistics,
            revision=revision,
            by="root",
            now=made.clock.now(),
        )
        who = texts.Acceptor(made.organisation_id, root, "root", "en", "")
        texts.accept(session, who, [(one.id, one.sha256) for one in [published] if one.id], made.clock.now())
    yield made
    close_site(made)


@pytest.fixture
def site(house: WebSite, monkeypatch: pytest.MonkeyPatch) -> WebSite:
    """The installation, with nobody slowed down and no letter in the outbox."""
    make = verifiers.make
    monkeypatch.setattr("tests.web.test_sign_up.verifiers.make", lambda i, p, n: make(i, p, min(n, ITERATIONS)))
    with house.database.write() as session:
        session.execute(sa.delete(LoginAttempt))
        session.execute(sa.delete(MailLetter))
        session.execute(sa.delete(SignUp))
    return house


def letters(site: WebSite) -> list[tuple[str, str, str]]:
    """Return kind, recipient and words of the letters that wait, and forget them."""
    post = site.services.password_links.post
    with site.database.write() as session:
        rows = session.scalars(sa.select(MailLetter).where(MailLetter.state == "waiting").order_by(MailLetter.id)).all()
        found = [(row.kind, row.recipient, post.opened(row).text) for row in rows]
        session.execute(sa.delete(MailLetter))
    return found


def work(site: WebSite) -> None:
    """Let `work` answer who asked; the letters stay."""
    mailing = Mailing(site.settings, site.database, site.clock, site.services.metadata_key)
    mailing.postman.tick = lambda: 0  # type: ignore[method-assign]
    mailing.tick()


def token_in(text: str, page: str) -> str:
    found = re.search(rf"{SITE}/{page}#([\w-]{{43}})$", text, re.MULTILINE)
    assert found is not None, text
    return found.group(1)


def verifier(identity: str, iterations: int, password: str = CHOSEN) -> dict[str, object]:
    made = verifiers.make(identity, password, iterations)
    return {"salt": to_text(made.salt), "iterations": made.iterations, "verifier": to_text(SRP.group.pad(made.value))}


def asked_link(site: WebSite, **changed: str) -> tuple[Any, str]:
    """Sign up, and return the browser and the token that came by mail."""
    http = site.client()
    assert http.post("/api/sign-up", json={**WHO, **changed}).status_code == 202
    work(site)
    ((kind, _, text),) = letters(site)
    assert kind == "sign-up"
    return http, token_in(text, "join")


def use(http: Any, token: str, **changed: object) -> Any:
    """Open a link and accept, as the page does."""
    opened = http.post("/api/sign-up/open", json={"token": token})
    if opened.status_code != 200:
        return opened
    told = opened.json()
    body = {
        "token": token, "new": verifier(told["identity"], told["iterations"]), "language": "de", "of_age": True,
        "texts": [{"id": one["id"], "sha256": one["sha256"]} for one in told["texts"]],
    }  # fmt: skip
    return http.post("/api/sign-up/use", json={**body, **changed})


def signed_up(site: WebSite, email: str) -> Login:
    """Sign somebody up, and log them in."""
    http, token = asked_link(site, email=email)
    assert use(http, token).status_code == 201
    answer = log_in(http, email, CHOSEN)
    assert answer.status_code == 200, answer.text
    letters(site)
    return Login(http, answer.json()["csrf_token"])


def proof(login: Login, username: str, password: str = CHOSEN) -> dict[str, str]:
    return proof_of(login.http.post("/api/session/challenge", json={"username": username}).json(), password)[0]


def actions(site: WebSite, own_id: str) -> list[str]:
    with site.database.read() as session:
        events = (
            sa.select(AuditEvent.action).where(AuditEvent.subject_id == own_id).order_by(AuditEvent.at, AuditEvent.id)
        )
        return list(session.scalars(events))


def test_somebody_signs_up_and_sees_nothing_until_something_is_granted(site: WebSite) -> None:
    root = site.login("root")
    upload(site, root, CT)
    assert owners(root, str(only_study(root)["id"])).json()["owners"] == [], "what is imported for the house is its own"
    http, token = asked_link(site)
    told = http.post("/api/sign-up/open", json={"token": token}).json()
    assert (told["name"], told["email"], told["least_age"]) == ("Dr. Ruth Beispiel", "Ruth@praxis.example", 18)
    assert [one["german"] for one in told["texts"]] == ["Seien Sie nett."]
    assert use(http, token, of_age=False).status_code == 422, "not of age"
    assert use(http, token, texts=[]).json()["code"] == "not-the-text", "the terms were not accepted"
    made = use(http, token)
    assert made.status_code == 201, made.text
    assert made.json() == {"username": "Ruth@praxis.example", "waits": False, "told": False}
    assert use(http, token).json()["code"] == "sign-up-over", "a link works once"

    answer = log_in(http, "ruth@praxis.example", CHOSEN).json()
    assert (answer["account"]["role"], answer["account"]["must_accept"]) == ("guest", False)
    assert http.get("/api/studies").json()["studies"] == [], "what users see is not theirs"
    assert http.get("/api/destinations").json()["destinations"] == []
    assert {one["kind"] for one in http.get("/api/sources").json()["sources"]} == {"upload"}, "nothing of the house"
    row = next(one for one in root.http.get("/api/accounts").json()["accounts"] if one["role"] == "guest")
    assert (row["affiliation"], row["email"]) == ("Praxis am Markt", "Ruth@praxis.example")
    group = next(one for one in root.http.get("/api/groups").json()["groups"] if one["name"] == "Referrers")
    members = root.http.get(f"/api/groups/{group['id']}/members").json()["members"]
    assert row["id"] in [one["id"] for one in members]
    assert actions(site, row["id"])[0] == "account.sign-up"
    accepted = root.http.get("/api/privacy/acceptances?form=jsonl").text
    assert row["id"] in accepted, "which terms were accepted is provable"

    with site.database.write() as session:
        study_id = session.scalars(sa.select(Study.id)).first()
        access.grant(
            session, site.organisation_id, Grantee("group", group["id"]), Target("study", study_id), [Right.SEE],
            now=site.clock.now(),
        )  # fmt: skip
    assert len(http.get("/api/studies").json()["studies"]) == 1


def _studies(login: Login) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = login.http.get("/api/studies").json()["studies"]
    return found


def test_an_address_that_has_an_account_gets_a_letter_and_the_page_says_the_same(site: WebSite) -> None:
    http = site.client()
    known = http.post("/api/sign-up", json={**WHO, "email": "ROOT@clinic.example"})
    free = http.post("/api/sign-up", json={**WHO, "email": "nobody@clinic.example"})
    assert (known.status_code, known.json(), dict(known.headers).keys()) == (
        free.status_code, free.json(), dict(free.headers).keys()
    )  # fmt: skip
    with site.database.read() as session:
        assert all(b"clinic" not in row.sealed for row in session.scalars(sa.select(SignUp))), "kept sealed"
    work(site)
    sent = {recipient: (kind, text) for kind, recipient, text in letters(site)}
    assert {one: kind for one, (kind, _) in sent.items()} == {
        "root@clinic.example": "sign-up-known", "nobody@clinic.example": "sign-up"
    }  # fmt: skip
    assert "root" in sent["root@clinic.example"][1], "the letter names the user name, to who has the mailbox"
    assert "/join#" not in sent["root@clinic.example"][1]


def test_strangers_can_neither_flood_a_mailbox_nor_the_site(site: WebSite) -> None:
    http = site.client("198.51.100.7")
    codes = [http.post("/api/sign-up", json={**WHO, "email": "Flood@x.example"}).status_code for _ in range(12)]
    assert codes[:10] == [202] * 10
    assert codes[10:] == [429, 429]
    work(site)
    sent = letters(site)
    assert [kind for kind, _, _ in sent] == ["sign-up"] * 3, "three letters an hour"
    tokens = [token_in(text, "join") for _, _, text in sent]
    opened = [http.post("/api/sign-up/open", json={"token": one}).status_code for one in tokens]
    assert opened == [404, 404, 200], "the newest link counts"
    site.clock.advance(timedelta(hours=25))
    assert http.post("/api/sign-up/open", json={"token": tokens[-1]}).status_code == 404, "a link ends"
    work(site)
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SignUp)) == 0, "and is forgotten"


def test_the_page_says_that_letters_wait_while_the_mail_server_is_away(site: WebSite) -> None:
    http = site.client()
    assert http.get("/api/sign-up").json() == {"open": True, "by_admin": False, "mail_waits": False}
    http.post("/api/sign-up", json=WHO | {"email": "waits@x.example"})
    work(site)
    with site.database.write() as session:
        session.execute(sa.update(MailLetter).values(trouble_code="mail-server-away"))
    assert http.get("/api/sign-up").json()["mail_waits"] is True
    assert http.post("/api/sign-up", json=WHO | {"email": "second@x.example"}).json() == {"mail_waits": True}


def test_sign_up_is_closed_by_default_and_without_mail_or_terms(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = site.settings.sign_up.model_copy(update={"enabled": False})
    monkeypatch.setattr(site.services.sign_ups, "settings", closed)
    http = site.client()
    assert http.get("/api/sign-up").json()["open"] is False
    assert http.post("/api/sign-up", json=WHO).json()["code"] == "sign-up-closed"
    monkeypatch.undo()
    with monkeypatch.context() as changed:
        changed.setattr(texts, "current", lambda *_: None)
        assert http.get("/api/sign-up").json()["open"] is False
    for wrong in ({"email": "no address"}, {"name": "  "}, {"language": "fr"}):
        assert http.post("/api/sign-up", json=WHO | wrong).status_code in (400, 422), wrong
    assert type(site.settings.sign_up)().enabled is False


def test_an_administrator_lets_somebody_in_first(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    by_admin = site.settings.sign_up.model_copy(update={"by_admin": True})
    monkeypatch.setattr(site.services.sign_ups, "settings", by_admin)
    http, token = asked_link(site, email="later@x.example")
    assert use(http, token).json()["waits"] is True
    assert [(kind, to) for kind, to, _ in letters(site)] == [("sign-up-waits", "root@clinic.example")]
    assert log_in(http, "later@x.example", CHOSEN).status_code == 401
    root = site.login("root")
    row = next(one for one in root.http.get("/api/accounts").json()["accounts"] if one["email"] == "later@x.example")
    assert row["awaits_since"] is not None
    answer = root.http.patch(f"/api/accounts/{row['id']}", json={"disabled": False}, headers=root.headers)
    assert answer.json()["awaits_since"] is None
    assert [(kind, to) for kind, to, _ in letters(site)] == [("sign-up-opened", "later@x.example")]
    assert "account.let-in" in actions(site, row["id"])
    assert log_in(http, "later@x.example", CHOSEN).status_code == 200


def test_a_group_that_is_not_there_is_named_to_administrators_and_made_up_for(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = site.login("root")
    by_admin = site.settings.sign_up.model_copy(update={"by_admin": True})
    monkeypatch.setattr(site.services.sign_ups, "settings", by_admin)
    (group,) = root.http.get("/api/groups").json()["groups"]
    path, named = f"/api/groups/{group['id']}", {"name": "Referrers", "lacks": False}
    assert root.http.get("/api/sign-up/group").json() == named
    assert list(group_findings(site.settings, site.database)) == []
    assert root.http.patch(path, json={"name": "Praxen"}, headers=root.headers).status_code == 200
    try:
        assert root.http.get("/api/sign-up/group").json() == named | {"lacks": True}
        (bad,) = group_findings(site.settings, site.database)
        assert (bad.subject, bad.state) == ("sign-up", "bad")
        assert "'Referrers'" in bad.text
        http, token = asked_link(site, email="nowhere@x.example")
        assert use(http, token).json() == {"username": "nowhere@x.example", "waits": True, "told": True}
    finally:
        assert root.http.patch(path, json={"name": "REFERRERS "}, headers=root.headers).status_code == 200
    rows = root.http.get("/api/accounts").json()["accounts"]
    own = next(one["id"] for one in rows if one["email"] == "nowhere@x.example")
    members = f"{path}/members"
    assert own not in str(root.http.get(members).json())
    root.http.patch(f"/api/accounts/{own}", json={"disabled": False}, headers=root.headers)
    assert own in str(root.http.get(members).json()), "who is let in once it is there joins it"
    assert root.http.get("/api/sign-up/group").json() == named


def test_nobody_is_said_to_know_of_a_newcomer_where_no_administrator_can_be_written_to(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = site.login("root")
    monkeypatch.setattr(site.services.sign_ups, "settings", site.settings.sign_up.model_copy(update={"by_admin": True}))
    own = next(one["id"] for one in root.http.get("/api/accounts").json()["accounts"] if one["username"] == "root")
    root.http.patch(f"/api/accounts/{own}", json={"email": ""}, headers=root.headers)
    letters(site)  # that the address was changed
    try:
        http, token = asked_link(site, email="unheard@x.example")
        assert use(http, token).json() == {"username": "unheard@x.example", "waits": True, "told": False}
    finally:
        root.http.patch(f"/api/accounts/{own}", json={"email": "root@clinic.example"}, headers=root.headers)


def test_a_profile_is_changed_by_its_owner_and_an_address_once_it_is_confirmed(site: WebSite) -> None:
    own = signed_up(site, "old@x.example")
    changed = own.http.patch(
        "/api/me", json={"full_name": "Dr. Neu", "affiliation": "Klinik\nNord", "language": "en"}, headers=own.headers
    ).json()
    assert (changed["full_name"], changed["affiliation"], changed["language"]) == ("Dr. Neu", "Klinik Nord", "en")
    refused = own.http.patch("/api/me", json={"email": "new@x.example"}, headers=own.headers)
    assert refused.json()["code"] == "login-refused", "an address takes a proof"
    body = {"email": "new@x.example", "current": proof(own, "old@x.example")}
    asked = own.http.patch("/api/me", json=body, headers=own.headers).json()
    assert (asked["email"], asked["email_waits"]) == ("old@x.example", "new@x.example"), "not yet"
    ((kind, to, text),) = letters(site)
    assert (kind, to) == ("address-confirm", "new@x.example")
    stranger = site.client()
    token = token_in(text, "address")
    assert stranger.post("/api/address-confirmations", json={"token": token[:-1] + "x"}).status_code == 404
    done = stranger.post("/api/address-confirmations", json={"token": token})
    assert done.json() == {"username": "old@x.example", "email": "new@x.example"}
    assert stranger.post("/api/address-confirmations", json={"token": token}).json()["code"] == "address-link-over"
    assert [(kind, to) for kind, to, _ in letters(site)] == [("address-changed", "old@x.example")], (
        "the old one is told"
    )
    now = own.http.get("/api/me").json()
    assert (now["email"], now["email_waits"]) == ("new@x.example", None)


def test_whoever_reports_a_loss_ends_an_address_that_a_thief_began(site: WebSite) -> None:
    own = signed_up(site, "robbed@x.example")
    body = {"email": "thief@x.example", "current": proof(own, "robbed@x.example")}
    own.http.patch("/api/me", json=body, headers=own.headers)
    token = token_in(letters(site)[0][2], "address")
    assert own.http.post("/api/me/lost", headers=own.headers).status_code == 204
    assert site.client().post("/api/address-confirmations", json={"token": token}).status_code == 404


def keep_until_the_end(site: WebSite) -> None:
    """Let the upload's source keep studies until the owner's account ends."""
    with site.database.write() as session:
        session.execute(sa.update(Source).where(Source.kind == "upload").values(retention_s=None))
    site.services.sources.refresh()


def expire(site: WebSite) -> None:
    """End what is over, as `work` does."""
    with site.database.write() as session:
        ownership.end_orphaned(session, site.clock.now())
        over = session.scalars(sa.select(Holding.id).where(Holding.ends_at <= site.clock.now())).all()
        end_holdings(session, over, site.clock.now())


@pytest.fixture
def empty(site: WebSite) -> WebSite:
    """The installation without a study, where uploads are kept until their owner's account ends."""
    keep_until_the_end(site)
    with site.database.write() as session:
        end_holdings(session, session.scalars(sa.select(Holding.id)).all(), site.clock.now())
    return site


def owners(login: Login, study: str) -> Any:
    return login.http.get(f"/api/studies/{study}/owners")


def test_what_only_a_closed_account_owned_goes_with_it_and_the_rest_is_told_before(empty: WebSite) -> None:
    site, own = empty, signed_up(empty, "leaves@x.example")
    upload(site, own, CT)
    study = str(only_study(own)["id"])
    mine = owners(own, study).json()
    assert [(one["owner"]["name"], one["mine"]) for one in mine["owners"]] == [("Dr. Ruth Beispiel", True)]
    assert mine["until_closed"] is True
    own_id = mine["owners"][0]["owner"]["id"]
    told = own.http.get("/api/me/closing").json()
    assert (told["logins"], told["groups"], told["studies_ending"], told["last_admin"]) == (1, 1, 1, False)

    assert own.http.post("/api/me/closing", json={}, headers=own.headers).json()["code"] == "login-refused"
    assert own.http.get("/api/me").status_code == 200, "without a proof nothing happens"
    body = {"current": proof(own, "leaves@x.example")}
    assert own.http.post("/api/me/closing", json=body, headers=own.headers).status_code == 204
    assert own.http.get("/api/me").status_code == 401, "ended at once"
    assert log_in(site.client(), "leaves@x.example", CHOSEN).status_code == 401
    assert [(kind, to) for kind, to, _ in letters(site)] == [("closed", "leaves@x.example")]
    assert actions(site, own_id)[-1] == "account.close"
    with site.database.read() as session:
        row = session.get(Account, uuid.UUID(own_id))
        assert row is not None
        kept = (row.full_name, row.email, row.affiliation, row.password_hash)
        assert kept == ("", None, "", None), "nothing of the person is left"
        assert "leaves" not in row.username
    root = site.login("root")
    assert own_id not in root.http.get("/api/accounts").text
    opened = root.http.patch(f"/api/accounts/{own_id}", json={"disabled": False}, headers=root.headers)
    assert opened.status_code == 404, "closed is for good"
    assert _studies(root) == [], "out of reach from this moment"
    expire(site)
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Study)) == 0
    assert signed_up(site, "leaves@x.example").http.get("/api/me").json()["full_name"] == "Dr. Ruth Beispiel", (
        "free again"
    )


def test_another_owner_another_source_and_a_hold_keep_a_study(empty: WebSite) -> None:
    site, own, other = empty, signed_up(empty, "first@x.example"), signed_up(empty, "second@x.example")
    upload(site, own, CT)
    study = str(only_study(own)["id"])
    assert owners(other, study).status_code == 404, "a stranger hears of nothing"
    root = site.login("root")
    other_id = next(
        one["id"] for one in root.http.get("/api/accounts").json()["accounts"] if one["email"] == "second@x.example"
    )
    path = f"/api/studies/{study}/owners"
    added = own.http.post(path, json={"kind": "account", "id": other_id}, headers=own.headers)
    assert added.status_code == 201, added.text
    again = own.http.post(path, json={"kind": "account", "id": other_id}, headers=own.headers)
    assert again.json()["id"] == added.json()["id"], "twice is one"
    assert len(_studies(other)) == 1
    gone = other.http.post(path, json={"kind": "account", "id": str(uuid.uuid4())}, headers=other.headers)
    assert gone.status_code in (404, 409, 422), "nobody of that id"

    own.http.post("/api/me/closing", json={"current": proof(own, "first@x.example")}, headers=own.headers)
    expire(site)
    assert len(_studies(other)) == 1, "another owner keeps it"

    with site.database.write() as session:
        session.execute(sa.update(Holding).values(hold_until=site.clock.now() + timedelta(days=1)))
    mine = owners(other, study).json()["owners"][0]["id"]
    assert other.http.delete(f"{path}/{mine}", headers=other.headers).json()["code"] == "last-owner"
    ended = other.http.delete(f"{path}/{mine}?end=true", headers=other.headers)
    assert ended.json() == {"ended": 1, "held": True}, "a hold keeps it"
    expire(site)
    assert len(_studies(root)) == 1
    assert _studies(other) == []
    site.clock.advance(timedelta(days=2))
    expire(site)
    assert _studies(site.login("root")) == []


def test_nobody_becomes_an_owner_of_what_was_here_before(empty: WebSite) -> None:
    site, own, thief = empty, signed_up(empty, "brings@x.example"), signed_up(empty, "thief2@x.example")
    upload(site, own, CT)
    upload(site, thief, CT)
    assert _studies(thief) == [], "who sends an object of a study that is here does not come to see it"
    told = own.http.get("/api/me/closing").json()
    assert (told["studies_ending"], told["studies_kept"]) == (0, 1), "the other's holding keeps it"
    receivers = own.http.get(f"/api/studies/{only_study(own)['id']}/releases/receivers").json()["receivers"]
    assert {one["kind"] for one in receivers} == {"group"}, "who signed up is told no other person's name"
    study = str(only_study(own)["id"])
    mine = owners(own, study).json()["owners"][0]["id"]
    gone = own.http.delete(f"/api/studies/{study}/owners/{mine}?end=true", headers=own.headers)
    assert gone.json() == {"ended": 1, "held": False}
    expire(site)
    assert len(_studies(site.login("root"))) == 1, "what another brought stays"


def test_administrators_close_accounts_but_never_the_last_of_them(site: WebSite) -> None:
    own = signed_up(site, "dismissed@x.example")
    own_id = next(
        one["id"] for one in site.login("root").http.get("/api/accounts").json()["accounts"]
        if one["email"] == "dismissed@x.example"
    )  # fmt: skip
    root = site.login("root")
    assert root.http.get(f"/api/accounts/{own_id}/closing").json()["logins"] == 1
    assert own.http.post(f"/api/accounts/{own_id}/closing", headers=own.headers).status_code == 403
    assert root.http.post(f"/api/accounts/{own_id}/closing", headers=root.headers).status_code == 204
    assert own.http.get("/api/me").status_code == 401
    me = root.http.get("/api/me/closing").json()
    assert me["last_admin"] is True
    body = {"current": proof(root, "root", PASSWORD)}
    assert root.http.post("/api/me/closing", json=body, headers=root.headers).json()["code"] == "last-admin"
    assert root.http.get("/api/me").status_code == 200


def test_a_restored_backup_closes_again_what_was_closed_after_it(site: WebSite) -> None:
    own_id, now = site.account("returned"), site.clock.now()
    with site.database.write() as session:
        closing.close(session, site.organisation_id, own_id, now)
        buried = sa.select(Tombstone.kind).where(Tombstone.subject_id == own_id)
        assert session.scalar(buried) == "account", "the ledger outlives a backup"
        session.execute(sa.update(Account).where(Account.id == own_id).values(closed_at=None, username="returned"))
    entry = LedgerEntry(now, site.organisation_id, "account", own_id, "closed")
    replay(site.database, [entry, entry], now, FURTHER)
    with site.database.read() as session:
        row = session.get(Account, own_id)
        assert row is not None
        assert (row.closed_at, row.username == "returned") == (now, False)
