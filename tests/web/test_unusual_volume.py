"""Somebody, a link, a token or a device fetches far more than usual: who is told, shut out, and let in again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import access, audit
from radrelay.access import Principal
from radrelay.app.watching import GuessWatch
from radrelay.audit.models import AuditEvent
from radrelay.mail.models import MailLetter
from radrelay.privacy.volume.watching import VolumeWatch
from radrelay.settings import VolumeLimits, VolumeSettings
from tests.proving import log_in
from tests.web.conftest import PASSWORD, Login, WebSite, close_site, open_site
from tests.web.test_links import make, opened, token_of, try_open
from tests.web.test_studies import CT, only_study, upload

MAIL = {"host": "127.0.0.1", "port": 2525, "security": "none", "sender": "radrelay@clinic.example"}
FEW = VolumeLimits(studies=2, patients=2, fetches=5, gigabytes=0.0002)
SHUT = FEW.model_copy(update={"suspend": True})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """An installation with mail, an administrator, an officer and a study; each scenario has people of its own."""
    made = open_site(tmp_path_factory.mktemp("volume"), mail=MAIL)
    for name, role in (("root", "admin"), ("officer", "dpo"), ("second", "admin")):
        with_mail(made, made.account(name, role), name)
    root = made.login("root")
    upload(made, root, CT)
    held = root.http.post(f"/api/studies/{only_study(root)['id']}/hold", json={}, headers=root.headers)
    assert held.status_code == 200, "for many days pass here"
    yield made
    close_site(made)


@pytest.fixture(autouse=True)
def another_day(site: WebSite) -> None:
    """Let what was fetched in other scenarios be of another day."""
    site.clock.advance(timedelta(days=2))


@pytest.fixture
def officer(site: WebSite) -> Login:
    return site.login("officer")


def with_mail(site: WebSite, account: uuid.UUID, name: str) -> None:
    with site.database.write() as session:
        site.identity.change_account(session, site.organisation_id, account, email=f"{name}@clinic.example")


def watch(site: WebSite, limits: VolumeLimits = FEW, **more: Any) -> VolumeWatch:
    settings = VolumeSettings(account=limits, token=limits, link=limits, device=limits, **more)
    return VolumeWatch(site.database, site.clock, settings, site.identity, site.services.password_links.post)


def fetch(site: WebSite, kind: str, own: object, studies: int, action: str = "study.view") -> None:
    """Put on record that so many studies of as many patients were fetched."""
    who = Principal(kind, str(own), "somebody", site.organisation_id)  # type: ignore[arg-type]
    events = [
        audit.AuditRecord(action, who, "study", uuid.uuid4(), patient=("", f"P{n}", "Doe^Jane")) for n in range(studies)
    ]
    with site.database.write() as session:
        audit.record_many(session, events)


def alarms(login: Login, own: object) -> list[dict[str, Any]]:
    answer = login.http.get("/api/privacy/volume")
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json()["alarms"] if one["own_id"] == str(own)]


def settle(login: Login, alarm: dict[str, Any], **said: object) -> Any:
    return login.http.post(f"/api/privacy/volume/{alarm['id']}", json=said, headers=login.headers)


def letters(site: WebSite, kind: str) -> list[tuple[str, str]]:
    """Return to whom letters of a kind are on their way, and what they say; they are taken out."""
    with site.database.write() as session:
        rows = session.scalars(sa.select(MailLetter).where(MailLetter.kind == kind)).all()
        found = [(row.recipient, site.services.password_links.post.opened(row).text) for row in rows]
        session.execute(sa.delete(MailLetter))
    return sorted(found)


def actions(site: WebSite, own: object) -> list[str]:
    with site.database.read() as session:
        asked = sa.select(AuditEvent.action).where(
            AuditEvent.subject_id == str(own), AuditEvent.action.like("access.%")
        )
        return list(session.scalars(asked.order_by(AuditEvent.sequence)))


def details(site: WebSite, own: object) -> list[str]:
    with site.database.read() as session:
        asked = sa.select(AuditEvent.detail).where(
            AuditEvent.subject_id == str(own), AuditEvent.action.like("access.%")
        )
        return list(session.scalars(asked))


def test_a_busy_night_is_told_of_and_shuts_nobody_out(site: WebSite, officer: Login) -> None:
    anna = site.account("anna")
    with_mail(site, anna, "anna")
    login = site.login("anna")
    looking = watch(site)
    study = login.http.get("/api/studies").json()["studies"][0]["id"]
    assert login.http.get(f"/api/studies/{study}").status_code == 200
    fetch(site, "account", anna, 1)
    assert looking.look() == 0, "two studies are allowed"
    fetch(site, "account", anna, 1)
    assert (looking.look(), looking.look()) == (1, 0), "told once"
    [alarm] = alarms(officer, anna)
    assert (alarm["studies"], alarm["measure"], alarm["most"], alarm["usual"]) == (3, "studies", 2, None)
    assert alarm["suspended_at"] is None
    assert login.http.get("/api/studies").status_code == 200
    told = letters(site, "volume")
    assert [to for to, _ in told] == [f"{name}@clinic.example" for name in ("officer", "root", "second")]
    assert all("3 " in text and "Doe" not in text for _, text in told)
    fetch(site, "account", anna, 1)
    assert looking.look() == 0
    assert alarms(officer, anna)[0]["studies"] == 4, "an open alarm counts on"
    assert letters(site, "volume") == []
    assert login.http.get("/api/privacy/volume").status_code == 403
    kept = {one["subject"]: one["code"] for one in officer.http.get("/api/promises").json()["kept"]}
    assert kept["volume"] == "volume-open"
    assert settle(officer, alarm, note="night shift").json()["settled_by"] == "officer"
    assert settle(officer, alarm).json()["code"] == "volume-alarm-settled"
    assert (looking.look(), watch(site).look()) == (0, 0), "what was settled counts no more"
    assert actions(site, anna) == ["access.unusual", "access.unusual-settled"]


def test_a_suspended_person_is_out_at_once_until_somebody_lets_them_in(site: WebSite, officer: Login) -> None:
    bert = site.account("bert")
    login = site.login("bert")
    fetch(site, "account", bert, 3, "study.download")
    assert watch(site, SHUT).look() == 1
    assert login.http.get("/api/studies").status_code == 401
    assert refused(site, "bert")
    [alarm] = alarms(officer, bert)
    assert alarm["suspended_at"] is not None
    assert "officer@clinic.example" in dict(letters(site, "volume-suspended"))
    assert settle(officer, alarm, note="was asked to", let_in=True).json()["suspended_at"] is None
    assert site.login("bert").http.get("/api/studies").status_code == 200
    assert watch(site, SHUT).look() == 0
    assert actions(site, bert) == ["access.unusual", "access.suspend", "access.let-in", "access.unusual-settled"]


def refused(site: WebSite, name: str) -> bool:
    try:
        site.login(name)
    except AssertionError:
        return True
    return False


def test_the_last_administrator_is_told_of_but_never_shut_out(site: WebSite, officer: Login) -> None:
    root, second = (site.identity.account_named(name) for name in ("root", "second"))
    assert root is not None
    assert second is not None
    login = site.login("root")
    for one in (second, root):
        fetch(site, "account", one.id, 3)
        assert watch(site, SHUT).look() == 1
    assert alarms(officer, second.id)[0]["suspended_at"] is not None
    [alarm] = alarms(officer, root.id)
    assert (alarm["suspended_at"], alarm["kept_open"]) == (None, "last-admin")
    assert settle(login, alarm).json()["code"] == "volume-alarm-own", "nobody judges themselves"
    assert settle(login, alarms(login, second.id)[0], let_in=True).status_code == 200
    assert settle(officer, alarm).status_code == 200
    assert site.login("second").http.get("/api/accounts").status_code == 200


def test_links_tokens_and_devices_are_refused_and_let_in_again(site: WebSite, officer: Login) -> None:
    root = site.login("root")
    study = root.http.get("/api/studies").json()["studies"][0]["id"]
    link = make(site, root, studies=[study], label="for Doe")
    visitor = opened(site, link)
    secret = site.token()
    machine = site.client()
    machine.headers["Authorization"] = f"Bearer {secret}"
    token = site.services.identity.token_of(secret).id
    caller = access.Caller("WORKSTATION", "10.0.0.1")

    def answers() -> tuple[int, int, int, str]:
        with site.database.read() as session:
            verdict = access.judge(session, site.organisation_id, caller)
        return (
            visitor.http.get("/api/shared").status_code, try_open(Login(site.client()), token_of(link)).status_code,
            machine.get("/api/studies").status_code, verdict,
        )  # fmt: skip

    assert answers() == (200, 200, 200, "unbound")
    for kind, own in (("link", link["link"]["id"]), ("token", token), ("ae", "WORKSTATION")):
        fetch(site, kind, own, 3)
    assert watch(site, SHUT).look() == 3
    assert answers() == (401, 401, 401, "suspended")
    assert [one["name"] for one in alarms(officer, link["link"]["id"])] == ["root · for Doe"]
    assert not any("Doe" in text for _, text in letters(site, "volume-suspended")), "a label may name a patient"
    assert "Doe" not in str(details(site, link["link"]["id"]))
    assert [one["state"] for one in root.http.get("/api/links").json()["links"]] == ["suspended"]
    [own_link] = alarms(root, link["link"]["id"])
    assert settle(root, own_link, let_in=True).json()["code"] == "volume-alarm-own", (
        "who made a link is whom it is about"
    )
    for own in (link["link"]["id"], token, "WORKSTATION"):
        assert settle(officer, alarms(officer, own)[0], let_in=True).status_code == 200
    assert answers() == (200, 200, 200, "unbound")


def test_who_always_fetches_much_is_measured_by_their_own_days(site: WebSite) -> None:
    carl = site.account("carl")
    for studies in (40, 44, 38, 0, 42, 41, 39, 90, 40, 43, 37, 40):
        fetch(site, "account", carl, studies)
        site.clock.advance(timedelta(days=1))
    site.clock.advance(timedelta(days=1))
    officer = site.login("officer")
    fetch(site, "account", carl, 79)
    assert watch(site).look() == 0, "less than twice the usual"
    fetch(site, "account", carl, 20)
    assert watch(site, least_days=20).look() == 1, "what is usual is not known yet"
    [alarm] = alarms(officer, carl)
    assert alarm["usual"] is None
    assert settle(officer, alarm).status_code == 200
    site.clock.advance(timedelta(minutes=5))
    fetch(site, "account", carl, 81)
    assert watch(site).look() == 1
    newest = alarms(officer, carl)[0]
    assert (newest["usual"], newest["most"], newest["studies"]) == (40, 80, 81)


def test_bytes_are_counted_beside_the_record(site: WebSite, officer: Login) -> None:
    dora = site.account("dora")
    login = site.login("dora")
    study = login.http.get("/api/studies").json()["studies"][0]["id"]
    size = sum(len(login.http.get(f"/api/studies/{study}/archive.zip").content) for _ in range(14))
    assert size > FEW.bytes
    site.services.tally.write(site.database, site.clock.now())
    site.services.tally.write(site.database, site.clock.now())
    limits = FEW.model_copy(update={"fetches": 100})
    assert watch(site, limits).look() == 1
    [alarm] = alarms(officer, dora)
    assert alarm["measure"] == "bytes"
    assert size <= alarm["bytes"] <= size + 200_000, "and the few answers beside"


def test_an_owner_is_told_by_mail_that_passwords_are_tried_for_an_account(site: WebSite) -> None:
    emma = site.account("emma")
    with_mail(site, emma, "emma")
    watching = GuessWatch(site.database, site.clock, site.services.password_links.post)
    assert watching.look() == 0
    stranger = site.client("203.0.113.9")
    answers = [wrong(stranger, "emma").status_code for _ in range(7)]
    assert answers[-1] == 429
    assert wrong(stranger, "nobody-here").status_code in (401, 429)
    assert (watching.look(), watching.look()) == (1, 0)
    [(to, text)] = letters(site, "guessed")
    assert to == "emma@clinic.example"
    assert "emma" in text


def wrong(client: Any, name: str) -> Any:
    return log_in(client, name, PASSWORD + "!")


def test_a_maker_is_told_by_mail_that_wrong_answers_closed_a_link(site: WebSite) -> None:
    root = site.login("root")
    study = root.http.get("/api/studies").json()["studies"][0]["id"]
    link = make(site, root, studies=[study], protection="pin", pin="471147", label="for Doe")
    stranger = Login(site.client("203.0.113.20"))
    for _ in range(5):
        try_open(stranger, token_of(link), answer="000000")
    [(to, text)] = letters(site, "link-closed")
    assert (to, "Doe" in text) == ("root@clinic.example", False)


def test_one_limit_that_is_set_leaves_the_others_of_its_kind() -> None:
    limits = VolumeSettings.model_validate({"link": {"studies": "1"}})
    assert limits.link == VolumeSettings().link.model_copy(update={"studies": 1})
    assert (limits.token, limits.account) == (VolumeSettings().token, VolumeSettings().account)
