"""Links as a provider of DICOM Link Exchange hands them out: to whom, how often, and nothing to anybody else."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.access.models import ShareLink
from radrelay.audit.models import AuditEvent
from tests.web.conftest import Login
from tests.web.dlx.conftest import PIN, Program, Provider, payload
from tests.web.test_studies import revoke_all

WRONG = "19000101"


@pytest.mark.parametrize("protection", ["birth-date", "pin", "none"])
def test_each_kind_of_link_conforms(provider: Provider, protection: str) -> None:
    wanted: dict[str, Any] = {"protection": protection, **({"pin": PIN} if protection == "pin" else {})}
    answers = {"birth-date": provider.born, "password": PIN, "study-date": str(provider.study["study_date"])}
    found = provider.check(provider.link(**wanted), answers, provider.end(provider.link(**wanted)))
    assert [(one.clause.id, one.detail) for one in found if one.outcome in ("failed", "advice")] == []
    assert {one.clause.id for one in found if one.outcome == "untested"} == {"busy", "reached"}  # by http


def test_a_token_that_is_none_is_asked_the_same_each_time_and_refused_as_a_wrong_answer_is(provider: Provider) -> None:
    made = provider.link(protection="birth-date")
    program = Program(provider, made)
    asked = program.questions()
    assert [one["questionType"] for one in asked["tfaQuestion"]] == ["PAT_BIRTH_DATE"]
    forged = [made["token"][:-1] + other for other in "ABCDEFGHIJKL" if other != made["token"][-1]]
    kinds = set()
    for token in (*forged, "x", "%20", "A" * 500, made["token"].lower()):
        told = program.questions(token)
        assert told == program.questions(token)
        assert (told["apiInfo"], len(told["tfaQuestion"])) == (asked["apiInfo"], 1)
        kinds.add(told["tfaQuestion"][0]["questionType"])
    assert kinds == {"PAT_BIRTH_DATE", "STUDY_DATE", "PASSWORD"}
    assert (program.answer(provider.born, forged[0]), program.said) == (401, "dlx-answers-wrong")
    assert (program.answer(WRONG), program.said) == (401, "dlx-answers-wrong")
    body = {"tfaAnswer": [{"questionId": "1", "answer": WRONG}]}
    said = [program.http.post(f"/dlx/v1/tokentfa/{token}", json=body).json() for token in (made["token"], forged[0])]
    assert {one.pop("correlation_id") != "" for one in said} == {True}
    assert said[0] == said[1]
    portal = program.http.get(f"/s?token={forged[0]}", headers={"X-DICOM-LINK-EXCHANGE": "1"})
    assert portal.json() == program.questions(forged[0])
    assert "<html" in program.http.get(f"/s?token={made['token']}").text, "a browser gets the page"


def test_five_wrong_answers_close_a_link_for_programs_and_browsers_alike(provider: Provider) -> None:
    made = provider.link(protection="pin", pin=PIN)
    program = Program(provider, made)
    assert [program.answer(WRONG) for _ in range(5)] == [401] * 5
    assert (program.answer(PIN), program.said) == (401, "dlx-answers-wrong")
    browser = Login(provider.site.client("198.51.100.77"))
    told = browser.http.post("/api/shared", json={"token": made["token"], "answer": PIN}).json()
    assert told["code"] == "link-closed"
    assert provider.detail(made)["state"] == "closed"
    notices = provider.anna.http.get("/api/links").json()["notices"]
    assert (notices[0]["link_id"], notices[0]["peer"]) == (made["link"]["id"], "198.51.100.9")
    provider.site.clock.advance(timedelta(minutes=16))
    assert program.answer(PIN) == 200


def test_who_answers_right_is_told_that_a_link_has_ended_or_may_only_be_looked_at(provider: Provider) -> None:
    over = Program(provider, provider.end(provider.link(protection="birth-date")))
    assert (over.answer(WRONG), over.said) == (401, "dlx-answers-wrong")
    assert (over.answer(provider.born), over.said) == (403, "link-ended")
    looks = Program(provider, provider.link(protection="birth-date", may_download=False))
    assert (looks.answer(WRONG), looks.said) == (401, "dlx-answers-wrong")
    assert (looks.answer(provider.born), looks.said) == (403, "link-looks-only")
    assert provider.detail(looks.made)["uses"] == 0
    unasked = Program(provider, provider.end(provider.link()))
    assert (unasked.answer(WRONG), unasked.said) == (401, "dlx-answers-wrong")
    assert unasked.answer(str(provider.study["study_date"])) == 403


def test_a_use_is_counted_once_for_a_program_that_logs_in_anew(provider: Provider) -> None:
    made = provider.link(protection="pin", pin=PIN, max_uses=1)
    program = Program(provider, made)
    assert program.answer(PIN) == 200
    provider.site.clock.advance(timedelta(minutes=11))
    assert program.get("list").status_code == 401, "a ticket counts for ten minutes"
    assert program.answer(PIN) == 200
    assert len(program.items()) == 1
    other = Program(provider, made, name="another/2")
    elsewhere = Program(provider, made, address="198.51.100.10")
    assert [(one.answer(PIN), one.said) for one in (other, elsewhere)] == [(403, "link-ended")] * 2
    assert [(one.answer(WRONG), one.said) for one in (other, elsewhere)] == [(401, "dlx-answers-wrong")] * 2
    told = provider.detail(made)
    assert (told["state"], told["uses"]) == ("used-up", 1)
    provider.site.clock.advance(timedelta(hours=4))
    assert program.answer(PIN) == 403, "the visit is over"


def test_what_is_revoked_is_closed_at_once(provider: Provider) -> None:
    program = Program(provider, provider.link(protection="birth-date"))
    assert program.answer(provider.born) == 200
    [item] = program.items()
    provider.revoke(program.made)
    for path in ("list", f"download/{item['id']}", "downloadall"):
        answer = program.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "link-over")
    assert (program.answer(provider.born), program.said) == (401, "dlx-answers-wrong")


def test_a_ticket_opens_what_the_link_hands_out_and_nothing_else(provider: Provider) -> None:
    program = Program(provider, provider.link(protection="pin", pin=PIN))
    assert program.answer(PIN) == 200
    [item] = program.items()
    bearing = {"Authorization": f"Bearer {program.ticket}"}
    for path in ("/api/session", "/api/studies", f"/api/studies/{provider.study['id']}", "/dicom-web/studies"):
        answer = program.http.get(path, headers=bearing)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-by-link"), path
    assert program.http.post("/api/links", json={}, headers=bearing).status_code == 403
    for other in ("", "00" * 16, str(uuid.uuid4()), "x"):
        assert program.get(f"download/{other}").status_code in ((400,) if other else (404, 405)), other
    head, claims, signature = program.ticket.split(".")
    for forged in (f"{head}.{claims}.{signature[:-4]}AAAA", f"eyJhbGciOiJub25lIn0.{claims}.", "a.b.c"):
        program.ticket = forged
        assert (program.get("list").status_code, program.get("list").json()["code"]) == (401, "ticket-refused")
    visitor = Login(provider.site.client("198.51.100.9"))
    visitor.http.post("/api/shared", json={"token": program.made["token"], "answer": PIN})
    assert visitor.http.get("/dlx/v1/list").json()["code"] == "not-by-link"
    machine = {"Authorization": f"Bearer {provider.site.token('admin')}"}
    assert visitor.http.get(f"/dlx/v1/download/{item['id']}", headers=machine).json()["code"] == "ticket-wanted"


def test_what_leaves_is_on_record_and_no_secret_is(provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    made = provider.link(protection="pin", pin=PIN)
    program = Program(provider, made)
    program.answer("777777")
    program.answer(PIN)
    program.questions()
    [item] = program.items()
    whole = program.get(f"download/{item['id']}")
    program.get(f"download/{item['id']}", Range="bytes=9-", **{"If-Range": whole.headers["etag"]})
    kinds = [one["kind"] for one in provider.detail(made)["accesses"]]
    assert kinds == ["downloaded", "opened", "wrong"]
    with provider.site.database.read() as session:
        events = list(session.scalars(sa.select(AuditEvent).where(AuditEvent.actor_id == made["link"]["id"])))
        told = [(one.action, one.outcome) for one in events]
        kept = " ".join(f"{one.detail} {one.actor_name} {one.subject_id}" for one in events)
    assert {json.loads(one.detail)["by"] for one in events} == {"dlx"}
    once = ("study.download", "success")
    assert told == [("link.open", "refused"), ("link.open", "success"), once, once]
    said = kept + "".join(capsys.readouterr())
    assert "/dlx/v1/tokentfa/{value}" in said
    for secret in (made["token"], program.ticket, PIN, "777777", item["patientsName"], item["studyInstanceUID"]):
        assert secret not in said


def test_a_link_that_writes_codes_by_e_mail_is_no_link_for_programs(provider: Provider) -> None:
    made = provider.link(protection="pin", pin=PIN)
    with provider.site.database.write() as session:
        mailed = {"protection": "email", "answer_hash": None, "email": "m@clinic.example"}
        session.execute(sa.update(ShareLink).where(ShareLink.id == uuid.UUID(made["link"]["id"])).values(mailed))
    program = Program(provider, made)
    assert program.questions() == program.questions()
    assert [(program.answer(one), program.said) for one in (PIN, "")] == [(401, "dlx-answers-wrong")] * 2
    health = urlsplit(payload(made)["url"]).path
    assert program.http.post(health, json={"recipient": "x", "passcode": PIN}).status_code == 404
    assert provider.detail(made)["accesses"] == []


def test_an_address_that_is_refused_again_and_again_is_told_when_to_come_back(provider: Provider) -> None:
    program = Program(provider, provider.link(), address="198.51.100.200")
    assert {program.answer(WRONG, "x") for _ in range(50)} == {401}
    body = {"tfaAnswer": [{"questionId": "1", "answer": WRONG}]}
    answer = program.http.post("/dlx/v1/tokentfa/x", json=body)
    assert (answer.status_code, answer.json()["timeOutInSeconds"] > 0) == (503, True)


def test_what_the_maker_may_no_longer_hand_out_is_closed(
    provider: Provider,
) -> None:  # the last: nobody has rights afterwards
    site, study = provider.site, Target("study", uuid.UUID(provider.study["id"]))
    account = site.account("bert")
    with site.database.write() as session:
        now, ends_at = site.clock.now(), site.clock.now() + timedelta(minutes=5)
        access.grant(
            session, site.organisation_id, Grantee("account", str(account)), study, Right, now=now, ends_at=ends_at
        )
    program = Program(provider, provider.link(maker=site.login("bert"), protection="pin", pin=PIN))
    assert program.answer(PIN) == 200
    [item] = program.items()
    revoke_all(site)
    site.clock.advance(timedelta(minutes=5))
    assert program.items() == []
    assert [program.get(path).status_code for path in (f"download/{item['id']}", "downloadall")] == [400, 400]
    assert (program.answer(PIN), program.said) == (401, "dlx-answers-wrong")
