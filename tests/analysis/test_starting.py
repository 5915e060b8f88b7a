"""What starts an analysis by itself: an AE title, a rule; and where its results go. A result starts nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.starting import start_called
from radrelay.archive import indexing
from radrelay.archive.models import Holding, Series, Study
from radrelay.archive.tables import SENDER
from radrelay.intake.files import FileLander
from radrelay.intake.sources import SourceView, list_sources
from radrelay.routing.models import Delivery
from radrelay.routing.rules.work import RuleWork, note_complete
from radrelay.storage import outbox
from tests.analysis.lab import Lab, open_lab
from tests.archive.house import made
from tests.web.test_studies import grant_to

STUDY_UID = "1.2.826.0.1.3680043.10.511.7"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with open_lab(tmp_path_factory.mktemp("lab")) as made_lab:
        yield made_lab


def put(lab: Lab, **wanted: object) -> Any:
    return lab.root.http.put("/api/analyses/copier", json=wanted, headers=lab.root.headers)


def source(lab: Lab, title: str | None) -> SourceView:
    with lab.site.database.read() as session:
        return next(one for one in list_sources(session) if (one.kind, one.ae_title) == ("dicom", title))


def arrive(lab: Lab, study_uid: str, title: str | None) -> uuid.UUID:
    """Have an image of a study sent to an AE title."""
    at = source(lab, title)
    origin = at.origin(peer="10.0.0.9", calling_ae="CT1", called_ae=title or "RADRELAY")
    uids = {"SOPInstanceUID": f"{study_uid}.5.12322", "SeriesInstanceUID": f"{study_uid}.6.12322"}
    content = made("CT_small.dcm", StudyInstanceUID=study_uid, PatientID="P7", **uids)
    assert FileLander(lab.site.landing, origin).land("ct.dcm", [content]).outcome == "object"
    lab.site.index()
    with lab.site.database.read() as session:
        return session.scalars(sa.select(Study.id).where(Study.study_uid == study_uid)).one()


def complete(lab: Lab) -> list[uuid.UUID]:
    """Let all studies become complete, and what follows from it start; returns the runs that are waiting."""
    lab.site.clock.advance(timedelta(seconds=60))
    now = lab.site.clock.now()
    with lab.site.database.write() as session:
        ids = indexing.complete_quiet(session, now)
        note_complete(session, ids, now)
        start_called(session, ids, lab.work.kinds, now)
        return waiting(session)


def waiting(session: Session) -> list[uuid.UUID]:
    return list(session.scalars(sa.select(AnalysisRun.id).where(AnalysisRun.state == "waiting")))


def look(lab: Lab) -> None:
    """Let the rules look at what has become complete."""
    work = RuleWork(lab.site.database, lab.site.clock, lab.site.services.reader, lab.site.services.rule_kinds, UTC)
    with lab.site.database.write() as session:
        events = outbox.open_events(session, ["rules.evaluate"])
        outbox.mark_taken(session, [event.id for event in events], lab.site.clock.now())
    for event in events:
        work.attempt(event)


def test_what_is_sent_to_its_title_is_analysed_once_sent_on_and_gone_within_a_day(lab: Lab) -> None:
    body = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 104, "calling_ae_title": "COPIER"}
    destination = lab.root.http.post("/api/destinations", json=body, headers=lab.root.headers).json()
    answer = put(lab, called_ae_titles=["COPIER"], destination_id=destination["id"])
    assert answer.status_code == 200, answer.text
    assert source(lab, "COPIER").max_age_s == 86_400
    study_id = arrive(lab, STUDY_UID, "COPIER")
    [run_id] = complete(lab)
    run = lab.attempt(str(run_id))
    assert (run["state"], run["asked_kind"], run["asked_by"]) == ("done", "ae-title", "COPIER"), run
    with lab.site.database.read() as session:
        [delivery] = session.scalars(sa.select(Delivery)).all()
        series = session.get_one(Series, delivery.series_id)
        assert series.series_uid == run["results"][0]["series_uid"]
        brought = session.execute(sa.select(SENDER.c.calling_ae).where(SENDER.c.series_id == series.id)).scalars().all()
        assert brought == ["COPIER"], "a rule knows by it what an analysis has made"
        [holding] = session.scalars(sa.select(Holding).where(Holding.study_id == study_id)).all()
        assert holding.ceiling_at is not None
        assert holding.ceiling_at <= lab.site.clock.now() + timedelta(days=1)
    assert complete(lab) == []  # the result is of the study, and starts nothing


def test_a_rule_starts_it_and_tells_before_what_would_start(lab: Lab) -> None:
    put(lab, called_ae_titles=[], destination_id=None)
    action = {"kind": "analyse", "analysis": "copier", "parameters": {"how": "copy"}}
    when = [{"field": "called_ae", "test": "is", "values": ["RADRELAY"]}]
    rule = {"name": "Copies", "when": when, "actions": [action], "moment": "complete", "enabled": True}
    study_id = arrive(lab, f"{STUDY_UID}.1", None)
    assert complete(lab) == []
    tried = lab.root.http.post("/api/routing-rules/try", json=rule, headers=lab.root.headers).json()
    [effect] = [one for found in tried["studies"] if found["study"]["id"] == str(study_id) for one in found["effects"]]
    assert (effect["kind"], effect["state"]) == ("analyse", "done"), tried
    made_rule = lab.root.http.post("/api/routing-rules", json=rule, headers=lab.root.headers)
    assert made_rule.status_code == 201, made_rule.text
    assert lab.root.http.post(f"/api/studies/{study_id}/rules", headers=lab.root.headers).status_code == 202
    look(lab)
    with lab.site.database.read() as session:
        [run_id] = waiting(session)
    run = lab.attempt(str(run_id))
    assert (run["state"], run["asked_kind"], run["asked_by"]) == ("done", "rule", "Copies")
    complete(lab)
    look(lab)
    with lab.site.database.read() as session:
        assert waiting(session) == []
        theirs = session.scalars(sa.select(AnalysisRun).where(AnalysisRun.study_id == study_id)).all()
        assert len(theirs) == 1


def test_what_a_program_wrote_is_not_told_to_whoever_may_not_know_the_patient(lab: Lab) -> None:
    put(lab, enabled=True)
    run = lab.attempt(lab.start())
    assert run["has_findings"], run
    with lab.site.database.write() as session:
        session.execute(sa.delete(Grant))
    anna = lab.site.login("anna")
    grant_to(lab.site, anna, Target("study", uuid.UUID(lab.study)), Right.SEE, identity="alias")
    address = f"/api/analysis-runs/{run['id']}"
    assert anna.http.get(address).json()["has_findings"] is False
    assert anna.http.get(f"{address}/findings").json()["code"] == "analysis-no-findings"


def test_who_may_not_annotate_starts_nothing_and_only_administrators_set(lab: Lab) -> None:
    with lab.site.database.write() as session:
        session.execute(sa.delete(Grant))
    anna = lab.site.login("anna")
    address, body = f"/api/studies/{lab.study}/analyses", {"kind": "copier"}
    assert anna.http.get(address).status_code == 404
    account = next(
        one["id"] for one in lab.root.http.get("/api/accounts").json()["accounts"] if one["username"] == "anna"
    )
    grant = {
        "grantee_kind": "account", "grantee_id": account, "target_kind": "study", "target_id": lab.study,
        "rights": ["see"],
    }  # fmt: skip
    given = lab.root.http.post("/api/grants", json=grant, headers=lab.root.headers)
    assert given.status_code == 201, given.text
    assert anna.http.get(address).status_code == 200
    assert anna.http.post(address, json=body, headers=anna.headers).status_code == 404
    assert anna.http.put("/api/analyses/copier", json={"enabled": False}, headers=anna.headers).status_code == 403
    assert put(lab, parameters={"how": "dance"}).json()["code"] == "analysis-parameters-invalid"
    assert put(lab, destination_id=str(uuid.uuid4())).json()["code"] == "analysis-setting-invalid"
